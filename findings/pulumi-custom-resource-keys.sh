#!/usr/bin/env bash
# One would guess: keys in snake_case are sent to Kubernetes in camelCase in every resource of pulumi-kubernetes, or in
# none, and a key that does not exist is an error.
# What happens: `metadata` and the spec of built-in kinds are translated, the spec of a CustomResource is sent as it is.
# The pod template of a Deployment, moved into a LeaderWorkerSet or LLMInferenceService, loses its fields: the API
# server prunes those that the CRD does not have. A misspelled key passes the SDK in both.
# Versions: pulumi 3.272.0, pulumi_kubernetes 4.34.2; apiextensions/CustomResource.py: spec is `Any`, and keys are
# translated by types alone (pulumi/runtime/rpc.py).
# Output seen on 2026-11-29:
#   Deployment: metadata.generateName
#   Deployment: spec.minReadySeconds
#   Deployment: spec.template.spec.hostNetwork
#   Deployment: spec.template.spec.priority_classname
#   CustomResource: metadata.generateName
#   CustomResource: spec.min_ready_seconds
#   CustomResource: spec.template.spec.host_network
#   CustomResource: spec.template.spec.priority_classname
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

sent = {}


class Recorder(pulumi.runtime.Mocks):
    def new_resource(self, args):
        sent[args.name] = args.inputs
        return args.name, args.inputs

    def call(self, args):
        return {}


pulumi.runtime.set_mocks(Recorder())


def keys(value, path=""):
    for key, below in value.items():
        if isinstance(below, dict):
            yield from keys(below, f"{path}{key}.")
        else:
            yield path + key


@pulumi.runtime.test
def send():
    metadata = {"generate_name": "engine-"}
    pod = {"host_network": False, "priority_classname": "high"}
    spec = {"min_ready_seconds": 10, "template": {"spec": pod}}
    both = (
        Deployment("Deployment", metadata=metadata, spec=spec),
        CustomResource("CustomResource", api_version="example.com/v1", kind="Engine", metadata=metadata, spec=spec),
    )
    return pulumi.Output.all(*(resource.urn for resource in both))


send()
for name in ("Deployment", "CustomResource"):
    for path in sorted(keys({part: sent[name][part] for part in ("metadata", "spec")})):
        print(f"{name}: {path}")
PYTHON
)
echo "$seen"
[ "$seen" = "$(sed -nE 's/^#   ((Deployment|CustomResource): .*)$/\1/p' "$own")" ] ||
  { echo "this is not what was seen before"; exit 1; }
