"""Capabilities of the TPU back end, read in its published sources, because it does not start without a TPU."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

_LOADER = "tpu_inference/models/common/model_loader.py"
_JAX = "tpu_inference/layers/jax/quantization/__init__.py"
_TORCH = "tpu_inference/layers/vllm/quantization/__init__.py"
_JAX_COMPRESSED = "tpu_inference/layers/jax/quantization/compressed_tensors.py"
_TORCH_COMPRESSED = "tpu_inference/layers/vllm/quantization/compressed_tensors/compressed_tensors.py"
_METHODS = "tpu_inference/layers/common/quant_methods.py"
_PLATFORMS = ("tpu_inference/platforms/tpu_platform.py", "tpu_inference/platforms/tpu_jax.py")
_ENVIRONMENT = "tpu_inference/envs.py"


def read_tpu(root: Path) -> dict[str, Any]:
    """Facts of an unpacked tpu-inference package. Raises ValueError where its sources no longer look as expected."""
    loader = _tree(root / _LOADER)
    names = _constants(root / _METHODS)
    platform = next(root / name for name in _PLATFORMS if (root / name).exists())
    architectures = sorted(_registered(loader))
    if not architectures:
        raise ValueError(f"{_LOADER}: no architecture is registered in _MODEL_REGISTRY")
    facts: dict[str, Any] = {
        "platform_quantization": _list_of(_tree(platform), "supported_quantization", names),
        "jax_architectures": architectures,
        "torch_preferred": sorted(_list_of(loader, "_VLLM_PREFERRED_ARCHITECTURES", names)),
        "jax_quantization": _methods(root / _JAX, names),
        "torch_quantization": _methods(root / _TORCH, names),
        "jax_compressed_tensors": _schemes(root / _JAX_COMPRESSED),
        "torch_compressed_tensors": _schemes(root / _TORCH_COMPRESSED),
        "jax_lora": not _never_has_lora(loader),
        "implementation_variable": "MODEL_IMPL_TYPE",
    }
    read = [_LOADER, str(platform.relative_to(root)), _JAX, _TORCH, _JAX_COMPRESSED, _TORCH_COMPRESSED]
    return facts | {"read": [name for name in read if (root / name).exists()]}


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _registered(tree: ast.Module) -> set[str]:
    """Keys that are assigned in `_MODEL_REGISTRY`."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
            target = node.targets[0]
            if isinstance(target.value, ast.Name) and target.value.id == "_MODEL_REGISTRY":
                key = target.slice
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    names.add(key.value)
    return names


def _constants(path: Path) -> dict[str, str]:
    """Names of quantization methods that a module gives constants for. Empty where there is no such module."""
    if not path.exists():
        return {}
    return {
        node.targets[0].id: node.value.value
        for node in _tree(path).body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    }


def _list_of(tree: ast.Module, name: str, names: dict[str, str]) -> list[str]:
    """Elements of the list or set that a name is assigned; empty where the name is not there."""
    for node in ast.walk(tree):
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            assert isinstance(node, ast.Assign | ast.AnnAssign)
            texts = [_text(part, names) for part in ast.walk(node.value) if node.value] if node.value else []
            return [text for text in texts if text is not None]
    return []


def _methods(path: Path, names: dict[str, str]) -> list[str]:
    """Keys of `method_to_config`, without the one for weights that are not quantized."""
    if not path.exists():
        return []
    for node in ast.walk(_tree(path)):
        if not (isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Dict)):
            continue
        if isinstance(node.target, ast.Name) and node.target.id == "method_to_config":
            keys = [key for key in node.value.keys if key is not None]
            texts = [_text(key, names) for key in keys if not (isinstance(key, ast.Constant) and key.value is None)]
            if None in texts:
                raise ValueError(f"{path.name}: a quantization method's name could not be read")
            return sorted(text for text in texts if text is not None)
    raise ValueError(f"{path}: there is no method_to_config")


def _text(node: ast.AST, names: dict[str, str]) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.Attribute):
        return names.get(node.attr)
    if isinstance(node, ast.Name):
        return names.get(node.id)
    return None


def _schemes(path: Path) -> list[str]:
    """Formats of compressed-tensors that the JAX layers dispatch on: the predicates they ask of vLLM's own class."""
    if not path.exists():
        return []
    return sorted(set(re.findall(r"self\.(?:_ct\.)?_is_(\w+)\(", path.read_text(encoding="utf-8"))))


def _never_has_lora(tree: ast.Module) -> bool:
    """Whether the JAX loader always sets the LoRA manager to nothing."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == "get_flax_model":
            for part in ast.walk(node):
                if isinstance(part, ast.Assign) and isinstance(part.targets[0], ast.Tuple):
                    first = part.targets[0].elts[0]
                    values = part.value
                    if isinstance(first, ast.Name) and first.id == "lora_manager" and isinstance(values, ast.Tuple):
                        return isinstance(values.elts[0], ast.Constant) and values.elts[0].value is None
    return False
