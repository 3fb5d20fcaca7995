#!/usr/bin/env bash
# One would guess: the score of a replica says how busy it is, so that one waiting request costs a little and a hundred
# cost a lot, and weights of scorers compare like with like.
# What happens: the scorers of queues and of running requests stretch each choice over the whole range. The replica with
# the shortest queue gets 1 and the one with the longest 0, whether they differ by 1 or by 100, and all get 1 where all
# wait equally long. The scorer of the KV cache is absolute. So a single waiting request takes the whole weight of
# queue-scorer away, as much as a KV cache that goes from empty to full, and moves requests from replicas that have
# their prefix.
# Version: sigs.k8s.io/gateway-api-inference-extension v1.5.0, pkg/epp/framework/plugins/scheduling/scorer.
# Output seen on 2026-11-30 (a score for each replica):
#   queue-scorer, waiting requests [0 1]: 1.00 0.00
#   queue-scorer, waiting requests [0 100]: 1.00 0.00
#   queue-scorer, waiting requests [100 100]: 1.00 1.00
#   queue-scorer, waiting requests [0 1 100]: 1.00 0.99 0.00
#   running-requests-size-scorer, running requests [40 41]: 1.00 0.00
#   kv-cache-utilization-scorer, percent in use [0 1]: 1.00 0.99
#   kv-cache-utilization-scorer, percent in use [0 100]: 1.00 0.00
set -euo pipefail
own=$(realpath "${BASH_SOURCE[0]}")
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
export GOMODCACHE=$folder/modules GOFLAGS="-mod=mod -trimpath" GOWORK=off
cd "$folder"

cat >go.mod <<'GO'
module finding

go 1.25.0

require sigs.k8s.io/gateway-api-inference-extension v1.5.0
GO
cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"

	"sigs.k8s.io/gateway-api-inference-extension/pkg/epp/framework/interface/datalayer"
	"sigs.k8s.io/gateway-api-inference-extension/pkg/epp/framework/interface/scheduling"
	"sigs.k8s.io/gateway-api-inference-extension/pkg/epp/framework/plugins/scheduling/scorer/kvcacheutilization"
	"sigs.k8s.io/gateway-api-inference-extension/pkg/epp/framework/plugins/scheduling/scorer/queuedepth"
	"sigs.k8s.io/gateway-api-inference-extension/pkg/epp/framework/plugins/scheduling/scorer/runningrequests"
)

func waiting(metrics *datalayer.Metrics, value int) { metrics.WaitingQueueSize = value }

func running(metrics *datalayer.Metrics, value int) { metrics.RunningRequestsSize = value }

func percent(metrics *datalayer.Metrics, value int) { metrics.KVCacheUsagePercent = float64(value) / 100 }

// show prints the scores of replicas that have one value each.
func show(scorer scheduling.Scorer, says string, set func(*datalayer.Metrics, int), values ...int) {
	var replicas []scheduling.Endpoint
	for _, value := range values {
		metrics := datalayer.NewMetrics()
		set(metrics, value)
		replicas = append(replicas, scheduling.NewEndpoint(&datalayer.EndpointMetadata{}, metrics, nil))
	}
	scores := scorer.Score(context.Background(), nil, nil, replicas)
	fmt.Printf("%s, %s %v:", scorer.TypedName().Type, says, values)
	for _, replica := range replicas {
		fmt.Printf(" %.2f", scores[replica])
	}
	fmt.Println()
}

func main() {
	queue := queuedepth.NewQueueScorer()
	show(queue, "waiting requests", waiting, 0, 1)
	show(queue, "waiting requests", waiting, 0, 100)
	show(queue, "waiting requests", waiting, 100, 100)
	show(queue, "waiting requests", waiting, 0, 1, 100)
	show(runningrequests.NewRunningRequestsSizeScorer(), "running requests", running, 40, 41)
	show(kvcacheutilization.NewKVCacheUtilizationScorer(), "percent in use", percent, 0, 1)
	show(kvcacheutilization.NewKVCacheUtilizationScorer(), "percent in use", percent, 0, 100)
}
GO

seen=$(go run . 2>/dev/null)
echo "$seen"
expected=$(sed -nE 's/^#   ((queue|running|kv)-.*)$/\1/p' "$own")
[ "$seen" = "$expected" ] || { echo "this is not what was seen before"; exit 1; }
