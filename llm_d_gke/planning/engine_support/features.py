"""Features that vLLM has only for models whose class declares an interface: adapters, pipelines, heads of EAGLE-3."""

from __future__ import annotations

from collections.abc import Iterator

from llm_d_gke.catalog.engine_tables import EngineFacts
from llm_d_gke.planning.engine_support.deployment import Deployment, Refusal

_SOURCE = "interfaces of the model's class, vllm/model_executor/models of vLLM {version}"


def feature_refusals(deployment: Deployment, facts: EngineFacts) -> Iterator[Refusal]:
    """One refusal at most: the engine ends at the first."""
    name, source = deployment.model.architecture, _SOURCE.format(version=facts.version)
    lacking = {feature: name in names for feature, names in facts.lacking_interfaces.items()}
    if deployment.pipeline_parallel > 1 and lacking.get("pipeline"):
        yield Refusal(
            kind="model-feature",
            about="pipelineParallel",
            reason=f"vLLM {facts.version} cannot cut {name} into pipeline stages, and ends while it is configured",
            source=source,
        )
    elif deployment.adapters and lacking.get("adapters"):
        yield Refusal(
            kind="model-feature",
            about="adapters",
            reason=f"vLLM {facts.version} has no LoRA adapters for {name}, and ends once the weights are loaded",
            source=source,
        )
    elif deployment.speculative_method == "eagle3" and (lacking.get("eagle3") or not _is_listed(name, facts)):
        yield Refusal(
            kind="model-feature",
            about="speculativeDecoding",
            reason=f"vLLM {facts.version} does not hand the inner layers of {name} to a head of EAGLE-3, and ends"
            " at its start",
            source=source,
        )


def _is_listed(architecture: str, facts: EngineFacts) -> bool:
    """Whether the version's list of model types for EAGLE-3 has this one: it compares parts of names."""
    family = architecture.partition("For")[0].lower()
    listed = facts.eagle3_model_types
    return not listed or any(name.replace("_", "") in family for name in listed)
