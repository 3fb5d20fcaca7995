"""A pattern is one module: every other part of planning calls it and does not compare its name."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import get_args

import pytest

from llm_d_gke import planning
from llm_d_gke.planning.patterns import PATTERNS, pattern_of
from llm_d_gke.settings import StackSettings
from llm_d_gke.settings.stack import Pattern as Name
from llm_d_gke.stackfile import PROJECT_ROOT, project_stacks, stack_file
from tests.stacks import plan_of, values_of

PLANNING = Path(planning.__file__).parent


def comparisons(setting: str) -> set[str]:
    """Modules of planning that compare a setting of the stack with a name."""
    modules = set()
    for path in PLANNING.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            sides = [node.left, *node.comparators] if isinstance(node, ast.Compare) else []
            names = any(_is_a_choice(side) for side in sides)
            if names and any(isinstance(side, ast.Attribute) and side.attr == setting for side in sides):
                modules.add(str(path.relative_to(PLANNING)))
    return modules


def _is_a_choice(side: ast.expr) -> bool:
    """A name, several, or a constant of the module that holds them."""
    literal = isinstance(side, ast.Constant | ast.Tuple | ast.List | ast.Set)
    return literal or (isinstance(side, ast.Name) and side.id.isupper())


def settings_of(name: str) -> StackSettings:
    return StackSettings.model_validate(values_of("gpu", {"pattern": name}))


def test_every_name_has_a_pattern() -> None:
    assert tuple(PATTERNS) == get_args(Name)
    assert all(pattern_of(settings_of(name)).name == name for name in get_args(Name))


@pytest.mark.parametrize("name", get_args(Name))
def test_every_pattern_has_an_example(name: str) -> None:
    files = [stack_file(PROJECT_ROOT, stack) for stack in project_stacks()]
    text = f"llm-d:pattern: {name}\n"
    default = StackSettings.model_fields["pattern"].default
    assert any(
        text in content or (name == default and "llm-d:pattern:" not in content)
        for content in (path.read_text(encoding="utf-8") for path in files)
    )


def test_no_other_module_compares_the_pattern() -> None:
    assert comparisons("pattern") == set()


def test_no_module_compares_the_deployment() -> None:
    assert comparisons("deployment") == set()


def test_requests_arrive_at_decode_servers() -> None:
    servers = plan_of("disaggregated-gpu").models[0].servers
    assert [server.role for server in servers] == ["decode", "prefill"]


def test_only_several_models_take_a_router() -> None:
    plans = {stack: plan_of(stack) for stack in ("gpu", "multi-model-gpu", "prefix-cache-gpu")}
    assert {stack for stack, plan in plans.items() if plan.router is not None} == {"multi-model-gpu"}
    assert {stack for stack, plan in plans.items() if plan.models_endpoint is not None} == {"multi-model-gpu"}
