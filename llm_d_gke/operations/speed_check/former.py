"""The estimate used until November 2026, kept as a baseline. It was fitted to T4 and v6e at prompts of about 80 tokens.

It added reading to computing and took the same shares of the data sheet for every accelerator.
"""

from __future__ import annotations

from llm_d_gke.catalog.parameters import GIB
from llm_d_gke.planning.sizing.memory import EngineRun
from llm_d_gke.planning.sizing.memory.kv_cache import layers_of
from llm_d_gke.planning.sizing.memory.weights import weights_gib
from llm_d_gke.planning.sizing.steps import read

_BANDWIDTH, _DECODE, _PREFILL = 0.61, 0.17, 0.35
_HOST = {"gpu": 0.003, "tpu": 0.0092}
_SEQUENCE = {"gpu": 0.0, "tpu": 0.000054}
_COLLECTIVE = {"nvlink": 0.00001, "pcie": 0.00004, "ici": 0.0}


class FormerSteps:
    """Step times by the former constants."""

    name = "former"

    def __init__(self, run: EngineRun, bandwidth: float, flops: float) -> None:
        self._run, self._bandwidth, self._flops = run, bandwidth * _BANDWIDTH, flops
        parts, experts = run.parameters, run.model.experts
        routed = parts.experts * experts.active / experts.count if experts else 0.0
        every = parts.attention + parts.linear + parts.mlp + parts.shared + parts.latent
        self._work = 2 * (every + routed + (parts.lm_head or parts.embedding)) / run.tensor_parallel
        self._weights = sum(weights_gib(run, stage) for stage in range(run.pipeline_parallel)) * GIB
        self._kinds = [kind for stage in range(run.pipeline_parallel) for kind in layers_of(run, stage)]
        self._exchange = 2 * run.model.layers * _COLLECTIVE[run.interconnect] if run.tensor_parallel > 1 else 0.0

    def step(self, decoding: float, context: float, chunk: float = 0.0, depth: float = 0.0) -> float:
        """One token of `decoding` sequences and `chunk` tokens of a prompt of which `depth` tokens are cached."""
        model, seconds = self._run.model, 0.0
        if decoding:
            cached = decoding * sum(read(kind, context) for kind in self._kinds)
            reading = (self._weights_read(decoding) + cached) / self._bandwidth + self._exchange
            computing = decoding * self._work / (self._flops * _DECODE)
            seconds = max(reading + computing, _HOST[self._run.kind]) + decoding * _SEQUENCE[self._run.kind]
        if chunk:
            layers = sum(group.layers for group in model.attention if not group.recurrent)
            pairs = chunk * (2 * depth + chunk)
            attention = 2 * layers * model.attention_heads * model.head_dim * pairs / self._run.tensor_parallel
            prompt = (chunk * self._work + attention) / (self._flops * _PREFILL)
            seconds += prompt if decoding else max(prompt, _HOST[self._run.kind])
        return seconds

    def _weights_read(self, decoding: float) -> float:
        run, experts, total = self._run, self._run.model.experts, self._weights
        if not run.model.tied_embeddings:
            total -= run.parameters.embedding * run.dtype_bytes / run.tensor_parallel
        if experts is not None:
            stored = run.parameters.experts * run.stored_bytes("experts") / run.expert_ranks
            total -= stored * (1 - experts.active / experts.count) ** max(1.0, decoding)
        return max(0.0, total)


def former_steps(run: EngineRun, bandwidth_gbs: float, tflops: float, part: float) -> FormerSteps:
    """Step times of a run, from the data sheet; `part` is the share of a chip that one device has."""
    return FormerSteps(run, bandwidth_gbs * 1e9 * part, tflops * 1e12 * part)
