#!/usr/bin/env bash
# One would guess: a whole number that one stack exports, or that was put into the spec of a resource, is the same int
# when a Python program reads it.
# What happens: numbers pass Pulumi's engine as floating point. Where the SDK has no type for a value, as in outputs of
# a StackReference and the spec of a CustomResource, 8 comes back as 8.0, and an argument made of it is
# `--tensor-parallel-size=8.0`, which vLLM refuses. Large numbers lose their last digits. Typed resources give ints.
# Versions: pulumi 3.272.0, pulumi/runtime/rpc.py, deserialize_property; pulumi_kubernetes 4.34.2.
# Output seen on 2026-11-29:
#   StackReference: --tensor-parallel-size=8.0
#   CustomResource: --tensor-parallel-size=8.0
#   Deployment: --tensor-parallel-size=8
#   StackReference, 12345678901234567: 12345678901234568
set -euo pipefail
own=$(realpath "${BASH_SOURCE[0]}")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pulumi==3.272.0 pulumi_kubernetes==4.34.2

seen=$(
  venv/bin/python - <<'PYTHON'
import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.apps.v1 import Deployment


class Engine(pulumi.runtime.Mocks):
    def new_resource(self, args):
        if args.typ == "pulumi:pulumi:StackReference":
            outputs = {"chips": 8, "number": 12345678901234567}
            return args.name, {"name": args.name, "outputs": outputs, "secretOutputNames": []}
        return args.name, args.inputs

    def call(self, args):
        return {}


pulumi.runtime.set_mocks(Engine())


@pulumi.runtime.test
def read():
    other = pulumi.StackReference("organization/cluster/prod")
    version, kind = "leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet"
    group = CustomResource("group", api_version=version, kind=kind, spec={"replicas": 8})
    servers = Deployment("servers", spec={"replicas": 8, "selector": {}, "template": {}})
    numbers = {
        "StackReference": other.get_output("chips"),
        "CustomResource": group.spec["replicas"],
        "Deployment": servers.spec.replicas,
    }
    return pulumi.Output.all(**numbers, large=other.get_output("number")).apply(show)


def show(found):
    for name in ("StackReference", "CustomResource", "Deployment"):
        print(f"{name}: --tensor-parallel-size={found[name]}")
    print(f"StackReference, 12345678901234567: {int(found['large'])}")


read()
PYTHON
)
echo "$seen"
expected=$(sed -nE 's/^#   ((Stack|Custom|Deployment).*)$/\1/p' "$own")
[ "$seen" = "$expected" ] || { echo "this is not what was seen before"; exit 1; }
