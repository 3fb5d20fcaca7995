"""What vLLM needs beside weights and KV cache: the profile's peak, CUDA graphs, memory outside torch. GPUs only.

The constants are fits to start-up logs by version (catalog/engine.yaml). The profile's peak against 59 logs of 0.19:
mean error 0.05 GiB, worst 0.30.
"""

from __future__ import annotations

import math

from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.catalog.parameters import GIB
from llm_d_gke.planning.engine_support.attention import takes_flashinfer
from llm_d_gke.planning.sizing.memory.compressed import profile_gib
from llm_d_gke.planning.sizing.memory.experts import keeps_workspace, workspace_gib
from llm_d_gke.planning.sizing.memory.run import EngineRun

_LARGEST_GRAPH = 512
_CONSUMER = 12.0  # compute capability of RTX 50 and RTX PRO 6000
# Since which version FlashInfer captures whole graphs of decoding with a draft, by major compute capability: with
# TensorRT-LLM's kernels on B200, and with XQA's (get_cudagraph_support of v1/attention/backends/flashinfer.py in
# 0.26.0, 0.29.0, 0.30.0 and 0.32.0; 0.27 and 0.28 were not read, and logs of RTX 5090 with 0.27 show none).
_WHOLE_GRAPHS_WITH_DRAFT = {9: "0.30", 10: "0.11", 12: "0.29"}
# FLASHINFER_PREFILL_WORKSPACE_BYTES_PER_ELEM of v1/attention/backends/flashinfer.py in 0.26.0 to 0.32.0; none between
# 0.20 and 0.26 was read.
_PROMPT_BYTES, _PROMPTS_COUNTED_SINCE = 16, "0.26"
FITTED_TOKENS = 8192
# Tokens of the largest image: more of them fit into a larger batch, and are profiled at once.
_IMAGE_TOKENS = 16384
_TOKEN_PIXELS = 28 * 28  # of Qwen2-VL and Qwen2.5-VL
_USUAL_TOWER_GIB = 0.85
# Over PCIe vLLM's own all-reduce takes two ranks (custom_all_reduce.py); more leave it to NCCL, in graphs too.
CUSTOM_REDUCE_RANKS = 2
# Its buffers need access to the peer's memory, which drivers of GeForce cards refuse: those of these compute
# capabilities with less memory than this.
_PEERLESS, _PEERLESS_GIB = (8.6, 12.0), 40
GB10_CAPABILITY = 12.1  # GB10, whose memory is the host's


def activation_gib(run: EngineRun, stage: int = 0) -> float:
    """Peak of the profile run on one rank: the widest layer, the sampler over all the vocabulary, or the vision tower.

    It does not depend on the longest request, and tensor parallelism does not shrink the sampler: logits are gathered.
    A new pod has to compile: with what another start left on disk, less may be taken.
    """
    model = run.model
    tokens = run.max_num_batched_tokens
    warm = run.dtype_bytes * tokens * (3 * model.intermediate / run.tensor_parallel + 4 * model.hidden)
    layer = max(warm, compilation_gib(run, stage) * GIB)
    sampler = 0.0
    if stage == run.pipeline_parallel - 1:
        # The fit is of 16-bit weights; logits of wider ones are wider.
        per_entry = _sampler_bytes(run) + run.dtype_bytes - 2
        sampler = per_entry * run.sampled_rows * model.vocabulary + run.dtype_bytes * tokens * model.hidden
    experts = workspace_gib(run)
    # Experts and the indexer take turns with one workspace.
    workspace = indexer_workspace_gib(run)
    if workspace:
        layer += load_engine().sparse_mla.logits_gib * GIB
    text = max(layer, sampler) / GIB + max(experts, workspace)
    if not keeps_workspace(run):
        text = max(layer / GIB + max(experts, workspace), sampler / GIB)
    if model.compressed:
        text = max(layer, sampler) / GIB + profile_gib(run)
    encoder = encoder_gib(run) if stage == 0 else 0.0
    if encoder and _keeps_encoder(run):
        layers_only = load_engine().has(run.version, load_engine().encoder_beside_text.layers_only_since)
        encoder += warm / GIB if layers_only else text
    return max(text, encoder)


def _keeps_encoder(run: EngineRun) -> bool:
    """Whether the activation of the text model is added to the vision tower's peak."""
    encoder = load_engine().encoder_beside_text
    if run.model.experts is not None or run.uses_model_runner_v2 or not load_engine().has(run.version, encoder.since):
        return False
    return (run.capability or 0.0) >= encoder.capability


def indexer_workspace_gib(run: EngineRun) -> float:
    """Keys of the longest requests that an indexer gathers at once, with their scales: kept from the profile on."""
    indexers = [group.indexer for group in run.model.attention if group.sparse_latent and group.indexer is not None]
    if not indexers:
        return 0.0
    row = max(indexer.dim + 4 * -(-indexer.dim // 128) for indexer in indexers)
    return load_engine().sparse_mla.workspace_rows * run.max_model_len * row / GIB


def _sampler_bytes(run: EngineRun) -> float:
    """Bytes of the sampler's dummy run for each sequence and vocabulary entry, with 2-byte weights."""
    if run.uses_model_runner_v2:
        return load_engine().model_runner_v2_sampler(run.version)
    if run.flashinfer_sampler and run.band.flashinfer_sampler_bytes is not None:
        return run.band.flashinfer_sampler_bytes
    return run.band.sampler_bytes + (load_engine().rejection_bytes if run.speculative_tokens else 0.0)


def compilation_gib(run: EngineRun, stage: int = 0) -> float:
    """What torch.compile takes during the profile: inputs of the kernels that it times, of which the embedding is one.

    Beside a vision tower the engine embeds tokens outside of what is compiled.
    """
    figures = load_engine().compile
    compiles = run.kind == "gpu" and not run.enforce_eager and not run.compiled
    if not compiles or stage or run.has_encoder or not load_engine().has(run.version, figures.since):
        return 0.0
    table = run.model.vocabulary * run.model.hidden * run.dtype_bytes / run.tensor_parallel
    if run.model.architecture in load_engine().adapters.vocabulary:
        table += run.model.vocabulary * run.lora_slots * run.lora_rank * run.dtype_bytes
    return table / GIB + figures.gib


def _compiled_again_gib(run: EngineRun, stage: int) -> float:
    """GiB that compilation takes again outside of torch's allocator: a block of inputs of which something was cut."""
    figures, has = load_engine().compile, load_engine().has
    stays = has(run.version, figures.again_since) and not has(run.version, figures.again_before)
    if not stays or run.capability == GB10_CAPABILITY:
        return 0.0
    tied = run.model.tied_embeddings and run.model.experts is None and not run.lora_slots
    cut = tied and run.max_num_seqs >= figures.again_tied_rows
    return compilation_gib(run, stage) if cut or (run.capability or 0.0) >= figures.again_from else 0.0


def encoder_gib(run: EngineRun) -> float:
    """Peak of the vision tower's run, where the profile has one and logs show it: ranks share its heads."""
    runner = load_engine().model_runner_v2
    if not run.has_encoder or (run.uses_model_runner_v2 and not load_engine().has(run.version, runner.encoder_since)):
        return 0.0
    kinds = load_engine().encoder_gib
    if run.model.architecture.startswith(load_engine().video_frames.architectures):
        return _video_frames_gib(run)
    peak = next((peak for begin, peak in kinds.items() if run.model.architecture.startswith(begin)), 0.0)
    # 1.9 alone and 1.46 on each of two ranks: about half of it is divided.
    images = max(
        1, min(run.max_num_batched_tokens // _IMAGE_TOKENS, run.max_num_seqs * (run.max_model_len // _IMAGE_TOKENS))
    )
    # Smaller towers take less: 1.55 for 0.62 GiB of weights, where those of 0.85 take 1.77 and 1.93.
    size = math.sqrt(min(1.0, (run.model.vision_gib or _USUAL_TOWER_GIB) / _USUAL_TOWER_GIB))
    return peak * size * images * (0.5 + 0.5 / run.tensor_parallel) + _video_gib(run)


def _video_frames_gib(run: EngineRun) -> float:
    """Peak of the tower over the longest video, which grows with the longest request. Ranks divide about half of it."""
    frames = load_engine().video_frames
    # An image has as many tokens as two frames, and fewer where its pixels are limited (models/qwen2_vl.py).
    limited = frames.tokens if run.image_pixels is None else run.image_pixels // _TOKEN_PIXELS
    tokens = max(1, min(frames.tokens, limited))
    pairs = min(frames.most, max(1, run.max_model_len // tokens)) if run.video else 1
    return frames.gib * tokens / frames.tokens * pairs * (0.5 + 0.5 / run.tensor_parallel)


def _video_gib(run: EngineRun) -> float:
    """What the tower makes of the longest video, kept while the text is profiled: before 0.11.1 of any length."""
    video = load_engine().video
    unbounded = run.video and not load_engine().has(run.version, video.before)
    if not unbounded or not run.model.architecture.startswith(video.architecture):
        return 0.0
    return video.tokens * video.widths * run.model.hidden * run.dtype_bytes / GIB


def non_torch_gib(run: EngineRun, stage: int = 0) -> float:
    """CUDA context, cuBLAS, NCCL, the buffers of expert parallelism and of a runner, of one rank."""
    figures = run.band.non_torch
    # The last stage alone has a sampler (v1/worker/gpu/model_runner.py of 0.28.0, is_last_pp_rank).
    states = states_gib(run) if counts_states(run) and stage == run.pipeline_parallel - 1 else 0.0
    shared = unified_memory_gib(run) if run.capability == GB10_CAPABILITY else 0.0
    if run.expert_ranks > 1:
        joined = figures.nvlink if run.interconnect == "nvlink" else figures.pcie
        if run.interconnect == "pcie" and not _uses_nccl(run):
            second = load_engine().model_runner_v2.non_torch_pcie_gib
            alone = run.capability in _PEERLESS and run.total_gib < _PEERLESS_GIB
            joined = (
                second if run.uses_model_runner_v2 else figures.pcie_pair if alone and figures.pcie_pair else joined
            )
        return joined + all_to_all_gib(run) + states + shared + _kept_beside_experts_gib(run)
    if run.uses_model_runner_v2:
        context = load_engine().model_runner_v2.non_torch_gib + _kept_beside_experts_gib(run)
        return context + states + shared + _compiled_again_gib(run, stage)
    if run.pipeline_parallel > 1:
        return figures.pipeline
    return figures.one_rank + shared


def _kept_beside_experts_gib(run: EngineRun) -> float:
    """GiB that Model Runner V2 keeps beside the weights of routed experts."""
    figures = load_engine().model_runner_v2
    has = load_engine().has
    counted = has(run.version, figures.graphs_since) and not has(run.version, figures.experts_before)
    return figures.experts_gib if counted and run.uses_model_runner_v2 and run.model.experts is not None else 0.0


def _uses_nccl(run: EngineRun) -> bool:
    """Whether ranks over PCIe exchange tokens or sums by NCCL rather than by vLLM's own all-reduce."""
    return run.tensor_parallel > CUSTOM_REDUCE_RANKS or run.data_parallel > 1


def unified_memory_gib(run: EngineRun) -> float:
    """GiB that other processes of the host use on an accelerator that shares the host's memory."""
    figures = load_engine().unified_memory
    return figures.vision_gib if run.has_encoder else figures.text_gib


def states_gib(run: EngineRun) -> float:
    """Counts of tokens that Model Runner V2 keeps for penalties: a number for each sequence and vocabulary entry."""
    if not run.uses_model_runner_v2:
        return 0.0
    return load_engine().model_runner_v2.state_bytes * run.max_num_seqs * run.model.vocabulary / GIB


def counts_states(run: EngineRun) -> bool:
    """Whether they are subtracted before the KV cache. Otherwise they use the memory left free."""
    return load_engine().has(run.version, load_engine().model_runner_v2.state_counted_since)


def all_to_all_gib(run: EngineRun) -> float:
    """Where tokens of all data-parallel ranks arrive: a copy of each batch, or DeepEP's buffers.

    The latter (LowLatencyLayout in DeepEP's csrc/config.hpp) send and receive, twice over, at most `tokens` for each
    expert.
    """
    model, size = run.model, run.model.hidden * 2
    if run.data_parallel == 1 or model.experts is None:
        return 0.0
    kind = load_engine().all_to_all.get(run.all_to_all or "")
    if kind is not None and kind.tokens is not None:
        return 4 * model.experts.count * kind.tokens * size / GIB
    return run.data_parallel * run.max_num_batched_tokens * size / GIB


def graph_sizes(run: EngineRun) -> float:
    """Batch sizes that are captured: 1, 2, 4, then steps of 8 up to 256, of 16 beyond. Adapters' graphs come on top."""
    largest = _largest_graph(run)
    small = sum(1 for size in (1, 2, 4) if size <= largest)
    sizes = small + min(largest, 256) // 8 + max(0, largest - 256) // 16
    return sizes * (1 + load_engine().adapters.graphs) if run.lora_slots else sizes


def _largest_graph(run: EngineRun) -> int:
    """Twice the tokens of a step that decodes: with a draft each sequence has several."""
    return min(2 * run.max_num_seqs * (1 + run.speculative_tokens), _LARGEST_GRAPH, run.max_num_batched_tokens)


def _graphs_share(run: EngineRun) -> float:
    """The largest size as a share of the largest there is. V1's pool grows with it since 0.21; other fits have none."""
    grows = not run.uses_model_runner_v2 and run.band.graphs.shared_pool
    return _largest_graph(run) / _LARGEST_GRAPH if grows else 1.0


def graphs_gib(run: EngineRun, layers: int) -> float:
    """What vLLM estimates for CUDA graphs of a rank with `layers` layers, and reserves. 0 with --enforce-eager."""
    if run.enforce_eager:
        return 0.0
    figures = load_engine().model_runner_v2.graphs if run.uses_model_runner_v2 else run.band.graphs
    sizes = graph_sizes(run) / load_engine().graphs.sizes
    largest = _graphs_share(run)
    if counts_outputs(run):
        # In place of the layers': however few the sizes, the outputs are counted once.
        consumer = (run.capability or 0.0) >= _CONSUMER and run.quantized is not None
        more = figures.recurrent_sm12_gib if consumer else 0.0
        return figures.recurrent_outputs * _recurrent_outputs(run) / GIB + more
    if (
        run.recurrent
        and not run.uses_model_runner_v2
        and run.band.graphs.recurrent_outputs
        and captures_whole_graphs(run)
        and not _attends_with_flashinfer(run)
    ):
        # On other cards a hybrid model takes the same with 8 and with 256 sequences. With FlashInfer's kernels it does
        # not: with two and four sequences RTX 3090 and RTX 4090 (0.27.1, cache in fp8) take its buffer and little more.
        sizes = largest = 1.0
    layer = figures.layer_gib
    if _attends_latently(run) and not run.uses_model_runner_v2:
        layer += load_engine().graphs.latent_layer_gib - load_engine().graphs.layer_gib
    own = figures.base_gib * largest + layer * layers * sizes
    return own + _drafted_graphs_gib(run, sizes) + attention_workspace_gib(run)


def _drafted_graphs_gib(run: EngineRun, sizes: float) -> float:
    """Graphs of the layers that guess: Model Runner V2 captures one set for prompts and one for single tokens.

    v1/worker/gpu/spec_decode/autoregressive/speculator.py of 0.30.0; `profile_cudagraph_memory` measures them in full.
    """
    if not run.uses_model_runner_v2 or run.speculative_tokens == 0:
        return 0.0
    guessing = run.drafting.model.layers if run.drafting is not None else run.draft.layers if run.draft else 0
    figures = load_engine().model_runner_v2.graphs
    return 2 * (figures.base_gib + figures.layer_gib * guessing * sizes) if guessing else 0.0


def _attends_latently(run: EngineRun) -> bool:
    return run.model.mla is not None or run.model.compressed


def attention_workspace_gib(run: EngineRun) -> float:
    """FlashInfer's buffer, allocated when the first whole graph is captured. 0 where the table names other kernels.

    It holds what a whole batch of prompts takes (_get_workspace_buffer).
    """
    if run.kind != "gpu" or not captures_whole_graphs(run) or not _attends_with_flashinfer(run):
        return 0.0
    least = load_engine().flashinfer_gib
    if not load_engine().has(run.version, _PROMPTS_COUNTED_SINCE):
        return least
    width = max(group.head_dim or run.model.head_dim for group in run.model.attention if not group.recurrent)
    heads = run.model.attention_heads / run.dense_parallel
    return max(least, run.max_num_batched_tokens * heads * width * _PROMPT_BYTES / GIB)


def _attends_with_flashinfer(run: EngineRun) -> bool:
    inputs = (run.model, run.capability, run.version, run.dtype, run.kv_cache_dtype)
    return run.once("flashinfer", 0, lambda: bool(takes_flashinfer(*inputs)))


def captures_whole_graphs(run: EngineRun) -> bool:
    """Whether graphs hold attention too: with a draft FlashInfer's kernels of older cards and versions stay outside."""
    if run.speculative_tokens == 0:
        return True
    since = _WHOLE_GRAPHS_WITH_DRAFT.get(int(run.capability or 0))
    return (since is not None and load_engine().has(run.version, since)) or not _attends_with_flashinfer(run)


def counts_outputs(run: EngineRun) -> bool:
    """Whether the estimate of CUDA graphs counts outputs of recurrent layers as if they stayed: V1 does."""
    figures = run.band.graphs
    card = run.capability or 0.0
    counted = figures.recurrent_outputs > 0 and figures.recurrent_outputs_from <= card < figures.recurrent_outputs_below
    return counted and run.recurrent and not run.uses_model_runner_v2 and captures_whole_graphs(run)


def _recurrent_outputs(run: EngineRun) -> float:
    """Bytes of one output of every recurrent layer, for each token of a batch, undivided: so logs of four ranks are."""
    width = 0
    for group in run.model.attention:
        if group.linear is not None:
            width += group.layers * group.linear.value_heads * group.linear.value_dim
        elif group.mamba is not None:
            width += group.layers * group.mamba.heads * group.mamba.head_dim
    return run.dtype_bytes * run.max_num_batched_tokens * width


def captured_gib(run: EngineRun, layers: int) -> float:
    """CUDA graphs as they are captured after the KV cache was made."""
    if run.enforce_eager:
        return 0.0
    figures = load_engine().graphs
    quantized = run.quantized
    more = 0.0  # than a dense layer takes
    if _attends_latently(run) or (quantized is not None and quantized.experts_only):
        more = figures.latent_layer_gib - figures.layer_gib
    elif run.model.experts is not None:
        more = figures.experts_layer_gib - figures.layer_gib
    # What V1 estimates is about what it takes, and so does Model Runner V2: 0.37 and 0.40 for 24 layers.
    usual = run.band.graphs if run.band.graphs_reserved else figures
    usual = load_engine().model_runner_v2.graphs if run.uses_model_runner_v2 else usual
    return usual.base_gib * _graphs_share(run) + (usual.layer_gib + more) * layers * graph_sizes(run) / figures.sizes
