"""What start-up needs after the KV cache was made: graphs, the sampler once more, and what tuning keeps. GPUs only."""

from __future__ import annotations

from dataclasses import dataclass

from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.catalog.parameters import GIB
from llm_d_gke.planning.sizing.memory.experts import keeps_workspace, workspace_gib
from llm_d_gke.planning.sizing.memory.overhead import (
    CUSTOM_REDUCE_RANKS,
    captured_gib,
    counts_states,
    graphs_gib,
    states_gib,
)
from llm_d_gke.planning.sizing.memory.run import EngineRun

# Four-bit integers with scales in 16 bits go to Marlin, which FlashInfer does not tune (map_wna16_backend and
# select_wna16_moe_backend of vllm/model_executor/layers/fused_moe/oracle/int_wna16.py, 0.32.0). One kernel of
# FlashInfer takes groups of this many, on compute capability 10.x.
_TUNED_FROM, _TUNED_GROUP, _NO_INTEGERS_FROM = 10.0, 32, 11.0


@dataclass(frozen=True)
class WarmUp:
    """Room after the KV cache was made, GiB: what there is, what start-up was seen to need, what always sufficed."""

    room_gib: float
    refused_gib: float
    passed_gib: float


def warm_up(run: EngineRun, free_gib: float, activation: float, layers: int) -> WarmUp:
    """The sampler runs once more, beside graphs that have been captured by then.

    The profile's own peak is free again but for the experts' workspaces, and so is what was reserved for graphs. On
    small cards starts died before that, while graphs were captured: there the one allocation that failed counts against
    what was free from the start.
    """
    figures = load_engine().warm_up
    free_gib -= run.others_gib + (load_engine().model_runner_v2.context_gib if run.uses_model_runner_v2 else 0.0)
    reserved = graphs_gib(run, layers) if run.reserves_graphs else 0.0
    captured = captured_gib(run, layers)
    if not counts_states(run):
        free_gib -= states_gib(run)
    workspace = workspace_gib(run) if keeps_workspace(run) else 0.0
    room = free_gib + activation - workspace + reserved - captured
    entries = run.sampled_rows * run.model.vocabulary / GIB
    needs = load_engine().model_runner_v2_warm_up(run.version) if run.uses_model_runner_v2 else figures
    refused_gib = needs.refused_bytes * entries - (0.0 if run.enforce_eager else figures.graphs_error_gib)
    passed_gib = needs.passed_bytes * entries
    by_default = run.band.graphs_reserved and run.estimates_graphs
    unreserved = not (run.enforce_eager or by_default or run.uses_model_runner_v2)
    if unreserved and run.interconnect == "pcie" and run.tensor_parallel > CUSTOM_REDUCE_RANKS:
        passed_gib += figures.graphs_over_nccl_gib if run.recurrent else figures.graphs_over_nccl_layer_gib * layers
    if unreserved:
        passed_gib += max(0.0, figures.graphs_per_layer_gib.get(run.model.architecture, 0.0) * layers - captured)
    if _tunes_experts(run):
        passed_gib += figures.expert_tuning_gib
    normal = WarmUp(room, refused_gib, passed_gib)
    if run.total_gib >= figures.small_card_gib:
        return normal
    graphs_error = 0.0 if run.enforce_eager else figures.small_card_graphs_gib
    needed = figures.small_card_bytes * entries
    early = WarmUp(free_gib - max(0.0, captured - reserved), needed - graphs_error, needed + graphs_error)
    return min(normal, early, key=lambda warm_up: warm_up.room_gib - warm_up.passed_gib)


def _tunes_experts(run: EngineRun) -> bool:
    """Whether FlashInfer's kernels compute the experts, whose tuning keeps memory."""
    capability, quantized = run.capability or 0.0, run.quantized
    since = load_engine().warm_up.expert_tuning_since
    if run.model.experts is None or capability < _TUNED_FROM or not load_engine().has(run.version, since):
        return False
    if quantized is None or quantized.bits != 4 or quantized.scale_bits != 16:
        return True
    return capability < _NO_INTEGERS_FROM and quantized.group == _TUNED_GROUP
