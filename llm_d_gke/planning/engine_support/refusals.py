"""Every refusal of one deployment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.catalog.engine_tables import EngineFacts, facts_of, load_facts, versions
from llm_d_gke.planning.engine_support.adapters import adapters_refusals
from llm_d_gke.planning.engine_support.attention import attention_outcomes, attention_refusals
from llm_d_gke.planning.engine_support.cache_dtype import cache_refusals
from llm_d_gke.planning.engine_support.deployment import Deployment, Refusal
from llm_d_gke.planning.engine_support.dtypes import dtype_refusals, float16_refusals
from llm_d_gke.planning.engine_support.experts import experts_refusals
from llm_d_gke.planning.engine_support.features import feature_refusals
from llm_d_gke.planning.engine_support.quantization import quantization_refusals
from llm_d_gke.planning.engine_support.tpu import tpu_refusals


def refusals_of(deployment: Deployment) -> list[Refusal]:
    """All reasons for which this version refuses the deployment. Empty if none is known."""
    name, engine = deployment.model.architecture, load_engine()
    since = engine.architectures.get(name)
    if since is not None and not engine.has(deployment.version, since):
        return [_architecture_since(deployment.version, name, since)]
    tables = facts_of(deployment.version)
    if not tables:
        return list(_before_every_table(deployment))
    speaking = [facts for facts in tables if since is None or name in facts.architectures]
    by_table = [list(_refusals(deployment, facts)) for facts in speaking]
    if not by_table:
        return []
    # Two tables speak for a version between them: what only one of them refuses is not certain.
    kinds = [{refusal.kind for refusal in table_refusals} for table_refusals in by_table]
    if len(speaking) < len(tables):
        kinds.append(set())
    shared = set.intersection(*kinds)
    refusals = {
        refusal.kind: replace(refusal, certain=refusal.certain and refusal.kind in shared)
        for table_refusals in by_table
        for refusal in table_refusals
    }
    return list(refusals.values())


def _before_every_table(deployment: Deployment) -> Iterator[Refusal]:
    """A card that is too old for the oldest table's kernels: those of older versions need at least as much.

    The minimum of each method is the same in 0.7.3 and 0.11.2 (get_min_capability, model_executor/layers/quantization).
    """
    if deployment.accelerator.kind == "gpu":
        for refusal in quantization_refusals(deployment, load_facts(versions()[0])):
            if refusal.kind == "quantization-capability":
                yield refusal


def is_known(deployment: Deployment) -> bool:
    """Whether the tables hold every fact that decides on the deployment."""
    tables = facts_of(deployment.version)
    if not tables or not any(deployment.model.architecture in facts.architectures for facts in tables):
        return False
    if deployment.accelerator.kind == "tpu":
        return all(facts.tpu is not None for facts in tables)
    return all(outcome is not None for facts in tables for _, outcome in attention_outcomes(deployment, facts))


def _refusals(deployment: Deployment, facts: EngineFacts) -> Iterator[Refusal]:
    later = _architecture(deployment, facts)
    if later is not None:
        yield later
        return
    if deployment.accelerator.kind == "tpu":
        yield from float16_refusals(deployment, facts)
        if facts.tpu is not None and deployment.sized:
            yield from tpu_refusals(deployment, facts, facts.tpu)
        return
    card_facts = facts.for_capability(deployment.accelerator.compute_capability or 0.0)
    if card_facts is None:
        # The table was written before this card existed: only the rules for every card apply.
        yield from float16_refusals(deployment, facts)
    else:
        yield from dtype_refusals(deployment, facts, card_facts)
        if deployment.sized:
            yield from attention_refusals(deployment, facts)
            yield from cache_refusals(deployment, facts, card_facts)
            yield from experts_refusals(deployment, facts, card_facts)
    if deployment.sized:
        yield from feature_refusals(deployment, facts)
        yield from adapters_refusals(deployment, facts)
    yield from quantization_refusals(deployment, facts)


def _architecture(deployment: Deployment, facts: EngineFacts) -> Refusal | None:
    """An architecture that a later version has, or none any more. Others may come with the model's own code."""
    name = deployment.model.architecture
    if name in facts.architectures:
        return None
    if name in facts.former_architectures:
        return Refusal(
            kind="architecture",
            about="id",
            reason=dropped(facts, name),
            source=f"model registry of vLLM {facts.version}",
        )
    since = next((other.version for other in _tables_after(facts) if name in other.architectures), None)
    if since is None:
        return None
    return _architecture_since(facts.version, name, since)


def _architecture_since(version: str, name: str, since: str) -> Refusal:
    return Refusal(
        kind="architecture",
        about="id",
        reason=f"vLLM {version} has no implementation of {name}, which vLLM {since} has",
        source=f"model registry of vLLM {version}",
    )


def dropped(facts: EngineFacts, name: str) -> str:
    return (
        f"vLLM {facts.version} has no {name} any more, the last one that has it is {facts.former_architectures[name]}"
    )


def _tables_after(facts: EngineFacts) -> Iterator[EngineFacts]:
    for version in versions():
        other = load_facts(version)
        if other.number > facts.number:
            yield other
