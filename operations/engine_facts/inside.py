"""Answers of an installed vLLM about itself, as JSON. Runs in the engine's environment: `inside.py QUESTIONS ANSWERS`.

It imports nothing of this project. vLLM's CUDA code runs with its platform played by `StandIn`, which says which card
it is; CUDA libraries that the CPU wheel lacks are modules that have every attribute and do nothing. Each card has a
process of its own, because vLLM caches what it finds out about its platform. What fails to answer is reported as such
and never guessed.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import inspect
import json
import multiprocessing
import os
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

# Packages of the CUDA images that the CPU wheel does not have.
_ABSENT = (
    "flashinfer",
    "flashinfer_cubin",
    "flashinfer_jit_cache",
    "deep_gemm",
    "flash_mla",
    "cutlass",
    "tilelang",
    "quack",
    "tvm_ffi",
    "vllm._C_stable_libtorch",
    "vllm._moe_C",
    "vllm._moe_C_stable_libtorch",
    "vllm._qutlass_C",
    "vllm._flashmla_C",
    "vllm._flashmla_extension_C",
    "vllm.vllm_flash_attn._vllm_fa2_C",
    "vllm.vllm_flash_attn._vllm_fa3_C",
    "vllm.vllm_flash_attn.cute",
    "vllm.vllm_flash_attn.flash_attn_interface",
    "xformers",
    "vllm.third_party.deep_gemm",
    "vllm.third_party.flashmla",
)
GIB = 2**30

# What the stand-in says of itself; the name and the size change between questions, the capability does not.
CARD: dict[str, Any] = {}


class Nothing:
    """Any attribute, any call, no effect. A class that inherits from an instance inherits from nothing."""

    def __init__(self, name: str = "nothing") -> None:
        self.__name__ = self.__qualname__ = name
        self.__doc__ = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return Nothing(name)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        # Used as a decorator it gives back what it decorates.
        return arguments[0] if len(arguments) == 1 and callable(arguments[0]) and not named else Nothing()

    def __getitem__(self, key: Any) -> Any:
        return Nothing()

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type, ...]:
        return (object,) if len(bases) == 1 else ()

    def __or__(self, other: Any) -> Any:
        return other

    __ror__ = __or__


class AbsentModules(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds these packages and everything below them."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: Any = None
    ) -> importlib.machinery.ModuleSpec | None:
        if not any(name == absent or name.startswith(f"{absent}.") for absent in self.names):
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return types.ModuleType(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        def attribute(name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(name)
            return Nothing(name)

        module.__dict__.update(__getattr__=attribute, __path__=[], __version__="99.0.0")


def _be_absent(name: str) -> None:
    loader = AbsentModules((name,))
    module = types.ModuleType(name)
    loader.exec_module(module)
    sys.modules[name] = module


def play_card(card: Mapping[str, Any]) -> None:
    """Put a stand-in of the CUDA platform in place. Before anything of vLLM that asks for the platform is imported."""
    # Last, so that what is installed is found first.
    sys.meta_path.append(AbsentModules(_ABSENT))
    torch = importlib.import_module("torch")
    torch.version.cuda = torch.version.cuda or "13.0"
    _play_operators(torch)
    _play_triton(card["capability"])
    platforms = importlib.import_module("vllm.platforms")
    interface = importlib.import_module("vllm.platforms.interface")
    for missing in ("vllm._C", "vllm._C_stable_libtorch"):
        try:
            importlib.import_module(missing)
        except ImportError:
            # Not there, or built for a newer C++ library than this machine has.
            _be_absent(missing)
    cuda = importlib.import_module("vllm.platforms.cuda")
    major, minor = card["capability"]
    capability = interface.DeviceCapability(major, minor)
    CARD.update(card)
    answers: dict[str, Any] = {
        "get_device_capability": classmethod(lambda cls, device_id=0: capability),
        "get_device_name": classmethod(lambda cls, device_id=0: CARD["title"]),
        "get_device_total_memory": classmethod(lambda cls, device_id=0: int(CARD["gib"] * GIB)),
        "get_device_uuid": classmethod(lambda cls, device_id=0: "stand-in"),
        "has_device_capability": classmethod(
            lambda cls, wanted, device_id=0: (
                capability
                >= (
                    interface.DeviceCapability(*wanted) if isinstance(wanted, tuple) else _capability(interface, wanted)
                )
            )
        ),
        "is_fully_connected": classmethod(lambda cls, devices: True),
        "device_count": classmethod(lambda cls: 1),
    }
    stand_in = type("StandIn", (cuda.CudaPlatformBase,), answers)
    platforms.__dict__["_current_platform"] = stand_in()
    platforms.__dict__["current_platform"] = platforms.__dict__["_current_platform"]
    torch.cuda.get_device_capability = lambda device=None: (major, minor)
    torch.cuda.current_device = lambda: 0
    for name in ("zeros", "empty"):
        # Some modules set memory of the card aside when they are imported.
        setattr(torch, name, _without_memory(getattr(torch, name)))
    torch.cuda.get_device_properties = lambda device=None: types.SimpleNamespace(
        major=major, minor=minor, total_memory=int(card["gib"] * GIB), multi_processor_count=132, name=card["title"]
    )
    with contextlib.suppress(ImportError):
        # The CUDA images have the compiled parts; whether a version is one for this card, its own functions say.
        flash_attention = importlib.import_module("vllm.vllm_flash_attn.flash_attn_interface")
        for number in (2, 3, 4):
            if hasattr(flash_attention, f"FA{number}_AVAILABLE"):
                setattr(flash_attention, f"FA{number}_AVAILABLE", True)
    with contextlib.suppress(ImportError):
        flashinfer = importlib.import_module("vllm.utils.flashinfer")
        for name in ("has_flashinfer", "has_nvidia_artifactory", "has_flashinfer_cubin"):
            if hasattr(flashinfer, name):
                setattr(flashinfer, name, lambda: True)
        # Asks for the engine's whole configuration; None is what it answers where nobody forces a choice.
        flashinfer.__dict__["force_use_trtllm_attention"] = lambda: None


def _without_memory(function: Callable[..., Any]) -> Callable[..., Any]:
    def made(*sizes: Any, device: Any = None, **named: Any) -> Any:
        return function(*sizes, device="meta" if str(device).startswith("cuda") else device, **named)

    return made


def _play_operators(torch: Any) -> None:
    """Operators of the CUDA build that say what it supports exist, and answer with something that counts as true."""
    namespace = importlib.import_module("torch._ops")._OpNamespace
    original = namespace.__getattr__

    def attribute(self: Any, name: str) -> Any:
        try:
            return original(self, name)
        except AttributeError:
            if "support" not in name:
                raise
            return Nothing(name)

    namespace.__getattr__ = attribute


def _play_triton(capability: Sequence[int]) -> None:
    """Triton compiles for the card and never looks for one."""
    torch = importlib.import_module("torch")
    nvidia = importlib.import_module("triton.backends").backends["nvidia"]
    nvidia.driver.is_active = staticmethod(lambda: True)
    target = importlib.import_module("triton.backends.compiler").GPUTarget(
        "cuda", capability[0] * 10 + capability[1], 32
    )
    player = types.SimpleNamespace(
        get_current_target=lambda: target,
        get_current_device=lambda: 0,
        get_current_stream=lambda device=0: 0,
        get_active_torch_device=lambda: torch.device("cpu"),
        get_device_interface=lambda: Nothing(),
        map_python_to_cpp_type=lambda text: text,
        is_active=lambda: True,
        utils=types.SimpleNamespace(get_device_properties=lambda device: {"max_shared_mem": 2**30}),
    )
    importlib.import_module("triton.runtime.driver").driver.set_active(player)


def _capability(interface: Any, number: int) -> Any:
    return interface.DeviceCapability(number // 10, number % 10)


# ---- what does not depend on the card ----


def float16_refused(_: Mapping[str, Any]) -> Any:
    module = importlib.import_module("vllm.config.model")
    torch = importlib.import_module("torch")
    listed = list(module._FLOAT16_NOT_SUPPORTED_MODELS)
    return sorted(name for name in listed if not module._is_valid_dtype(name, torch.float16))


def automatic_dtype(question: Mapping[str, Any]) -> Any:
    """The dtype that `auto` resolves to on this card for a bfloat16 checkpoint, by model type."""
    module = importlib.import_module("vllm.config.model")
    torch = importlib.import_module("torch")
    found = {}
    for model_type in question["model_types"]:
        if hasattr(module, "_resolve_auto_dtype"):
            dtype = module._resolve_auto_dtype(model_type, torch.bfloat16, is_pooling_model=False)
            found[model_type] = str(dtype).removeprefix("torch.")
    return found


def architectures(_: Mapping[str, Any]) -> Any:
    registry = importlib.import_module("vllm.model_executor.models.registry")
    return sorted(registry.ModelRegistry.get_supported_archs())


def sink_architectures(_: Mapping[str, Any]) -> Any:
    """Architectures whose attention has sinks: their module hands `sinks` to the attention layer."""
    registry = importlib.import_module("vllm.model_executor.models.registry")
    found = []
    for name, model in registry.ModelRegistry.models.items():
        specification = importlib.util.find_spec(model.module_name) if hasattr(model, "module_name") else None
        if specification is not None and specification.origin is not None:
            text = Path(specification.origin).read_text(encoding="utf-8")
            if "sinks=" in text:
                found.append(name)
    return sorted(found)


def _first_module(*names: str) -> Any:
    """The first of these places that a version has."""
    for name in names[:-1]:
        with contextlib.suppress(ModuleNotFoundError):
            return importlib.import_module(name)
    return importlib.import_module(names[-1])


def options(_: Mapping[str, Any]) -> Any:
    """Every option of `vllm serve`, and which of them are deprecated; values that an option is limited to."""
    arguments = _first_module("vllm.entrypoints.openai.cli_args", "vllm.entrypoints.launchers.cli_args")
    for name in ("vllm.utils.argparse_utils", "vllm.utils"):
        with contextlib.suppress(ImportError, AttributeError):
            parser_class = importlib.import_module(name).FlexibleArgumentParser
            break
    parser = arguments.make_arg_parser(parser_class())
    known: dict[str, Any] = {}
    deprecated: set[Any] = getattr(parser_class, "_deprecated", set())
    for action in parser._actions:
        spellings = [text for text in action.option_strings if text.startswith("--")]
        for spelling in spellings:
            entry: dict[str, Any] = {}
            if (
                action in deprecated
                or getattr(action, "deprecated", False)
                or "deprecated" in (action.help or "").lower()[:60]
            ):
                entry["deprecated"] = True
            if spelling in ("--quantization", "--dtype", "--kv-cache-dtype", "--moe-backend", "--all2all-backend"):
                choices = action.choices or _choices(action)
                entry["values"] = sorted(str(choice) for choice in choices) if choices else []
            known[spelling] = entry
    return known


def parsers(_: Mapping[str, Any]) -> Any:
    """Values of --tool-call-parser and --reasoning-parser: the packages register them by name, without loading any."""
    return {
        "tool": _registered("vllm.tool_parsers", "_TOOL_PARSERS_TO_REGISTER"),
        "reasoning": _registered("vllm.reasoning", "_REASONING_PARSERS_TO_REGISTER"),
    }


def _registered(module: str, table: str) -> list[str]:
    return sorted(_literal(module, table))


def speculative_methods(_: Mapping[str, Any]) -> Any:
    module = importlib.import_module("vllm.config.speculative")
    return sorted(importlib.import_module("typing").get_args(module.SpeculativeMethod))


def kv_offload_hybrid(_: Mapping[str, Any]) -> Any:
    """Whether the connector that --kv-offloading-size turns on keeps layers of several kinds apart."""
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


def _choices(action: Any) -> list[str]:
    """Values in the metavar or help of an option whose type checks them."""
    metavar = action.metavar
    return [str(part) for part in metavar] if isinstance(metavar, list | tuple) else []


def quantization(_: Mapping[str, Any]) -> Any:
    module = importlib.import_module("vllm.model_executor.layers.quantization")
    found: dict[str, Any] = {}
    for method in module.QUANTIZATION_METHODS:
        try:
            config = module.get_quantization_config(method)
            found[method] = {"minimum_capability": config.get_min_capability()}
        except (Exception, AssertionError) as error:
            found[method] = {"unanswered": _why(error)}
            continue
        if method in getattr(module, "DEPRECATED_QUANTIZATION_METHODS", ()):
            found[method]["deprecated"] = True
        with contextlib.suppress(Exception):
            dtypes = config.__new__(config).get_supported_act_dtypes()
            found[method]["dtypes"] = sorted(str(dtype).removeprefix("torch.") for dtype in dtypes)
    return found


def compressed_tensors(_: Mapping[str, Any]) -> Any:
    """Formats of compressed-tensors checkpoints and the least compute capability of their kernels."""
    schemes = importlib.import_module("vllm.model_executor.layers.quantization.compressed_tensors.schemes")
    found = {}
    for name, scheme in sorted(vars(schemes).items()):
        if inspect.isclass(scheme) and name.startswith("CompressedTensors") and not inspect.isabstract(scheme):
            # Formats that a version gave up raise here.
            with contextlib.suppress(NotImplementedError):
                found[name.removeprefix("CompressedTensors")] = getattr(scheme, "get_min_capability")()  # noqa: B009
    return found


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
    given: dict[str, Any] = {
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
    return "original" if function(**{k: v for k, v in given.items() if k in accepted}) == 4096 else "full"


# ---- what depends on the card ----


def batches(question: Mapping[str, Any]) -> Any:
    """Default --max-num-batched-tokens and --max-num-seqs of the API server, for each card of this capability."""
    arguments = importlib.import_module("vllm.engine.arg_utils").EngineArgs
    context = importlib.import_module("vllm.usage.usage_lib").UsageContext.OPENAI_API_SERVER
    found = {}
    for card in question["cards"]:
        CARD.update(card)
        tokens, sequences = arguments.get_batch_defaults(1)
        found[card["name"]] = {"tokens": tokens[context], "sequences": sequences[context]}
    return found


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
                given = {
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
                    valid, reasons = _valid_backends(platform, capability, given)
                    rows.append(row | {"backends": valid, "why": reasons})
                except (Exception, AssertionError) as error:
                    rows.append(row | {"unanswered": _why(error)})
                    _trace()
    return rows


def _valid_backends(platform: Any, capability: Any, given: Mapping[str, Any]) -> tuple[list[str], dict[str, Any]]:
    function = platform.get_valid_backends
    if "attn_selector_config" in inspect.signature(function).parameters:
        configuration = importlib.import_module("vllm.v1.attention.selector").AttentionSelectorConfig
        known = {key: value for key, value in given.items() if key in configuration._fields}
        valid, invalid = function(device_capability=capability, attn_selector_config=configuration(**known))
    else:
        known = {key: v for key, v in given.items() if key in inspect.signature(function).parameters}
        valid, invalid = function(device_capability=capability, **known)
    ordered = sorted(valid, key=lambda row: row.priority if hasattr(row, "priority") else row[1])
    names = [(row.backend if hasattr(row, "backend") else row[0]).name for row in ordered]
    reasons = {key.name: value[1] if isinstance(value, tuple) else value for key, value in invalid.items()}
    return names, reasons


def block_sizes(question: Mapping[str, Any]) -> Any:
    """KV block sizes that a back end's kernels take themselves; larger ones are split."""
    found = {}
    registry = _first_module("vllm.v1.attention.backends.registry", "vllm.attention.backends.registry")
    configuration = importlib.import_module("vllm.config")
    for name in question["backends"]:
        backend = registry.AttentionBackendEnum[name].get_class()
        for method in ("get_supported_kernel_block_sizes", "get_supported_kernel_block_size"):
            if hasattr(backend, method):
                with configuration.set_current_vllm_config(configuration.VllmConfig()):
                    sizes = getattr(backend, method)()
                found[name] = [f"multiple of {size.base}" if hasattr(size, "base") else size for size in sizes]
                break
        else:
            sizes = backend.supported_kernel_block_sizes
            found[name] = [f"multiple of {size.base}" if hasattr(size, "base") else size for size in sizes]
    return found


def experts(_: Mapping[str, Any]) -> Any:
    """Kernels for experts in 16 bits that run on this card, in vLLM's order: it takes the first that has no objection.

    Versions without such a list choose by one function, which is called as for experts that are cut among ranks.
    """
    module = importlib.import_module("vllm.model_executor.layers.fused_moe.oracle.unquantized")
    parallel = types.SimpleNamespace(dp_size=1, use_batched_activation_format=False)
    if not hasattr(module, "_get_priority_backends"):
        wanted = Nothing("configuration")
        wanted.__dict__.update(moe_backend="auto", moe_parallel_config=parallel)
        return [module.select_unquantized_moe_backend(wanted, use_ep=False, use_dp=False).name]
    config = types.SimpleNamespace(moe_parallel_config=parallel, activation=None, moe_backend="auto")
    found = []
    for backend in module._get_priority_backends(config):
        classes = module.backend_to_kernel_cls(backend)
        if any(kernel._supports_current_device() for kernel in classes):
            found.append(backend.name)
    return found


def experts_padded(_: Mapping[str, Any]) -> Any:
    """Whether gated experts are padded to what the kernel of TensorRT-LLM needs. Read in the function's code."""
    module = importlib.import_module("vllm.model_executor.layers.fused_moe.oracle.unquantized")
    tree = ast.parse(inspect.getsource(module.convert_to_unquantized_kernel_format))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.UnaryOp) and isinstance(node.test.op, ast.Not):
            # Under `if not is_act_and_mul` only experts without a gate are padded.
            node.body = []
    names = {part.func.id for part in ast.walk(tree) if isinstance(part, ast.Call) and isinstance(part.func, ast.Name)}
    return "align_moe_weights_for_fi" in names


def triton_shared_memory(question: Mapping[str, Any]) -> Any:
    """Bytes of shared memory that vLLM's own Triton attention needs, compiled for the card without one.

    The function that vLLM calls for each layer is called with tensors on the CPU; where it launches its kernel, the
    kernel is compiled for the card's capability, and Triton says how much shared memory the program takes.
    """
    torch = importlib.import_module("torch")
    triton = importlib.import_module("triton")
    module = _first_module(
        "vllm.v1.attention.ops.triton_unified_attention", "vllm.attention.ops.triton_unified_attention"
    )
    seen: list[int] = []

    class Compiler:
        def __init__(self, kernel: Any) -> None:
            self.kernel = kernel

        def __getitem__(self, grid: Any) -> Callable[..., None]:
            def compile_only(*arguments: Any, **named: Any) -> None:
                seen.append(self.kernel.warmup(*arguments, grid=grid, **named).metadata.shared)

            return compile_only

    for name, value in list(vars(module).items()):
        if isinstance(value, triton.runtime.jit.JITFunction) and name.startswith("kernel_unified_attention"):
            setattr(module, name, Compiler(value))
    rows = []
    for case in question["cases"]:
        dtype, head, sequences, block = getattr(torch, case["dtype"]), case["head"], 2, 16
        per_key, key_heads = case["queries_per_key"], 1
        query = torch.zeros(sequences * 4, per_key * key_heads, head, dtype=dtype)
        cache = torch.zeros(8, block, key_heads, head, dtype=dtype)
        ones = torch.ones(1)
        given = {
            "q": query,
            "k": cache,
            "v": cache.clone(),
            "out": torch.zeros_like(query),
            "cu_seqlens_q": torch.arange(0, sequences * 4 + 1, 4, dtype=torch.int32),
            "max_seqlen_q": 4,
            "seqused_k": torch.full((sequences,), 4, dtype=torch.int32),
            "max_seqlen_k": 4,
            "softmax_scale": 0.1,
            "causal": True,
            "window_size": (case["window"] - 1, 0) if case.get("window") else (-1, -1),
            "block_table": torch.zeros(sequences, 4, dtype=torch.int32),
            "softcap": case.get("softcap", 0.0),
            "q_descale": None,
            "k_descale": ones,
            "v_descale": ones,
            "sinks": torch.zeros(per_key * key_heads, dtype=dtype) if case.get("sink") else None,
        }
        del seen[:]
        row = {**case}
        try:
            module.unified_attention(**given)
            row["bytes"] = max(seen)
        except Exception as error:
            row["unanswered"] = _why(error)
        rows.append(row)
    return rows


_QUESTIONS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    function.__name__: function
    for function in (
        float16_refused,
        automatic_dtype,
        architectures,
        sink_architectures,
        options,
        parsers,
        speculative_methods,
        kv_offload_hybrid,
        quantization,
        compressed_tensors,
        longrope_default,
        batches,
        dtypes,
        attention,
        block_sizes,
        experts,
        experts_padded,
        triton_shared_memory,
    )
}


def _why(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0][:160] if str(error) else ''}"


def _trace() -> None:
    if os.environ.get("ENGINE_FACTS_TRACE"):
        importlib.import_module("traceback").print_exc()


def _answer(task: Mapping[str, Any]) -> dict[str, Any]:
    """One process: a card, and the questions about it."""
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "CRITICAL")
    answers: dict[str, Any] = {"card": task["card"]["name"]}
    try:
        play_card(task["card"])
    except Exception as error:
        return answers | {"unanswered": _why(error)}
    for name, question in task["questions"].items():
        try:
            answers[name] = {"answer": _QUESTIONS[name](question)}
        except (Exception, AssertionError, SystemExit) as error:
            answers[name] = {"unanswered": _why(error)}
            _trace()
    return answers


def main(questions: Path, answers: Path) -> None:
    tasks = json.loads(questions.read_text(encoding="utf-8"))
    context = multiprocessing.get_context("spawn")
    with context.Pool(1, maxtasksperchild=1) as pool:
        results = pool.map(_answer, tasks, chunksize=1)
    answers.write_text(json.dumps(results), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
