"""Recorded stacks as the policy pack sees them."""

from __future__ import annotations

import copy
import functools
from collections.abc import Mapping
from typing import Any

from llm_d_gke.resource_graph import Recorded
from llm_d_gke.resource_graph.values import jsonable
from llm_d_gke.stackfile import PROJECT_ROOT
from policy.llmd_policy.resources import Resource
from tests.stacks import STACKS, graph_of

EVERY_STACK = (
    *STACKS,
    *sorted(
        path.name.removeprefix("Pulumi.").removesuffix(".yaml")
        for path in (PROJECT_ROOT / "examples").glob("Pulumi.*.yaml")
    ),
)


def _recorded_resource(recorded: Recorded) -> Resource:
    return Resource(urn=recorded.urn, type=recorded.type, name=recorded.name, properties=jsonable(recorded.inputs))


@functools.cache
def _resources(stack: str) -> tuple[Resource, ...]:
    return tuple(_recorded_resource(resource) for resource in graph_of(stack))


def resources_of(stack: str, changes: Mapping[str, Any] | None = None) -> list[Resource]:
    """The resources of a stack, free to be changed."""
    if changes:
        return [_recorded_resource(resource) for resource in graph_of(stack, changes)]
    return copy.deepcopy(list(_resources(stack)))


def one_of(resources: list[Resource], kind: str) -> Any:
    """Properties of the first resource of a kind."""
    return next(resource for resource in resources if resource.kind.rpartition("/")[2] == kind).properties
