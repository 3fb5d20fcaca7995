#!/usr/bin/env bash
# One would guess: None in the values of a Helm release is sent as null, with which Helm removes a default of its chart,
# at the latest with allow_null_values=True.
# What happens: the SDK for Python leaves a key out whose value is None, in every dict and at every depth, before the
# provider sees it. No message says so, allow_null_values has nothing left to allow, and the default of the chart stays.
# In lists None is kept.
# Versions: pulumi 3.272.0, pulumi/runtime/rpc.py; pulumi_kubernetes 4.34.2, helm.v3.Release, helm.v4.Chart and
# CustomResource.
# Output seen on 2026-11-30:
#   written: {"affinity": null, "args": ["a", null], "resources": {"limits": null, "requests": {"cpu": "1"}}}
#   Release: {"args": ["a", null], "resources": {"requests": {"cpu": "1"}}}
#   Release, allowNullValues True: {"args": ["a", null], "resources": {"requests": {"cpu": "1"}}}
#   Chart: {"args": ["a", null], "resources": {"requests": {"cpu": "1"}}}
#   CustomResource: {"args": ["a", null], "resources": {"requests": {"cpu": "1"}}}
set -euo pipefail
own=$(realpath "${BASH_SOURCE[0]}")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pulumi==3.272.0 pulumi_kubernetes==4.34.2

seen=$(
  venv/bin/python - <<'PYTHON'
import json

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.helm.v3 import Release
from pulumi_kubernetes.helm.v4 import Chart

VALUES = {"affinity": None, "resources": {"limits": None, "requests": {"cpu": "1"}}, "args": ["a", None]}
sent = {}


class Engine(pulumi.runtime.Mocks):
    def new_resource(self, args):
        sent[args.name] = args.inputs
        return args.name, args.inputs

    def call(self, args):
        return {}


pulumi.runtime.set_mocks(Engine())


@pulumi.runtime.test
def send():
    resources = (
        Release("Release", chart="engine", values=VALUES),
        Release("nulls", chart="engine", values=VALUES, allow_null_values=True),
        Chart("Chart", chart="engine", values=VALUES),
        CustomResource("CustomResource", api_version="example.com/v1", kind="Engine", spec=VALUES),
    )
    return pulumi.Output.all(*(resource.urn for resource in resources))


send()
print("written:", json.dumps(VALUES, sort_keys=True))
for name in ("Release", "nulls", "Chart", "CustomResource"):
    inputs = sent[name]
    says = name if name != "nulls" else f"Release, allowNullValues {inputs['allowNullValues']}"
    print(f"{says}:", json.dumps(inputs.get("values") or inputs["spec"], sort_keys=True))
PYTHON
)
echo "$seen"
[ "$seen" = "$(sed -nE 's/^#   ((written|Release|Chart|CustomResource).*: .*)$/\1/p' "$own")" ] ||
  { echo "this is not what was seen before"; exit 1; }
