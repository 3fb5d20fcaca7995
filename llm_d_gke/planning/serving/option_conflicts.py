"""Options of `extraArgs` that vLLM takes one by one and refuses together, or with this model.

Each was read in the configuration classes of vLLM 0.11.1, 0.17.1, 0.19.1, 0.26.0 and 0.30.0, and has a public report.
"""

from __future__ import annotations

import itertools

from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.catalog.schema import Model
from llm_d_gke.planning.engine_support.deployment import default_length
from llm_d_gke.planning.engine_support.options import is_on, nested_value, object_value, option_value
from llm_d_gke.planning.served_model import ServedModel
from llm_d_gke.planning.serving.graph_sizes import compiled_sizes, graph_sizes
from llm_d_gke.planning.serving.named_by_options import named_architecture, named_blocks, template_file
from llm_d_gke.planning.sizing.offloaded_weights import OFFLOAD, chosen_runner, offload_without_effect, offloaded_gib
from llm_d_gke.planning.suggest import nearest
from llm_d_gke.wording import count

_CONTEXT_PARALLEL = ("--decode-context-parallel-size", "-dcp")
_LOAD_BALANCER, _ROUTED = "--enable-eplb", "--enable-return-routed-experts"
_CHUNKED, _ASYNC, _OVERLAP = "--enable-chunked-prefill", "--async-scheduling", "--enable-dbo"
# _set_default_chunked_prefill_and_prefix_caching_args of engine/arg_utils.py, 0.17.1 to 0.32.0.
_WHOLE, _WHOLE_WARNED_SINCE = "--no-enable-chunked-prefill", "0.17"
# vllm/config/vllm.py: 0.11.1 refuses pipelines, and pull request 32359 allows them. Methods without an entry are
# refused in every version read.
_ASYNC_PIPELINES_SINCE = "0.14"
# Since 0.33 the first runner alone refuses methods.
_ASYNC_V2_SINCE = "0.33"
_ASYNC_METHODS = {
    "eagle": "0.11",
    "eagle3": "0.11",
    "mtp": "0.11",
    "draft_model": "0.17",
    "ngram_gpu": "0.18",
    "dflash": "0.20",
    "dspark": "0.26",
}
# v1/worker/gpu_model_runner.py of 0.11.1 to 0.19.1 asserts that nothing is offloaded where the kinds of cache have
# blocks of their own; 0.26.0 does not.
_OFFLOADED_KINDS_SINCE, _OFFLOADED_KINDS_READ = "0.26", "0.20"
# `supports_eplb` of the classes in model_executor/layers/quantization: by method, the first version that has it.
_BALANCED = {"fp8": "0.11", "modelopt": "0.17", "compressed-tensors-8": "0.17", "mxfp4": "0.26"}
# Four-bit integers of compressed-tensors are balanced in 0.26.0; not in 0.19.1, and in 0.30.0 not by Marlin.
_BALANCED_INTEGERS = ("0.26", "0.30")
_SHARDED = "--fully-sharded-loras"
_BUCKETS = "--custom-histogram-buckets"
_STRUCTURED, _GUIDANCE_SEEN = "--structured-outputs-config", "0.28"
# vllm/config/cache.py of 0.11.2 and 0.17.1 (verify_with_parallel_config): GiB of a device, share of the host's memory.
_SWAP, _SWAP_GIB, _SWAP_SHARE = "--swap-space", 4.0, 0.7

# patch_rope_scaling_dict of transformers_utils/config.py of 0.11.2 and 0.17.1; transformers 5, which 0.19 has, takes a
# default.
_OVERRIDES, _ROPE_KEYS, _ROPE_DEFAULT_SINCE = "--hf-overrides", ("rope_scaling", "rope_parameters"), "0.19"
# Seen in ModelConfig of 0.17.1, 0.19.1 and 0.26.0: of rope_parameters only the override's own keys are left. get_rope
# of layers/rotary_embedding takes 10000 then; models/qwen2.py and qwen3.py set the base of their models.
_ROPE_WHOLE_SINCE, _ROPE_BASES = "0.17", ("Qwen2For", "Qwen3For")
# get_rope of layers/rotary_embedding in 0.26.0 to 0.32.0, of any of them, and the older names that are replaced before.
_ROPE_KINDS = """default proportional llama3 mllama4 linear ntk dynamic xdrope yarn deepseek_yarn deepseek_llama_scaling
    longrope openpangu telechat3-yarn bailing_mrope mrope su""".split()  # noqa: SIM905 - one word a kind

# Issue 13 of eugr/spark-vllm-docker is of January 2026. Pull request 40193 of 18 April 2026 chooses among back ends
# that compute the same in every batch, and refuses recurrent states, as issue 48613 saw up to 0.27.1.
_INVARIANT, _BACKEND_NAMED = "VLLM_BATCH_INVARIANT", ("0.13", "0.20", "0.21")
_INVARIANT_STATES_SEEN = "0.28"


def check_option_conflicts(served: ServedModel) -> None:
    """Findings about options that do not go with the rest of the deployment. GPUs only."""
    _swap_space(served)
    _check_options(served)


def _conflict(
    served: ServedModel, case: str, option: str, *, certain: bool = True, setting: str = "extraArgs", **facts: object
) -> None:
    """Report a case of LLMD-ENGINE-CONFLICT, with the values in its texts."""
    served.add_finding("LLMD-ENGINE-CONFLICT", setting, case=case, certain=certain, value=option, **facts)


def _check_options(served: ServedModel) -> None:
    model, settings = served.model, served.settings
    if served.accelerator.kind != "gpu" or not (settings.extra_args or settings.env):
        return
    if model is not None:
        _chunked_prefill(served, model)
        _routed_experts(served, model)
        _offloaded_weights(served, model)
        _batch_invariant(served, model)
    _context_parallel(served)
    _load_balancer(served)
    _asynchronous(served)
    _overlap(served)
    _sharded_adapters(served)
    _guidance(served)
    _histograms(served)
    _rope_kind(served)
    _inner_overrides(served)
    _named(served)
    for option, reason, fix in (*graph_sizes(settings), *compiled_sizes(served)):
        _conflict(served, "", option, rule=f"{reason} (vLLM {served.version})", fix=fix)


def _named(served: ServedModel) -> None:
    """What options name: a template, an architecture, a number of blocks."""
    for option, reason, fix, certain in (*template_file(served), *named_architecture(served), *named_blocks(served)):
        _conflict(served, "", option, certain=certain, rule=f"{reason} (vLLM {served.version})", fix=fix)


def _swap_space(served: ServedModel) -> None:
    """CacheConfig: memory of the host that is set aside for each device of a tensor group, though nothing uses it."""
    parallelism = served.parallelism
    engine = load_engine()
    if served.has(engine.dropped_options[_SWAP]):
        return
    stated = option_value(served.settings.extra_args, _SWAP)
    share_gib = float(stated) if stated is not None and stated.replace(".", "", 1).isdecimal() else _SWAP_GIB
    swap_gib = share_gib * parallelism.tensor
    if swap_gib > _SWAP_SHARE * served.ctx.machine.memory_gib:
        _conflict(
            served,
            "swap-space",
            f"{_SWAP} {share_gib:g}",
            share_gib=share_gib,
            devices=parallelism.tensor,
            memory_gib=served.ctx.machine.memory_gib,
        )


def _chunked_prefill(served: ServedModel, model: Model) -> None:
    """SchedulerConfig.verify_max_model_len: a prompt that is not cut has to fit into one batch."""
    settings = served.settings
    batch = settings.max_num_batched_tokens
    length = settings.max_model_len or default_length(model, served.version)
    if is_on(settings.extra_args, _CHUNKED) is not False:
        return
    if batch is not None and batch < length:
        _conflict(served, "chunked-prefill", _WHOLE, batch=batch, length=length)
    elif served.has(_WHOLE_WARNED_SINCE):
        _conflict(served, "unchunked", _WHOLE, certain=False)


def _context_parallel(served: ServedModel) -> None:
    """ModelConfig.verify_with_parallel_config: ranks that would hold copies of key-value heads share the tokens."""
    value = option_value(served.settings.extra_args, *_CONTEXT_PARALLEL)
    ranks = int(value) if value is not None and value.isascii() and value.isdigit() else 1
    if ranks <= 1:
        return
    model, tensor, option = served.model, served.parallelism.tensor, f"{_CONTEXT_PARALLEL[0]} {ranks}"
    if tensor % ranks:
        _conflict(served, "context-devices", option, tensor=tensor, ranks=ranks)
    if tensor % ranks or model is None or model.mla is not None:
        return
    heads = max(1, model.kv_heads)
    if tensor // heads < ranks or tensor <= heads:
        most = tensor // heads
        copies = f"{most} copies of each" if most > 1 else "no copies of them"
        _conflict(
            served,
            "context-copies",
            option,
            model=model.id,
            heads=count(heads, "key-value head"),
            tensor=tensor,
            copies=copies,
            fewer=f"use {most}" if most > 1 and tensor > heads else "remove it, or use more tensorParallel than that",
        )
    elif (model.attention_heads // heads) % ranks:
        _conflict(served, "context-heads", option, model=model.id, heads=model.attention_heads // heads, ranks=ranks)


def _asynchronous(served: ServedModel) -> None:
    settings = served.settings
    if is_on(settings.extra_args, _ASYNC) is not True:
        return
    speculation = served.speculation
    if settings.pipeline_parallel > 1 and not served.has(_ASYNC_PIPELINES_SINCE):
        _conflict(served, "async-pipeline", _ASYNC)
    if speculation is None:
        return
    method = speculation.method
    runs_in_v2 = load_engine().model_runner_v2_guesses(served.version, method) and chosen_runner(settings) is not False
    if served.has(_ASYNC_V2_SINCE) and runs_in_v2:
        return
    since = _ASYNC_METHODS.get(method)
    if since is None or not served.has(since):
        _conflict(served, "async-guesses", _ASYNC, method=method)


def _load_balancer(served: ServedModel) -> None:
    """ParallelConfig, and `supports_eplb` of the quantization method."""
    settings, parallelism, model = served.settings, served.parallelism, served.model
    if is_on(settings.extra_args, _LOAD_BALANCER) is not True:
        return
    dense = model.experts is None if model is not None else served.outline is not None and served.outline.dense
    by_expert = parallelism.expert or "--enable-expert-parallel" in settings.extra_args
    if not by_expert or dense:
        _conflict(served, "no-experts" if dense else "parted-experts", _LOAD_BALANCER, model=settings.id)
    elif parallelism.tensor * parallelism.data == 1:
        _conflict(served, "one-device", _LOAD_BALANCER)
    elif model is not None and (answer := _is_balanced(served, model)) is not True:
        quantization = model.quantization
        _conflict(
            served,
            "unbalanced",
            _LOAD_BALANCER,
            certain=answer is False,
            method=quantization.method if quantization is not None else settings.quantization,
        )


def _is_balanced(served: ServedModel, model: Model) -> bool | None:
    """Whether the load balancer knows the format of the experts; None where no version nearby was read."""
    settings = served.settings
    own = model.quantization
    if own is None:
        return True if settings.quantization in (None, "fp8") else None
    method = own.method
    if method == "compressed-tensors" and own.bits == 8:
        method = "compressed-tensors-8"
    elif method == "compressed-tensors" and not own.is_nvfp4:
        if not served.has("0.20"):
            return False
        first, last = _BALANCED_INTEGERS
        if served.has(last) and option_value(settings.extra_args, "--moe-backend") != "triton":
            return False
        return True if served.has(first) else None
    since = _BALANCED.get(method)
    if since is None:
        return False if method in ("awq", "gptq", "bitsandbytes") else None
    if served.has(since):
        return True
    return False if method != "mxfp4" or not served.has("0.20") else None


def _routed_experts(served: ServedModel, model: Model) -> None:
    settings = served.settings
    if is_on(settings.extra_args, _ROUTED) is not True:
        return
    if model.experts is None:
        _conflict(served, "routed-dense", _ROUTED, model=model.id)
    elif settings.pipeline_parallel > 1 or settings.kv_offload_gib is not None:
        _conflict(served, "routed", _ROUTED, certain=served.has("0.26"))


def _offloaded_weights(served: ServedModel, model: Model) -> None:
    """Weights in the host's memory, for models whose kinds of cache have blocks of their own."""
    value = option_value(served.settings.extra_args, OFFLOAD)
    kinds = model.attention_kinds
    if not offloaded_gib(served.settings):
        return
    if offload_without_effect(served, model):
        _conflict(served, "offload-ignored", f"{OFFLOAD} {value}", certain=False)
        return
    # Chunked attention turns the cache's manager of several kinds off.
    if len(kinds) < 2 or "chunked" in kinds:
        return
    if not served.has(_OFFLOADED_KINDS_SINCE):
        _conflict(
            served,
            "offload-caches",
            f"{OFFLOAD} {value}",
            certain=not served.has(_OFFLOADED_KINDS_READ),
            model=model.id,
            kinds=len(kinds),
        )
    elif model.recurrent:
        _conflict(served, "offload-recurrent", f"{OFFLOAD} {value}", certain=False)


def _overlap(served: ServedModel) -> None:
    """VllmConfig: two batches overlap around an exchange that returns at once."""
    exchange = served.parallelism.all_to_all
    parts = option_value(served.settings.extra_args, "--ubatch-size") or ""
    splits = parts.isascii() and parts.isdigit() and int(parts) > 1
    if (is_on(served.settings.extra_args, _OVERLAP) is True or splits) and not (exchange or "").startswith("deepep"):
        option = f"--ubatch-size {parts}" if splits else _OVERLAP
        _conflict(
            served,
            "overlap" if exchange is not None else "overlap-alone",
            option,
            name=option.split()[0],
            exchange=exchange,
        )


def _sharded_adapters(served: ServedModel) -> None:
    """Fully sharded adapters: every device has a part of the rank."""
    settings = served.settings
    rank = max((adapter.rank for adapter in settings.adapters), default=0)
    tensor = served.parallelism.tensor
    if is_on(settings.extra_args, _SHARDED) is True and 0 < rank < 2 * tensor and tensor > 1:
        _conflict(served, "sharded-adapters", _SHARDED, certain=False, rank=rank, tensor=tensor)


def _guidance(served: ServedModel) -> None:
    """The back end of structured outputs that does not read the form in which vLLM writes strict tool calls."""
    settings = served.settings
    chosen = nested_value(settings.extra_args, _STRUCTURED, "backend")
    if chosen == "guidance" and settings.tool_call_parser and served.has(_GUIDANCE_SEEN):
        _conflict(served, "guidance", f"{_STRUCTURED}.backend guidance", certain=False)


def _histograms(served: ServedModel) -> None:
    """ObservabilityConfig of 0.32.0: bounds of a histogram are positive and rise, and it is one that vLLM has."""
    families = load_engine().histogram_families
    for family, bounds in (object_value(served.settings.extra_args, _BUCKETS) or {}).items():
        numbers = [bound for bound in bounds if isinstance(bound, int | float)] if isinstance(bounds, list) else []
        option = f"{_BUCKETS} {family}"
        if family not in families:
            near = nearest(family, families, 0.5)
            fix = f"use {near}" if near else f"use one of {', '.join(families)}"
            _conflict(served, "", option, rule=f"unknown bucket family (vLLM {served.version})", fix=fix)
        elif any(low >= high for low, high in itertools.pairwise([0, *numbers])):
            rule = f"bounds of a histogram are above 0 and strictly increasing, and these are {numbers}"
            fix = f"use {sorted({number for number in numbers if number > 0})}"
            _conflict(served, "", option, rule=f"{rule} (vLLM {served.version})", fix=fix)


def _rope_kind(served: ServedModel) -> None:
    """Positions that are scaled by a kind which is not stated, or which vLLM has not."""
    overrides = object_value(served.settings.extra_args, _OVERRIDES) or {}
    for key in _ROPE_KEYS:
        scaling = overrides.get(key)
        kind = scaling.get("rope_type", scaling.get("type")) if isinstance(scaling, dict) else None
        if isinstance(kind, str) and kind not in _ROPE_KINDS:
            near = nearest(kind, _ROPE_KINDS, 0.5) or "yarn"
            rule = f"Unknown RoPE scaling type {kind} (layers/rotary_embedding; vLLM {served.version})"
            _conflict(served, "", f"{_OVERRIDES} {key}", rule=rule, fix=f"use {near}")
        elif isinstance(scaling, dict) and scaling and kind is None and not served.has(_ROPE_DEFAULT_SINCE):
            rule = f"{key} should have a 'rope_type' key (runpod-workers/worker-vllm issue 257; vLLM {served.version})"
            _conflict(served, "", f"{_OVERRIDES} {key}", rule=rule, fix='add "rope_type", for example "yarn"')
        elif isinstance(scaling, dict) and _lacks_kind(served, key, scaling):
            rule = f"vLLM {served.version} looks for its kind and ends: KeyError 'rope_type' (vllm/config/model.py)"
            _conflict(served, "", f"{_OVERRIDES} {key}", rule=rule, fix='add "rope_type", for example "yarn"')
        elif key == "rope_parameters" and isinstance(scaling, dict) and scaling:
            _lost_base(served, scaling)


def _lost_base(served: ServedModel, scaling: dict[str, object]) -> None:
    """Positions without the base of the model: the override replaces all that its config.json says about them."""
    own = served.model is not None and served.model.architecture.startswith(_ROPE_BASES)
    if "rope_theta" not in scaling and not own and served.has(_ROPE_WHOLE_SINCE):
        rule = f"it replaces the model's own rope_theta, and vLLM {served.version} takes 10000 without one"
        fix = "add rope_theta, with the value of the model's config.json"
        _conflict(served, "", f"{_OVERRIDES} rope_parameters", certain=False, rule=rule, fix=fix)


def _lacks_kind(served: ServedModel, key: str, scaling: dict[str, object]) -> bool:
    """Seen in 0.30.0 and 0.32.0 where the text model has no configuration of its own inside."""
    flat = served.outline is not None and not served.outline.nested
    stated = "rope_type" in scaling or (key == "rope_scaling" and "type" in scaling)
    return flat and bool(scaling) and not stated and served.has("0.30")


def _inner_overrides(served: ServedModel) -> None:
    """get_hf_text_config of 0.17.1 to 0.32.0: text_config is the whole configuration of the text model."""
    inner = (object_value(served.settings.extra_args, _OVERRIDES) or {}).get("text_config")
    flat = served.outline is not None and not served.outline.nested
    if flat and isinstance(inner, dict) and "num_attention_heads" not in inner:
        rule = f"this model has no text_config, and an added one needs num_attention_heads (vLLM {served.version})"
        _conflict(
            served, "", f"{_OVERRIDES} text_config", rule=rule, fix="write its keys without text_config around them"
        )


def _batch_invariant(served: ServedModel, model: Model) -> None:
    """Answers that do not depend on the batch: some attention back ends compute them."""
    settings = served.settings
    since, doubtful, chosen = _BACKEND_NAMED
    if settings.env.get(_INVARIANT) != "1" or not served.has(since):
        return
    if model.recurrent and served.has(chosen):
        _conflict(
            served,
            "invariant-states",
            f"{_INVARIANT}=1",
            certain=not served.has(_INVARIANT_STATES_SEEN),
            setting="env",
            model=model.id,
        )
    elif not served.has(chosen) and served.attention_backend is None:
        _conflict(
            served,
            "invariant-backend",
            f"{_INVARIANT}=1",
            certain=not served.has(doubtful),
            setting="env",
            backend="TRITON_MLA" if model.mla is not None else "FLASH_ATTN",
        )
