#!/usr/bin/env bash
# One would guess: a replica whose metrics an endpoint picker could not read for a moment is unknown, and with flow
# control requests wait only while the engines are busy.
# What happens: metrics older than 200 ms count as a full replica, and the saturation of a pool is the average of its
# replicas. One idle replica that was read 0.3 s ago makes a pool of one saturated, so that all requests are queued, and
# one replica with a long queue saturates seven idle ones. The filter of the same plugin lets the idle ones pass.
# Version: sigs.k8s.io/gateway-api-inference-extension v1.5.0,
# pkg/epp/framework/plugins/flowcontrol/saturationdetector/utilization, defaults. Flow control holds requests at 1.
# Output seen on 2026-11-29:
#   1 idle replica, read now: saturation 0.00, the filter lets 1 pass
#   1 idle replica, read 300 ms ago: saturation 1.00, the filter lets 1 pass
#   7 replicas with 5 waiting requests and 1 idle one, read now: saturation 0.88, the filter lets 1 pass
#   7 idle replicas and 1 with 40 waiting requests, read now: saturation 1.00, the filter lets 7 pass
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
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/gateway-api-inference-extension/pkg/epp/framework/interface/datalayer"
	"sigs.k8s.io/gateway-api-inference-extension/pkg/epp/framework/interface/plugin"
	"sigs.k8s.io/gateway-api-inference-extension/pkg/epp/framework/interface/scheduling"
	"sigs.k8s.io/gateway-api-inference-extension/pkg/epp/framework/plugins/flowcontrol/saturationdetector/utilization"
)

// waiting lists the queue length of each replica.
func show(says string, age time.Duration, waiting ...int) {
	ctx := context.Background()
	handle := plugin.NewEppHandle(ctx, func() []types.NamespacedName { return nil })
	created, err := utilization.UtilizationDetectorFactory("detector", nil, handle)
	if err != nil {
		panic(err)
	}
	detector := created.(*utilization.Detector)
	var pool []datalayer.Endpoint
	var candidates []scheduling.Endpoint
	for _, queue := range waiting {
		metrics := datalayer.NewMetrics()
		metrics.WaitingQueueSize, metrics.UpdateTime = queue, time.Now().Add(-age)
		pool = append(pool, datalayer.NewEndpoint(nil, metrics))
		candidates = append(candidates, scheduling.NewEndpoint(&datalayer.EndpointMetadata{}, metrics, nil))
	}
	passed := detector.Filter(ctx, nil, nil, candidates)
	fmt.Printf("%s: saturation %.2f, the filter lets %d pass\n", says, detector.Saturation(ctx, pool), len(passed))
}

func main() {
	show("1 idle replica, read now", 0, 0)
	show("1 idle replica, read 300 ms ago", 300*time.Millisecond, 0)
	show("7 replicas with 5 waiting requests and 1 idle one, read now", 0, 5, 5, 5, 5, 5, 5, 5, 0)
	show("7 idle replicas and 1 with 40 waiting requests, read now", 0, 0, 0, 0, 0, 0, 0, 0, 40)
}
GO

seen=$(go run . 2>/dev/null)
echo "$seen"
[ "$seen" = "$(sed -nE 's/^#   ([17] .*)$/\1/p' "$own")" ] || { echo "this is not what was seen before"; exit 1; }
