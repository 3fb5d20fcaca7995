#!/usr/bin/env bash
# One would guess: a Pulumi Output in a condition is an error, as `len`, `<`, `in` and `for` on one are, because its
# value is not known yet.
# What happens: every Output is true, equal only to itself, and has every attribute. A feature whose flag is
# Output(False) is created, a comparison takes the other branch, a default is never used; no message says so.
# Version: pulumi 3.272.0, pulumi/output.py: Output defines __iter__, which raises, and neither __bool__ nor __eq__.
# Output seen on 2026-11-29:
#   "on" if Output(False) else "off": on
#   Output("gpu") == "gpu": False
#   Output("gpu") in ["gpu", "tpu"]: False
#   Output(None) is None: False
#   getattr(Output("gpu"), "zone", "none"): Output
#   Output("gpu") < "tpu": TypeError
#   len(Output("gpu")): TypeError
#   "g" in Output("gpu"): TypeError
set -euo pipefail
own=$(realpath "${BASH_SOURCE[0]}")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pulumi==3.272.0

seen=$(
  venv/bin/python - <<'PYTHON'
import pulumi


class Nothing(pulumi.runtime.Mocks):
    def new_resource(self, args):
        return args.name, args.inputs

    def call(self, args):
        return {}


pulumi.runtime.set_mocks(Nothing())
Output = pulumi.Output.from_input
for text in (
    '"on" if Output(False) else "off"',
    'Output("gpu") == "gpu"',
    'Output("gpu") in ["gpu", "tpu"]',
    "Output(None) is None",
    'getattr(Output("gpu"), "zone", "none")',
    'Output("gpu") < "tpu"',
    'len(Output("gpu"))',
    '"g" in Output("gpu")',
):
    try:
        result = eval(text)
    except TypeError:
        result = "TypeError"
    print(f"{text}: {'Output' if isinstance(result, pulumi.Output) else result}", flush=True)
PYTHON
)
echo "$seen"
expected=$(sed -nE 's/^#   (.*: (on|True|False|Output|TypeError))$/\1/p' "$own")
[ "$seen" = "$expected" ] || { echo "this is not what was seen before"; exit 1; }
