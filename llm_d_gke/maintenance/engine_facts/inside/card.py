"""Questions about an engine on one card."""

from __future__ import annotations

import importlib
import inspect
import types
from collections.abc import Mapping
from typing import Any

from .modules import error_text, first_module, trace
from .stand_in import CARD, NullObject


def batches(question: Mapping[str, Any]) -> Any:
    """Default --max-num-batched-tokens and --max-num-seqs of the API server, for each card of this capability."""
    arguments = importlib.import_module("vllm.engine.arg_utils").EngineArgs
    context = importlib.import_module("vllm.usage.usage_lib").UsageContext.OPENAI_API_SERVER
    limits = {}
    for card in question["cards"]:
        CARD.update(card)
        tokens, sequences = arguments.get_batch_defaults(1)
        limits[card["name"]] = {"tokens": tokens[context], "sequences": sequences[context]}
    return limits


def dtypes(_: Mapping[str, Any]) -> Any:
    platform = importlib.import_module("vllm.platforms").current_platform
    return [str(dtype).removeprefix("torch.") for dtype in platform.supported_dtypes]


def attention(question: Mapping[str, Any]) -> Any:
    """The back ends that take a head size, by use, dtype and head size, the first being the one vLLM chooses."""
    torch = importlib.import_module("torch")
    platforms = importlib.import_module("vllm.platforms")
    platform = platforms.current_platform
    capability = platform.get_device_capability()
    rows = []
    configuration = importlib.import_module("vllm.config")
    with configuration.set_current_vllm_config(configuration.VllmConfig()):
        rows = _attention_rows(torch, platform, capability, question)
    return rows


def _attention_rows(torch: Any, platform: Any, capability: Any, question: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for use in question["uses"]:
        for dtype in question["dtypes"]:
            for head in use["heads"]:
                values = {
                    "head_size": head,
                    "dtype": getattr(torch, dtype),
                    "kv_cache_dtype": use.get("kv_cache_dtype", "auto"),
                    "block_size": None,
                    "use_mla": use.get("mla", False),
                    "has_sink": use.get("sink", False),
                    "use_sparse": False,
                    "use_mm_prefix": use.get("image_prefix", False),
                    "attn_type": "decoder",
                }
                row: dict[str, Any] = {"use": use["name"], "dtype": dtype, "head": head}
                try:
                    valid, reasons = _valid_backends(platform, capability, values)
                    rows.append(row | {"backends": valid, "why": reasons})
                except (Exception, AssertionError) as error:
                    rows.append(row | {"unanswered": error_text(error)})
                    trace()
    return rows


def _valid_backends(platform: Any, capability: Any, values: Mapping[str, Any]) -> tuple[list[str], dict[str, Any]]:
    function = platform.get_valid_backends
    if "attn_selector_config" in inspect.signature(function).parameters:
        configuration = importlib.import_module("vllm.v1.attention.selector").AttentionSelectorConfig
        accepted = {key: value for key, value in values.items() if key in configuration._fields}
        valid, invalid = function(device_capability=capability, attn_selector_config=configuration(**accepted))
    else:
        accepted = {key: v for key, v in values.items() if key in inspect.signature(function).parameters}
        valid, invalid = function(device_capability=capability, **accepted)
    ordered = sorted(valid, key=lambda row: row.priority if hasattr(row, "priority") else row[1])
    names = [(row.backend if hasattr(row, "backend") else row[0]).name for row in ordered]
    reasons = {key.name: value[1] if isinstance(value, tuple) else value for key, value in invalid.items()}
    return names, reasons


def block_sizes(question: Mapping[str, Any]) -> Any:
    """KV block sizes that a back end's kernels take themselves; larger ones are split."""
    sizes_by_backend = {}
    registry = first_module("vllm.v1.attention.backends.registry", "vllm.attention.backends.registry")
    configuration = importlib.import_module("vllm.config")
    for name in question["backends"]:
        backend = registry.AttentionBackendEnum[name].get_class()
        for method in ("get_supported_kernel_block_sizes", "get_supported_kernel_block_size"):
            if hasattr(backend, method):
                with configuration.set_current_vllm_config(configuration.VllmConfig()):
                    sizes = getattr(backend, method)()
                sizes_by_backend[name] = [
                    f"multiple of {size.base}" if hasattr(size, "base") else size for size in sizes
                ]
                break
        else:
            sizes = backend.supported_kernel_block_sizes
            sizes_by_backend[name] = [f"multiple of {size.base}" if hasattr(size, "base") else size for size in sizes]
    return sizes_by_backend


def experts(_: Mapping[str, Any]) -> Any:
    """Kernels for experts in 16 bits that run on this card, in vLLM's order: it takes the first that has no objection.

    Versions without such a list choose by one function, which is called as for experts that are cut among ranks.
    """
    module = importlib.import_module("vllm.model_executor.layers.fused_moe.oracle.unquantized")
    parallel = types.SimpleNamespace(dp_size=1, use_batched_activation_format=False)
    if not hasattr(module, "_get_priority_backends"):
        configuration = NullObject("configuration")
        configuration.__dict__.update(moe_backend="auto", moe_parallel_config=parallel)
        return [module.select_unquantized_moe_backend(configuration, use_ep=False, use_dp=False).name]
    config = types.SimpleNamespace(moe_parallel_config=parallel, activation=None, moe_backend="auto")
    names = []
    for backend in module._get_priority_backends(config):
        kernels: Any = module.backend_to_kernel_cls(backend)
        # One class up to 0.24.
        classes: Any = [kernels] if inspect.isclass(kernels) else kernels
        if any(kernel._supports_current_device() for kernel in classes):
            names.append(backend.name)
    return names
