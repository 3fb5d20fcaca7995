"""The resources of a step, by URN."""

from __future__ import annotations

from collections.abc import Set

from llm_d_gke.planning.upgrades.step import Step
from llm_d_gke.resource_graph import Graph, Recorded


def targets_of(step: Step, graph: Graph, existing: Set[str]) -> list[str]:
    """URNs that a targeted update of the step needs: its components with all children, and what these need.

    A dependency is needed where it does not exist: a targeted update creates nothing else. `graph`
    is that of the stack after the upgrade.
    """
    parts = {(part.type, part.name) for part in step.parts}
    roots = [resource for resource in graph if (resource.type, resource.name) in parts]
    own = {resource.urn for root in roots for resource in (root, *graph.descendants(root))}
    missing = {urn for resource in own for urn in graph.dependencies_of(resource) if urn not in existing}
    return sorted(urn for urn in own | missing if not _is_stack(graph.find(urn)))


def _is_stack(resource: Recorded | None) -> bool:
    return resource is not None and resource.type == "pulumi:pulumi:Stack"
