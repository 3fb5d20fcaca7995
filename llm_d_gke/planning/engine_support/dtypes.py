"""Types of activations that an engine version refuses."""

from __future__ import annotations

from collections.abc import Iterator

from llm_d_gke.catalog.engine_tables import CapabilityFacts, EngineFacts
from llm_d_gke.planning.engine_support.deployment import Deployment, Refusal, refuses_float16


def dtype_refusals(deployment: Deployment, facts: EngineFacts, card_facts: CapabilityFacts) -> Iterator[Refusal]:
    dtype = deployment.effective_dtype
    if dtype not in card_facts.dtypes:
        capability = deployment.accelerator.compute_capability
        yield Refusal(
            kind="dtype",
            about="dtype",
            reason=f"{deployment.accelerator.title} has compute capability {capability}, where vLLM computes in "
            f"{' or '.join(card_facts.dtypes)} only",
            source=f"CUDA platform of vLLM {facts.version}",
        )
    yield from float16_refusals(deployment, facts)


def float16_refusals(deployment: Deployment, facts: EngineFacts) -> Iterator[Refusal]:
    """Checked before vLLM looks at its platform: it holds on every accelerator."""
    if deployment.effective_dtype == "float16" and refuses_float16(facts, deployment.model):
        yield Refusal(
            kind="float16",
            about="dtype",
            reason=f"vLLM {facts.version} refuses float16 for {deployment.model.architecture}: "
            "it is numerically unstable",
            source=f"vllm/config/model.py of vLLM {facts.version}",
        )
