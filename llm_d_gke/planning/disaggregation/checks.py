"""Checks that prefill and decode servers match each other, and that disaggregation is worthwhile."""

from __future__ import annotations

from collections.abc import Sequence

from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.disaggregation.capacity import connected_by_rdma
from llm_d_gke.planning.disaggregation.kv_transfer import BY_CHANNEL, STATE_LAYOUT
from llm_d_gke.planning.disaggregation.speed import StageEngines, split_of
from llm_d_gke.planning.engine_support.attention import split_block_sizes
from llm_d_gke.planning.parallelism.rdma import uses_rdma
from llm_d_gke.planning.plan.estimates import SpeedEstimate
from llm_d_gke.planning.served_model import ServedModel, served_model
from llm_d_gke.planning.serving.parallelism_checks import machine_with, slice_with
from llm_d_gke.planning.sizing.capacity import in_flight, lengths_of
from llm_d_gke.planning.sizing.memory_check import run_of
from llm_d_gke.planning.sizing.speed import Load, estimate
from llm_d_gke.wording import count

# The llm-d guide for prefill and decode advises it for prompts of 10,000 tokens and not of 200: below this, no prompt
# that may be sent is long.
_SHORT = 4096

# Gains and losses smaller than these are within the estimate's error.
_FASTER, _LATER = 0.9, 1.25


def check_stages(stages: Sequence[PlanContext]) -> None:
    """Findings about both stages together; none where one place does both."""
    if len(stages) < 2:
        return
    decode, prefill = stages
    _check_release(decode)
    _check_picker(decode)
    if decode.accelerator.kind != prefill.accelerator.kind:
        decode.error(
            "LLMD-PD-ACCELERATOR-KINDS",
            "prefillAccelerator.type",
            value=prefill.accelerator.name,
            prefill=prefill.accelerator.title,
            decode=decode.accelerator.title,
            kind=decode.accelerator.kind.upper(),
            decode_name=decode.accelerator.name,
        )
        return
    if decode.accelerator != prefill.accelerator:
        decode.warning(
            "LLMD-PD-ACCELERATORS-DIFFER",
            "prefillAccelerator.type",
            value=prefill.accelerator.name,
            decode=decode.accelerator.title,
            decode_name=decode.accelerator.name,
        )
    for index in range(len(decode.settings.models)):
        decoding, prefilling = served_model(decode, index), served_model(prefill, index)
        _check_parallelism(decoding, prefilling)
        _check_blocks(decoding)
        _check_states(decoding)
        _check_worth(decoding, prefilling)


def _check_release(ctx: PlanContext) -> None:
    support = ctx.release.disaggregation
    releases = [
        release.name
        for release in ctx.catalog.releases.values()
        if release.disaggregation is not None and release.disaggregation.withdrawn is None
    ]
    if support is None:
        ctx.error("LLMD-PD-RELEASE", "release", picker=ctx.release.picker.version, releases=" or ".join(releases))
    elif support.withdrawn is not None:
        ctx.warning(
            "LLMD-PD-RELEASE-WITHDRAWN",
            "release",
            withdrawn=support.withdrawn,
            releases=" or ".join(releases),
            image=support.sidecar.image,
        )


def _check_picker(ctx: PlanContext) -> None:
    settings = ctx.settings
    if settings.picker.failure_mode == "open":
        ctx.warning("LLMD-PD-FAILURE-MODE", "picker.failureMode")
    disaggregation = settings.disaggregation
    from_tokens = disaggregation.prefill_from_tokens if disaggregation is not None else None
    if from_tokens != 0 and settings.picker.scorers.prefix_cache == 0 and settings.picker.config is None:
        ctx.error("LLMD-PD-PREFIX-SCORER", "picker.scorers.prefixCache", value=0)


def _check_parallelism(decode: ServedModel, prefill: ServedModel) -> None:
    """vLLM's NixlConnector compatibility matrix; tpu_connector.py pulls blocks in the shards of its own slice."""
    for key, value in (
        ("dataParallel", decode.settings.data_parallel),
        ("pipelineParallel", decode.settings.pipeline_parallel),
    ):
        if value > 1:
            decode.error("LLMD-PD-RANKS", key, value=value)
    for served in (decode, prefill):
        ctx, parallelism = served.ctx, served.parallelism
        if parallelism.is_multi_node and parallelism.data == parallelism.pipeline == 1:
            served.error(
                "LLMD-PD-ONE-HOST",
                "tensorParallel",
                role=ctx.role,
                accelerators=count(ctx.per_node, "accelerator"),
                or_machine=machine_with(ctx, parallelism.tensor),
            )
        elif ctx.machine.rdma and not uses_rdma(ctx, parallelism):
            served.warning("LLMD-PD-WITHOUT-RDMA", "tensorParallel", role=ctx.role)
    if decode.parallelism.tensor != prefill.parallelism.tensor:
        _check_ranks(decode, prefill)


def _check_ranks(decode: ServedModel, prefill: ServedModel) -> None:
    """Whether decode takes a KV cache that another number of ranks computed."""
    decode_ranks, prefill_ranks = decode.parallelism.tensor, prefill.parallelism.tensor
    path = ("prefill", "tensorParallel")
    if decode.accelerator.kind == "tpu":
        # A pod takes all chips of its slice: another number of them is another machine type.
        ctx = prefill.ctx
        machine = "" if ctx.chips * ctx.accelerator.devices_per_chip == decode_ranks else slice_with(ctx, decode_ranks)
        # As many chips of another generation may lack the memory.
        or_same = "" if prefill.accelerator.name == decode.accelerator.name else ", or remove prefillAccelerator"
        fix = f"use {machine or decode_ranks}{or_same}"
        prefill.error("LLMD-PD-TP-TPU", "tensorParallel", value=prefill_ranks, fix=fix)
    elif decode.recurrent:
        decode.error("LLMD-PD-TP-STATES", *path, value=prefill_ranks, decode_ranks=decode_ranks)
    elif max(decode_ranks, prefill_ranks) % min(decode_ranks, prefill_ranks):
        decode.error("LLMD-PD-TP-MULTIPLE", *path, value=prefill_ranks, decode_ranks=decode_ranks)
    elif reason := _refuses_wider(decode, prefill_ranks):
        decode.error("LLMD-PD-TP-WIDER", *path, value=prefill_ranks, decode_ranks=decode_ranks, rule=reason)
    else:
        decode.warning("LLMD-PD-TENSOR-PARALLEL-DIFFERS", *path, value=prefill_ranks, decode_ranks=decode_ranks)


def _refuses_wider(decode: ServedModel, prefill_ranks: int) -> str | None:
    """Why a decoding engine refuses the cache of an engine with more ranks; None where it takes it.

    `is_kv_replicated` of vLLM is true from as many ranks on as there are key-value heads (nixl/base_worker.py,
    `_validate_remote_agent_handshake`). Latent attention and recurrent states are exempt from it. With more ranks of
    decode, old versions take each of its blocks for a smaller part of a head than it is.
    """
    model, version, decode_ranks = decode.model, decode.version, decode.parallelism.tensor
    if prefill_ranks < decode_ranks:
        if model is None or model.mla is not None or load_engine().transfers_to_capped(version):
            return None
        heads = max(1, model.kv_heads)
        return (
            f"decode has {decode_ranks}: {model.id} has {heads} key-value heads, each of which several GPUs of decode"
            f" hold, and vLLM {version} ends the first transfer with an AssertionError (vllm-project/vllm issue 45330)"
            if prefill_ranks <= heads < decode_ranks
            else None
        )
    if not load_engine().transfers_from_wider(version):
        return f"decode has {decode_ranks}: vLLM {version} asserts that decode has at least as many GPUs as prefill"
    if model is None or model.mla is not None or prefill_ranks < model.kv_heads:
        return None
    return (
        f"decode has {decode_ranks}: {model.id} has {model.kv_heads} key-value heads, which {prefill_ranks} GPUs of"
        f" prefill do not split further, and a decoding engine of vLLM {version} with fewer GPUs ends with an"
        " AssertionError at the first transfer (llm-d/llm-d pull request 2187)"
    )


def _check_blocks(decode: ServedModel) -> None:
    """NIXL hands over whole blocks; the engine splits blocks that are larger than any of its attention kernels'."""
    size, model = decode.settings.block_size, decode.model
    if size is None or model is None or decode.accelerator.kind != "gpu":
        return
    backend, sizes = split_block_sizes(decode.deployment(model), size)
    if sizes:
        decode.warning(
            "LLMD-PD-BLOCK-SIZE",
            "blockSize",
            value=size,
            backend=backend,
            sizes=", ".join(map(str, sizes)),
            largest=sizes[-1],
        )


def _check_states(decode: ServedModel) -> None:
    """Recurrent states beside a KV cache, which NIXL's connector knows since 0.18."""
    settings, version = decode.settings, decode.version
    if not decode.recurrent or decode.accelerator.kind != "gpu":
        return
    layout = settings.env.get(STATE_LAYOUT, BY_CHANNEL)
    if layout != BY_CHANNEL and load_engine().asks_for_state_layout(version):
        decode.error("LLMD-PD-STATES-LAYOUT", "env", STATE_LAYOUT, value=layout, state_layout=STATE_LAYOUT)
    if not load_engine().transfers_kinds(version):
        decode.error("LLMD-PD-HYBRID", "id", value=settings.id)
        return
    left = load_engine().untransferred_states
    kind = next((kind for kind, names in left.items() if decode.architecture.startswith(names)), None)
    if kind is not None:
        decode.error("LLMD-PD-HYBRID", "id", value=settings.id, case="kind", kind=kind)
        return
    groups = decode.model.attention if decode.model is not None else ()
    if any(group.kind == "linear" for group in groups) and not load_engine().transfers_linear_states(version):
        decode.error("LLMD-PD-HYBRID", "id", value=settings.id, case="linear")
        return
    if settings.prefix_caching is not False:
        decode.warning(
            "LLMD-PD-STATES-PREFIXES",
            "prefixCaching",
            value="true" if settings.prefix_caching else "(by default, true)",
        )
    if decode.speculation is not None and decode.speculation.method == "mtp":
        decode.warning("LLMD-PD-STATES-SPECULATION", "speculativeDecoding")


def _check_worth(decode: ServedModel, prefill: ServedModel) -> None:
    decode_run, prefill_run = run_of(decode), run_of(prefill)
    if decode_run is None or prefill_run is None:
        return
    lengths = lengths_of(decode, decode_run)
    if decode.settings.load.prompt_tokens is None:
        if decode_run.max_model_len < _SHORT:
            decode.warning("LLMD-PD-SHORT", "maxModelLen", value=decode_run.max_model_len)
        return
    if lengths is None:
        return
    # The same accelerators, every replica of them as decode's are.
    accelerators = (
        decode.settings.replicas * decode_run.tensor_parallel + prefill.settings.replicas * prefill_run.tensor_parallel
    )
    replicas = max(1, accelerators // decode_run.tensor_parallel)
    load = Load(*lengths, in_flight(decode.settings.load, replicas))
    together = estimate(decode_run, decode.accelerator, load, replicas)
    split = split_of(
        StageEngines(run=prefill_run, accelerator=prefill.accelerator, replicas=prefill.settings.replicas),
        StageEngines(run=decode_run, accelerator=decode.accelerator, replicas=decode.settings.replicas),
        *lengths,
        rdma=connected_by_rdma((decode, prefill)),
    )
    separate = split.at(load.concurrency) if split is not None else None
    if together is not None and separate is not None and _is_a_loss(separate, together):
        decode.warning(
            "LLMD-PD-WORTH",
            "load",
            value=f"{load.prompt_tokens} + {load.output_tokens} tokens, {load.concurrency:g} in flight",
            separate=_latency_text(separate),
            together=_latency_text(together),
            replicas=replicas,
        )


def _is_a_loss(separate: SpeedEstimate, together: SpeedEstimate) -> bool:
    """The time to first token rises in any case: it is paid for tokens that follow each other faster."""
    faster = separate.time_per_output_token < _FASTER * together.time_per_output_token
    return not faster or separate.latency > _LATER * together.latency


def _latency_text(speed: SpeedEstimate) -> str:
    return (
        f"{speed.latency:.2g} s an answer (first token after {speed.time_to_first_token:.2g} s,"
        f" then {speed.time_per_output_token * 1000:.2g} ms each)"
    )
