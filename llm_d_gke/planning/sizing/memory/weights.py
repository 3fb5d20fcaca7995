"""Weights on one rank, under tensor, pipeline, data and expert parallelism.

Against start-up logs (tests/planning/figures): dense, mixture-of-experts and latent attention within 0.5 %, 4-bit
within 1 %.
"""

from __future__ import annotations

from collections.abc import Mapping

from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.catalog.parameters import (
    GIB,
    compressed,
    dense_layers,
    indexers,
    per_layer_projections,
    per_layer_tables,
)
from llm_d_gke.catalog.schema import Attention, Experts, Model, Part
from llm_d_gke.planning.parallelism.sharding import padded_vocabulary
from llm_d_gke.planning.sizing.memory.allocator import rounded_bytes
from llm_d_gke.planning.sizing.memory.cache_entries import keeps_rotated, plain_layers
from llm_d_gke.planning.sizing.memory.run import EngineRun

# Kernels of experts in MXFP4 take widths in steps (vllm/model_executor/layers/fused_moe/oracle/mxfp4.py,
# mxfp4_round_up_hidden_size_and_intermediate_size): Marlin, which logs of Hopper and Ampere agree with.
_MXFP4_WIDTH, _MXFP4_HIDDEN = 128, 256
# Triton's on Hopper, which 0.11 to 0.16 take there (gpt-oss logs 13.47 and 64.38 GiB): the width in steps of 64.
_MXFP4_TRITON_WIDTH, _MXFP4_TRITON_BEFORE = 64, "0.17"
# TensorRT-LLM's, which compute capability 10.x takes in 0.13 and in 0.26: gpt-oss over eight ranks has 360 kept as 512.
_MXFP4_TENSORRT, _MXFP4_TENSORRT_WIDTH = 10, 256

# Scales of NVFP4 experts are laid out in tiles of 128 rows, and the weights follow (vLLM's quantization/modelopt.py at
# 0.13.0, quantization/utils/flashinfer_fp4_moe.py at 0.26.0): Nemotron-3-Nano on two RTX 50 logs 9.83 GiB.
_NVFP4_ROWS, _NVFP4_HIDDEN = 128, 256
_NVFP4_TENSORRT, _NVFP4_CUTLASS = 10.0, 12.0  # least compute capability of either
_NVFP4_PADDED_SINCE = "0.26"  # for TensorRT-LLM's kernel; versions between 0.13 and this one were not read

# FlashInfer's kernels, the first choice for experts in FP8 with one scale a tensor from Hopper on, take pairs without
# a gate in steps of 128 (prepare_fp8_moe_layer_for_fi of 0.17.1 to 0.32.0; older ones were not read):
# Nemotron-3-Nano in FP8 logs 31.45 GiB for files of 30.44.
_FP8_BITS, _FP8_WIDTH, _FP8_FLASHINFER, _FP8_PADDED_SINCE = 8, 128, 9.0, "0.17"

# tpu-inference has no JAX implementation of these and runs vLLM's own, with the head as a second table: gemma-4-12B-it
# logs 24.56 GiB on v6e (a build after 0.29.0), where its file has 22.28 and the table 1.88.
# Models in JAX ask the top of a configuration whether embeddings are tied (tpu_inference models/jax/gemma4_mm.py of
# 0.30.0), and PyTorch its text_config: Gemma 4 26B in FP8 logs 27.99 GiB on v6e, a table more than on GPUs.
_TPU_BY_TORCH = "Gemma4Unified"
# Since then the JAX implementation divides Gemma 4's towers over the devices (tpu_inference
# models/jax/gemma4_mm.py, VIT_MODEL in 0.23.0 and not in 0.22.0): gemma-4-31B on four v6e logs 14.6 GiB.
_TPU_TOWER, _TPU_TOWER_DIVIDED = "Gemma4", ("0.23", 0.98)

# Classes without `supports_encoder_tp_data`, which fall back (vllm/config/model.py of 0.11.2 to 0.32.0).
_TOWER_ALWAYS_DIVIDED = ("Gemma3", "Gemma4", "Mistral3")

# Since then layers share these buffers (turboquant_attn.py of 0.26.0, issue 43357 for 0.21.0). Parts of a request:
# tq_max_kv_splits_for_cuda_graph.
_SCRATCH_OF_LAYERS, _SCRATCH_PARTS = ("0.20", "0.21"), 32

# Prediction layers of these divide it (`fc` of qwen3_next_mtp.py and qwen3_5_mtp.py, `eh_proj` of nemotron_h_mtp.py in
# 0.30.0); those of DeepSeek, GLM and others have it whole on every rank (deepseek_mtp.py, glm4_moe_mtp.py).
_JOINED_OVER_RANKS = ("Qwen3", "NemotronH")

# TPUs keep the gate and up projections of each expert in lanes of 128 on every device (tpu_inference
# layers/common/process_weights/moe_weights.py, get_w13_padding_config; of 0.32.0 also where each has whole experts,
# GMM_EP); the down projection is not padded.
_TPU_LANES = 128


def stage_layers(layers: int, stages: int) -> tuple[int, ...]:
    """Layers of each pipeline stage: what is left over goes to the stages before the last (vLLM `get_pp_indices`).

    >>> stage_layers(40, 3)
    (13, 14, 13)
    """
    per_stage = [layers // stages] * stages
    for index in range(2, layers % stages + 2):
        per_stage[-index] += 1
    return tuple(per_stage)


def index_layers(run: EngineRun, group: Attention) -> int:
    """Layers with an indexer of their own. Older versions make one in every layer, also where its choice is reused."""
    if group.indexer is None:
        return 0
    sparse = load_engine().sparse_mla
    return group.indexer.layers if load_engine().has(run.version, sparse.shared_index_since) else group.layers


def kv_heads_per_rank(heads: int, tensor_parallel: int) -> int:
    """Fewer key-value heads than ranks are replicated, one on each rank."""
    return max(1, heads // tensor_parallel)


def _round_up(value: float, multiple: int) -> int:
    return int(-(-value // multiple) * multiple)


def weights_gib(run: EngineRun, stage: int = 0) -> float:
    """GiB of weights on one rank of a pipeline stage, with the tables of rotary positions beside them."""
    return run.once("weights", stage, lambda: _weights_gib(run, stage))


def _weights_gib(run: EngineRun, stage: int) -> float:
    model, plain = run.model, run.dtype_bytes
    share = stage_layers(model.layers, run.pipeline_parallel)[stage] / model.layers
    first, last = stage == 0, stage == run.pipeline_parallel - 1
    layers = sum(number * run.stored_bytes(part) for part, number in rank_parts(run).items())
    if run.quantized is not None and run.quantized.stored_bits("attention", 8.0 * plain) < 8 * plain:
        # Latent attention multiplies by parts of this matrix, so that a quantized one is kept a second time, unpacked.
        layers += _latent_up(model, run.dense_parallel) * plain
    layers += rounded_bytes(run)
    parts = run.parameters
    layers += (parts.router + parts.norms) * plain
    # The embedding and the head are none of the layers that `make_layers` wraps.
    resident = max(0.0, layers * share - run.offloaded_gib * GIB)
    total = resident + _embedding_bytes(run, first=first, last=last) + _rotary(run)
    if first:
        total += tower_bytes(run)
    total += scratch_bytes(run) * share
    if last:
        total += _draft(run)
        if run.drafting is not None:
            total += weights_gib(run.drafting) * GIB
    return (total + _lora(run) * share) / GIB


def tower_bytes(run: EngineRun) -> float:
    """Bytes of the towers for images and sound on one rank."""
    if not _loads_tower(run) or run.model.vision_gib is None:
        return 0.0
    sharded = _sharded_tower(run)
    divided = sharded / run.dense_parallel + 1 - sharded
    # The TPU back end loads no tower for sound (logs of gemma-4-E2B: 8.96 GiB on v5e and v6e).
    towers = run.model.vision_gib - (run.model.audio_gib if run.kind == "tpu" else 0.0)
    return towers * GIB * divided * run.dtype_bytes / 2


def scratch_bytes(run: EngineRun) -> float:
    """Buffers that each layer with TurboQuant's cache has of its own, in 32 bits, and vLLM counts as weights.

    Outputs of each part of a request, of each sequence and head, with their sum, and the whole: a layer of Llama 3.1
    70B over two ranks takes 0.52 GiB with 1024 sequences (github.com/vllm-project/vllm/pull/40798).
    """
    since, before = _SCRATCH_OF_LAYERS
    if not keeps_rotated(run) or not load_engine().has(run.version, since) or load_engine().has(run.version, before):
        return 0.0
    model, total = run.model, 0.0
    for group in model.attention:
        if group.recurrent:
            continue
        layers = group.layers - plain_layers(run, model.layers) * group.layers / model.layers
        row = (_SCRATCH_PARTS + 1) * ((group.head_dim or model.head_dim) + 1)
        total += layers * run.max_num_seqs * model.attention_heads / run.dense_parallel * row * 4
    return total


def _loads_tower(run: EngineRun) -> bool:
    """Whether the tower for images is loaded: by Gemma 4 in JAX also where only text is served.

    Gemma4Model in tpu_inference/models/jax/gemma4_mm.py makes it in any case (0.26.0 and b8692ff); E2B logs 8.97 GiB.
    """
    name = run.model.architecture
    always = run.kind == "tpu" and name.startswith(_TPU_TOWER) and not name.startswith(_TPU_BY_TORCH)
    return run.has_encoder or (always and run.model.vision_language)


def _sharded_tower(run: EngineRun) -> float:
    if run.whole_tower and not run.model.architecture.startswith(_TOWER_ALWAYS_DIVIDED):
        return 0.0
    since, sharded = _TPU_TOWER_DIVIDED
    jax = run.kind == "tpu" and run.model.architecture.startswith(_TPU_TOWER)
    return sharded if jax and load_engine().has(run.version, since) else run.model.vision_sharded


def _embedding_bytes(run: EngineRun, *, first: bool, last: bool) -> float:
    """Bytes of the embedding, the head, and the per-layer embedding where a model has one."""
    model, plain = run.model, run.dtype_bytes
    rows = padded_vocabulary(model.vocabulary) / run.tensor_parallel
    embedding = rows * model.hidden * plain
    head = rows * model.hidden * run.stored_bytes("lm_head")
    # A tied model has one table, unless its first and last stage are different ranks.
    twice = model.untied_at_top or model.architecture.startswith(_TPU_BY_TORCH)
    tied = model.tied_embeddings and not (run.kind == "tpu" and twice)
    tables = (embedding if first or last else 0.0) if tied else first * embedding + last * head
    if model.per_layer is not None:
        # Every stage looks the tokens up for itself; the projections of the layers are replicated.
        tables += (per_layer_tables(model) / run.tensor_parallel + per_layer_projections(model)) * plain
    return tables


def rank_parts(run: EngineRun) -> Mapping[Part, float]:
    """Weights of one rank if it held every layer, by part."""
    model, tensor = run.model, run.dense_parallel
    matrices = 3 if model.gated_mlp else 2
    experts = model.experts
    parts: dict[Part, float] = {
        "attention": sum(_attention(run, group) for group in model.attention if not group.recurrent),
        "linear": sum(_attention(run, group) for group in model.attention if group.recurrent),
        "mlp": matrices * model.hidden * model.intermediate * dense_layers(model) / tensor,
    }
    if experts is not None:
        parts["shared"] = matrices * model.hidden * experts.shared_intermediate * experts.layers / tensor
        parts["latent"] = 2 * model.hidden * (experts.latent or 0) * experts.layers
        parts["experts"] = _experts(run, experts) * experts.layers
    return parts


def _experts(run: EngineRun, experts: Experts) -> float:
    """Weights of one layer's routed experts on one rank, as its kernel pads them."""
    model, matrices = run.model, 3 if run.model.gated_mlp else 2
    ranks = run.expert_ranks
    hidden = experts.latent or model.hidden
    if run.expert_parallel:
        resident, width = -(-experts.count // ranks), float(experts.intermediate)
    else:
        resident, width = experts.count, experts.intermediate / ranks
    if run.kind == "tpu":
        padded = _round_up(width, _TPU_LANES)
        return resident * hidden * ((matrices - 1) * padded + width)
    if run.kind == "gpu" and run.quantized is not None and run.quantized.method == "mxfp4":
        triton = run.capability == 9.0 and not load_engine().has(run.version, _MXFP4_TRITON_BEFORE)
        step = _MXFP4_TRITON_WIDTH if triton else _MXFP4_WIDTH
        if int(run.capability or 0.0) == _MXFP4_TENSORRT:
            step = _MXFP4_TENSORRT_WIDTH
        return resident * matrices * _round_up(hidden, _MXFP4_HIDDEN) * _round_up(width, step)
    if run.kind == "gpu" and run.quantized is not None and run.quantized.is_nvfp4:
        hidden, width = _nvfp4_shape(run, hidden, width)
    if _takes_steps_in_fp8(run):
        width = _round_up(width, _FP8_WIDTH)
    return resident * matrices * hidden * width


def _takes_steps_in_fp8(run: EngineRun) -> bool:
    """Whether an expert's two matrices are in FP8 with one scale each, and FlashInfer's kernels compute them."""
    quantized = run.quantized
    if run.kind != "gpu" or run.model.gated_mlp or quantized is None or quantized.method != "modelopt":
        return False
    by_tensor = quantized.stored_bits("experts", 8.0 * run.dtype_bytes) == _FP8_BITS
    newer = (run.capability or 0.0) >= _FP8_FLASHINFER and load_engine().has(run.version, _FP8_PADDED_SINCE)
    return by_tensor and newer


def _nvfp4_shape(run: EngineRun, hidden: int, width: float) -> tuple[int, float]:
    """An expert's two dimensions as Blackwell's kernels pad them; Marlin, which older cards take, pads neither.

    A gated pair whose rows do not fit is padded for TensorRT-LLM's kernel (10.x) and refused by CUTLASS's (12.x).
    """
    capability = run.capability or 0.0
    if capability >= _NVFP4_CUTLASS:
        return hidden, width if run.model.gated_mlp else _round_up(width, _NVFP4_ROWS)
    if capability >= _NVFP4_TENSORRT and load_engine().has(run.version, _NVFP4_PADDED_SINCE):
        rows = _NVFP4_ROWS // 2 if run.model.gated_mlp else _NVFP4_ROWS
        return _round_up(hidden, _NVFP4_HIDDEN), _round_up(width, rows)
    return hidden, width


def _attention(run: EngineRun, group: Attention) -> float:
    """Weights of the attention of a group's layers on one rank."""
    model, tensor = run.model, run.dense_parallel
    hidden, heads = model.hidden, model.attention_heads / tensor
    if group.kind == "none":
        return 0.0
    if group.kind == "compressed":
        return compressed(model, group, tensor)
    if group.kind == "mla" and model.mla is not None:
        mla = model.mla
        query = heads * (mla.qk_nope_head_dim + mla.qk_rope_head_dim)
        # Projections down to the latent vector are the same on every rank, and so are indexers.
        down = hidden * (mla.kv_lora_rank + mla.qk_rope_head_dim) + hidden * (mla.q_lora_rank or 0)
        queries = (hidden if mla.q_lora_rank is None else mla.q_lora_rank) * query
        up = mla.kv_lora_rank * heads * (mla.qk_nope_head_dim + mla.v_head_dim)
        per_layer = down + queries + up + heads * mla.v_head_dim * hidden
        return group.layers * per_layer + indexers(model, group, index_layers(run, group))
    if group.kind == "linear" and group.linear is not None:
        state = group.linear
        keys, values = state.key_heads * state.key_dim, state.value_heads * state.value_dim
        inputs = hidden * (2 * keys + 2 * values + 2 * state.value_heads)
        return group.layers * (inputs + (2 * keys + values) * state.convolution + values * hidden) / tensor
    if group.kind == "mamba" and group.mamba is not None:
        mamba = group.mamba
        inner = mamba.heads * mamba.head_dim
        # A single group is on every rank, more are divided.
        groups = mamba.groups / tensor if mamba.groups % tensor == 0 else 1
        channels = inner / tensor + 2 * groups * mamba.state
        projected = hidden * (inner / tensor + channels + mamba.heads / tensor)
        return group.layers * (projected + channels * (mamba.convolution + 1) + inner / tensor * hidden)
    head_dim = group.head_dim or model.head_dim
    query = heads * head_dim
    key = kv_heads_per_rank(group.kv_heads or model.kv_heads, tensor) * head_dim
    bias = {"none": 0.0, "qkv": query + 2 * key, "all": query + 2 * key + hidden}[model.attention_bias]
    # GPUs load one projection of queries, keys and values in every layer, also where values are keys or come from an
    # earlier layer (QKVParallelLinear in vllm/model_executor/models/gemma4.py).
    is_gpu = run.kind == "gpu"
    copies = 2 if is_gpu or not group.keys_are_values else 1
    stored = group.layers if is_gpu else group.layers - group.kv_shared
    queries = hidden * query * (3 if model.output_gate else 2) + bias
    total = group.layers * queries + stored * hidden * key * copies
    if group.indexer is not None:
        # Its queries are divided as keys are, its key is on every rank.
        index = group.indexer
        total += index.layers * hidden * (kv_heads_per_rank(index.heads, tensor) + 1) * index.dim
    return total


def _latent_up(model: Model, tensor: int) -> float:
    """Parameters of one rank's projections up from the latent vector, all layers."""
    mla = model.mla
    if mla is None:
        return 0.0
    layers = sum(group.layers for group in model.attention if group.kind == "mla")
    return layers * mla.kv_lora_rank * model.attention_heads / tensor * (mla.qk_nope_head_dim + mla.v_head_dim)


def _rotary(run: EngineRun) -> float:
    """Bytes of the tables of sines and cosines, one row per position: 32 MiB for Llama 3.1, shared by all layers.

    Logs of TPUs show one table, whatever ways of rotating a model has. DeepSeek V4 keeps its two in 32 bits
    (DeepseekV4ScalingRotaryEmbedding of 0.22.0, 0.26.0 and 0.32.0): 0.5 GiB on each rank.
    """
    model = run.model
    if model.rotary is not None and (run.kind == "gpu" or not model.rotary):
        number = 4 if model.compressed else run.dtype_bytes
        return float(sum(table.positions * table.width for table in model.rotary) * number)
    width = model.mla.qk_rope_head_dim if model.mla is not None else model.head_dim
    return float(model.context * width * run.dtype_bytes)


def _draft(run: EngineRun) -> float:
    """Bytes of the prediction layers, which share embedding and head with the model. 0 without speculative decoding."""
    draft, model = run.draft, run.model
    if draft is None:
        return 0.0
    kinds = [group for group in model.attention if group.kind == draft.attention]
    attention = _attention(run, kinds[0]) / kinds[0].layers if kinds else 0.0
    matrices = 3 if model.gated_mlp else 2
    feed = matrices * model.hidden * model.intermediate / run.dense_parallel
    routed = 0.0
    if draft.experts and model.experts is not None:
        feed = matrices * model.hidden * model.experts.shared_intermediate / run.dense_parallel
        routed = _experts(run, model.experts) * _draft_bytes(run, "experts")
    if draft.separate:
        return draft.layers * (attention + feed) * run.dtype_bytes + _head(run, draft.vocabulary)
    # One projection joins the hidden state with the embedding of the next token.
    ranks = run.dense_parallel if model.architecture.startswith(_JOINED_OVER_RANKS) else 1
    joined = 2 * model.hidden * model.hidden / ranks * run.dtype_bytes
    per_layer = attention * _draft_bytes(run, "attention") + feed * _draft_bytes(run, "mlp") + routed + joined
    return draft.layers * per_layer


def _head(run: EngineRun, vocabulary: int) -> float:
    """Bytes that a head of EAGLE-3 has beside its layer: in 16 bits whatever the model's are.

    vLLM's models/llama_eagle3.py (0.31.0): queries, keys and values take the embedding beside the hidden state, `fc`
    joins three hidden states on every rank, and the head guesses from a vocabulary of its own. Its embedding is the
    model's where both are equal (v1/worker/gpu/spec_decode/eagle/utils.py).
    """
    model, tensor = run.model, run.tensor_parallel
    projected = (model.attention_heads / tensor + 2 * kv_heads_per_rank(model.kv_heads, tensor)) * model.head_dim
    return model.hidden * (projected + 3 * model.hidden + vocabulary / tensor) * run.dtype_bytes


def _draft_bytes(run: EngineRun, part: Part) -> float:
    """Bytes of one weight of prediction layers: plain in checkpoints whose default is 4 bits.

    Qwen3.6-35B-A3B-NVFP4 logs 23.45 GiB with its layer, which would be 22.3 if that were quantized too.
    """
    quantized = run.quantized
    return run.dtype_bytes if quantized is not None and quantized.bits < 8 else run.stored_bytes(part)


def _lora(run: EngineRun) -> float:
    """Bytes of the slots for adapters: two thin matrices for each projection, in every layer, for each slot.

    The rank's side of one of the two is divided (vllm/lora/layers: column-parallel layers keep lora_a whole).
    """
    if not run.lora_slots:
        return 0.0
    model, tensor = run.model, run.tensor_parallel
    hidden = model.hidden
    total = 0.0
    for group in model.attention:
        if group.kind not in ("full", "sliding", "chunked"):
            continue
        head_dim = group.head_dim or model.head_dim
        query = model.attention_heads * head_dim / tensor
        key = kv_heads_per_rank(group.kv_heads or model.kv_heads, tensor) * head_dim
        total += group.layers * (3 * hidden + query + 2 * key + query + hidden)
    inner = model.intermediate / tensor
    total += dense_layers(model) * (2 * (hidden + inner) + inner + hidden)
    if model.experts is not None:
        width = model.experts.intermediate / tensor
        total += model.experts.layers * model.experts.count * (2 * (hidden + width) + width + hidden)
    adapters = load_engine().adapters
    if run.kind == "gpu" and model.architecture in adapters.vocabulary:
        # Beside embedding and logits, a tied table is wrapped as the head once more.
        total += (3 if model.tied_embeddings else 2) * (model.vocabulary + hidden)
    return run.lora_slots * run.lora_rank * total * run.dtype_bytes
