"""Random stacks through settings and planning."""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from llm_d_gke.planning import RefusedError, plan_raw


def fuzz(strategy: st.SearchStrategy[dict[str, Any]], examples: int, number: int) -> Counter[str]:
    """Plan so many stacks of a strategy, the same ones for the same number. The outcomes are counted.

    Raises what hypothesis raises: the smallest stack that ends in neither a plan nor findings.
    """
    return Counter(what for what, _ in _outcomes(strategy, examples, number))


def planned(strategy: st.SearchStrategy[dict[str, Any]], count: int, number: int) -> list[dict[str, Any]]:
    """So many stacks of a strategy that have a plan; the later ones, which are less plain."""
    planned_values = [values for what, values in _outcomes(strategy, 3 * count, number) if what == "plan"]
    return planned_values[-count:]


def _outcomes(
    strategy: st.SearchStrategy[dict[str, Any]], examples: int, number: int
) -> list[tuple[str, dict[str, Any]]]:
    results: list[tuple[str, dict[str, Any]]] = []

    @seed(number)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def run(values: dict[str, Any]) -> None:
        results.append((outcome(values), values))

    run()
    return results


def outcome(values: dict[str, Any], stack: str = "fuzz") -> Literal["plan", "findings"]:
    """The outcome of planning a stack. Other exceptions than a refusal are passed on, and so is an empty refusal."""
    try:
        plan_raw(stack, values, frozenset({"huggingFace", "registry"}))
    except RefusedError as refused:
        if not refused.findings or not all((f.path, f.rule, f.fix) for f in refused.findings):
            raise AssertionError(f"refused without saying why: {refused.findings}") from None
        return "findings"
    return "plan"
