"""Questions about an engine that do not depend on the card."""

from __future__ import annotations

import ast
import contextlib
import importlib
import importlib.util
import inspect
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .modules import error_text, package_folder

# Where the parsers of tool calls are, and where they were until 0.12.
_TOOL_PARSERS = ("vllm.tool_parsers", "vllm.entrypoints.openai.tool_parsers")


def float16_refused(_: Mapping[str, Any]) -> Any:
    module = importlib.import_module("vllm.config.model")
    torch = importlib.import_module("torch")
    listed = list(module._FLOAT16_NOT_SUPPORTED_MODELS)
    return sorted(name for name in listed if not module._is_valid_dtype(name, torch.float16))


def automatic_dtype(question: Mapping[str, Any]) -> Any:
    """The dtype that `auto` resolves to on this card for a bfloat16 checkpoint, by model type."""
    module = importlib.import_module("vllm.config.model")
    torch = importlib.import_module("torch")
    dtypes = {}
    for model_type in question["model_types"]:
        if hasattr(module, "_resolve_auto_dtype"):
            dtype = module._resolve_auto_dtype(model_type, torch.bfloat16, is_pooling_model=False)
            dtypes[model_type] = str(dtype).removeprefix("torch.")
    return dtypes


def architectures(_: Mapping[str, Any]) -> Any:
    registry = importlib.import_module("vllm.model_executor.models.registry")
    return sorted(registry.ModelRegistry.get_supported_archs())


def former_architectures(_: Mapping[str, Any]) -> Any:
    """Architectures that the registry lists as dropped, with their last version, less those that transformers runs."""
    registry = importlib.import_module("vllm.model_executor.models.registry")
    # What it reads of a model's configuration, of one without code of its own.
    model = types.SimpleNamespace(
        hf_config=types.SimpleNamespace(auto_map=None),
        model_impl="auto",
        _get_transformers_backend_cls=lambda: "TransformersForCausalLM",
    )
    models, resolve = registry._PREVIOUSLY_SUPPORTED_MODELS, registry.ModelRegistry._try_resolve_transformers
    return {name: last for name, last in models.items() if resolve(name, model) is None}


def sink_architectures(_: Mapping[str, Any]) -> Any:
    """Architectures whose attention has sinks: their module hands `sinks` to the attention layer."""
    registry = importlib.import_module("vllm.model_executor.models.registry")
    root = package_folder().parent
    names = []
    for name, model in registry.ModelRegistry.models.items():
        # By its path: finding a module imports the packages that it is in, and those of some models need a card.
        module = root.joinpath(*getattr(model, "module_name", "").split("."))
        files = [file for file in (module.with_suffix(".py"), module / "__init__.py") if file.is_file()]
        if files and "sinks=" in files[0].read_text(encoding="utf-8"):
            names.append(name)
    return sorted(names)


def parsers(_: Mapping[str, Any]) -> Any:
    """Values of --tool-call-parser and --reasoning-parser: the packages register them by name, without loading any."""
    return {
        "tool": _registered(_TOOL_PARSERS, "_TOOL_PARSERS_TO_REGISTER"),
        "reasoning": _registered(("vllm.reasoning",), "_REASONING_PARSERS_TO_REGISTER"),
    }


def _registered(modules: tuple[str, ...], table: str) -> list[str]:
    """Names in the table of the first module that this version has."""
    for module in modules[:-1]:
        with contextlib.suppress(LookupError, ModuleNotFoundError):
            return sorted(_literal(module, table))
    return sorted(_literal(modules[-1], table))


def speculative_methods(_: Mapping[str, Any]) -> Any:
    module = importlib.import_module("vllm.config.speculative")
    return sorted(importlib.import_module("typing").get_args(module.SpeculativeMethod))


def kv_offload_hybrid(_: Mapping[str, Any]) -> Any:
    """Whether the connector of --kv-offloading-size supports models with several kinds of layers."""
    name = "vllm.distributed.kv_transfer.kv_connector.v1.offloading_connector"
    return "class OffloadingConnector(KVConnectorBase_V1, SupportsHMA)" in _source(name)


def _literal(module: str, name: str) -> Any:
    """A table that a module states as a literal, read from its source."""
    for node in ast.parse(_source(module)).body:
        if isinstance(node, ast.Assign) and any(getattr(target, "id", "") == name for target in node.targets):
            return ast.literal_eval(node.value)
    raise LookupError(f"{module} has no table {name}")


def _source(module: str) -> str:
    specification = importlib.util.find_spec(module)
    if specification is None or specification.origin is None:
        raise LookupError(f"this version has no module {module}")
    return Path(specification.origin).read_text(encoding="utf-8")


def quantization(_: Mapping[str, Any]) -> Any:
    module = importlib.import_module("vllm.model_executor.layers.quantization")
    methods: dict[str, Any] = {}
    for method in module.QUANTIZATION_METHODS:
        try:
            config = module.get_quantization_config(method)
            methods[method] = {"minimum_capability": config.get_min_capability()}
        except (Exception, AssertionError) as error:
            methods[method] = {"unanswered": error_text(error)}
            continue
        if method in getattr(module, "DEPRECATED_QUANTIZATION_METHODS", ()):
            methods[method]["deprecated"] = True
        with contextlib.suppress(Exception):
            dtypes = config.__new__(config).get_supported_act_dtypes()
            methods[method]["dtypes"] = sorted(str(dtype).removeprefix("torch.") for dtype in dtypes)
    return methods


def compressed_tensors(_: Mapping[str, Any]) -> Any:
    """Formats of compressed-tensors checkpoints and the least compute capability of their kernels."""
    schemes = importlib.import_module("vllm.model_executor.layers.quantization.compressed_tensors.schemes")
    capabilities = {}
    for name, scheme in sorted(vars(schemes).items()):
        if inspect.isclass(scheme) and name.startswith("CompressedTensors") and not inspect.isabstract(scheme):
            # Formats that a version gave up raise here.
            with contextlib.suppress(NotImplementedError):
                capabilities[name.removeprefix("CompressedTensors")] = getattr(scheme, "get_min_capability")()  # noqa: B009
    return capabilities


def longrope_default(_: Mapping[str, Any]) -> Any:
    """The length of a model of 131,072 tokens that was extended from 4,096 by LongRoPE, where none is set."""
    module = importlib.import_module("vllm.config.model")
    function = module._get_and_verify_max_len
    rope = {"rope_type": "longrope", "type": "longrope", "factor": 32.0, "original_max_position_embeddings": 4096}
    config = types.SimpleNamespace(
        model_type="phi3",
        max_position_embeddings=131072,
        original_max_position_embeddings=4096,
        rope_scaling=rope,
        rope_parameters=rope,
    )
    values: dict[str, Any] = {
        "hf_config": config,
        "model_arch_config": types.SimpleNamespace(
            derived_max_model_len_and_key=(131072, "max_position_embeddings"), model_type="phi3"
        ),
        "tokenizer_config": None,
        "max_model_len": None,
        "disable_sliding_window": False,
        "sliding_window": None,
    }
    accepted = inspect.signature(function).parameters
    return "original" if function(**{k: v for k, v in values.items() if k in accepted}) == 4096 else "full"


def experts_padded(_: Mapping[str, Any]) -> Any:
    """Whether gated experts are padded for the kernel of TensorRT-LLM. Read in the function's code."""
    module = importlib.import_module("vllm.model_executor.layers.fused_moe.oracle.unquantized")
    tree = ast.parse(inspect.getsource(module.convert_to_unquantized_kernel_format))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.UnaryOp) and isinstance(node.test.op, ast.Not):
            # Under `if not is_act_and_mul` only experts without a gate are padded.
            node.body = []
    names = {part.func.id for part in ast.walk(tree) if isinstance(part, ast.Call) and isinstance(part.func, ast.Name)}
    return "align_moe_weights_for_fi" in names
