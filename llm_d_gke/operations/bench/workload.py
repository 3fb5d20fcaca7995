"""A scenario for one model: its lengths, and whether the plan's estimate is for such requests."""

from __future__ import annotations

from llm_d_gke.operations.bench.result import BenchError
from llm_d_gke.operations.bench.scenario import Scenario, Tokens, scenarios, sized
from llm_d_gke.planning.plan.estimates import CapacityPlan
from llm_d_gke.planning.plan.stack import ModelPlan

# The estimate is for the lengths of models[].load; within this ratio it is held against other ones.
_SAME_LENGTH = 1.25


def workload_of(name: str, model: ModelPlan) -> tuple[Scenario, Tokens]:
    """The scenario of this name, with the lengths of its requests to this model."""
    scenario = scenarios()[name]
    tokens = tokens_of(scenario, model.capacity)
    memory = model.servers[0].memory
    if memory is None:
        return scenario, tokens
    caches = memory.replica_tokens * model.servers[0].replicas
    return sized(scenario, tokens, cached_tokens=caches, longest=memory.max_model_len), tokens


def find_model(models: tuple[ModelPlan, ...], name: str | None) -> ModelPlan:
    """The model of this name in requests, or the first. Raises BenchError for a name that no model has."""
    chosen = next((model for model in models if name in (None, model.served_name)), None)
    if chosen is None:
        raise BenchError(f"the stack serves no model {name}: use {', '.join(model.served_name for model in models)}")
    return chosen


def tokens_of(scenario: Scenario, capacity: CapacityPlan | None) -> Tokens:
    """The scenario's lengths, otherwise those that the stack is planned for."""
    if scenario.tokens is not None:
        return scenario.tokens
    if capacity is None:
        return Tokens(prompt=128, output=128)
    return Tokens(prompt=capacity.prompt_tokens, output=capacity.output_tokens)


def comparable(scenario: Scenario, tokens: Tokens, capacity: CapacityPlan | None) -> CapacityPlan | None:
    """The estimate, where it is for requests like the scenario's."""
    if capacity is None or scenario.shared_prefix is not None:
        return None
    pairs = ((tokens.prompt, capacity.prompt_tokens), (tokens.output, capacity.output_tokens))
    return capacity if all(max(pair) <= _SAME_LENGTH * min(pair) for pair in pairs) else None


def remarks(scenario: Scenario, tokens: Tokens, capacity: CapacityPlan | None, *, rehearsed: bool) -> list[str]:
    """The workload of a result, and figures that must not be compared."""
    sentences = [f"{scenario.title}; {tokens.prompt} prompt and {tokens.output} output tokens"]
    if scenario.shared_prefix is not None:
        sentences[0] += f" after {scenario.shared_prefix.groups} beginnings of {scenario.shared_prefix.system_tokens}"
    if rehearsed:
        sentences.append(
            "A rehearsed stack: engines are simulated with the estimate's own times, so this measures the way to them"
            " and not the accelerator. Tokens are those of a small tokenizer."
        )
    if comparable(scenario, tokens, capacity) is None:
        sentences.append(
            "No estimate beside the figures: "
            + (
                "it does not know shared beginnings."
                if scenario.shared_prefix is not None
                else "the plan has none, or one for requests of other lengths (models[].load)."
            )
        )
    return sentences
