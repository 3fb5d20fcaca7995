"""Fields of rendered objects and of the stack's outputs by their path, and the plan's own leaves."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from operator import itemgetter
from typing import Any

from pydantic import SecretStr

from llm_d_gke.cli.exits import RefusedInputError
from llm_d_gke.resource_graph import Graph, Recorded, jsonable
from llm_d_gke.resource_graph.kubernetes import kubernetes_object
from llm_d_gke.resource_graph.model import STACK_TYPE


class FieldError(RefusedInputError):
    """Raised for an unknown object or field. The message lists the existing ones."""


MISSING = "(absent)"
OUTPUTS = "outputs"


@dataclass(frozen=True)
class FieldPath:
    """`Deployment/gemma-2b-it-vllm spec.replicas` in parts: kind, name, and keys or indices.

    The stack's outputs are of the kind `outputs` and have no name: `outputs hourlyCost.running`.
    """

    kind: str
    name: str
    parts: tuple[str | int, ...]

    def __str__(self) -> str:
        return f"{named(self.kind, self.name)} {''.join(map(_path_text, self.parts)).lstrip('.')}"


def named(kind: str, name: str) -> str:
    return f"{kind}/{name}" if name else kind


def _path_text(part: str | int) -> str:
    if isinstance(part, int):
        return f"[{part}]"
    return f".{part}" if re.fullmatch(r"[^.\[\]\"']+", part) else f'["{part}"]'


def parse(text: str) -> FieldPath:
    """Parse a field path. Keys that contain dots are in brackets: `metadata.labels["app.kubernetes.io/name"]`."""
    match = re.fullmatch(rf"\s*(?:([A-Za-z]+)/(\S+)|{OUTPUTS})\s+(\S.*?)\s*", text)
    if match is None:
        raise FieldError(
            f"{text!r} is no field: write Kind/name path.to.field[0], as in Deployment/x spec.replicas,"
            f" or {OUTPUTS} hourlyCost.running"
        )
    parts: list[str | int] = []
    for quoted, index, name in re.findall(r"\[[\"']([^\"']*)[\"']\]|\[(\d+)\]|([^.\[\]]+)", match[3]):
        parts.append(int(index) if index else quoted or name)
    return FieldPath(match[1] or OUTPUTS, match[2] or "", tuple(parts))


Objects = Mapping[tuple[str, str], tuple[Recorded, Mapping[str, Any]]]
"""By kind and name: the resource and the body of everything that is made, and the outputs as the stack's own."""


def objects(graph: Graph) -> Objects:
    """Kubernetes objects by their own name, Google Cloud's resources by their logical one."""
    objects_by_name: dict[tuple[str, str], tuple[Recorded, Mapping[str, Any]]] = {}
    if graph.outputs:
        outputs = {key: jsonable(value) for key, value in graph.outputs.items()}
        objects_by_name[OUTPUTS, ""] = (graph.one(STACK_TYPE), outputs)
    for resource in graph.resources:
        if not resource.custom or resource.type.startswith("pulumi:"):
            continue
        body = kubernetes_object(resource)
        if body is not None:
            objects_by_name[str(body["kind"]), str(body["metadata"].get("name", resource.name))] = (resource, body)
        else:
            values = {key: jsonable(value) for key, value in resource.inputs.items()}
            objects_by_name[resource.type.rpartition(":")[2], resource.name] = (resource, values)
    return objects_by_name


def places_of(available: Objects, text: str, most: int = 6) -> list[str]:
    """Paths of fields with the name that `text` ends with, or else with a similar one."""
    name = re.split(r"[.\s]", text.strip())[-1]
    owners = sorted(available.items(), key=itemgetter(0))
    paths = [FieldPath(*owner, parts) for owner, (_, body) in owners for parts in _all_parts(body)]
    names = {path.parts[-1] for path in paths if isinstance(path.parts[-1], str)}
    similar = {name} if name in names else {*difflib.get_close_matches(name, map(str, names), n=1, cutoff=0.8)}
    return [str(path) for path in paths if path.parts[-1] in similar][:most]


def listing(available: Objects) -> str:
    """What a path may begin with: every object by kind and name, and the fields of the outputs."""
    names = sorted(named(kind, name) for kind, name in available if kind != OUTPUTS)
    fields_of_outputs = [
        f"{OUTPUTS} {field}" for key, (_, body) in available.items() if key[0] == OUTPUTS for field in body
    ]
    return ", ".join([*fields_of_outputs, *names])


def _all_parts(body: object, above: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    items = body.items() if isinstance(body, Mapping) else enumerate(body) if isinstance(body, list | tuple) else ()
    for step, item in items:
        yield (*above, step)
        yield from _all_parts(item, (*above, step))


def find(available: Objects, path: FieldPath) -> tuple[Recorded, Mapping[str, Any]]:
    """The object a path begins at. Raises FieldError with the names there are."""
    match = available.get((path.kind, path.name))
    if match is None:
        names = sorted(named(kind, name) for kind, name in available if kind.lower() == path.kind.lower())
        kinds = sorted({kind for kind, _ in available})
        raise FieldError(f"there is no {named(path.kind, path.name)}; there are {', '.join(names or kinds)}")
    return match


# What only the stack's outputs tell: figures about the plan, not parts of it.
_FIGURES = {".cost", ".timeline", ".capacity", ".memory", ".latency", ".warnings", ".hardware"}


def members(part: object) -> Iterator[tuple[str, object]]:
    """What a part of a plan is made of, with the step to it: `.field`, `[key]` or `[index]`. A leaf has none."""
    if is_dataclass(part):
        for plan_field in fields(part):
            yield f".{plan_field.name}", getattr(part, plan_field.name)
    elif isinstance(part, Mapping | tuple | list):
        for key, item in part.items() if isinstance(part, Mapping) else enumerate(part):
            yield f"[{key}]", item


def plan_leaves(part: object, path: str = "", *, figures: bool = False) -> Iterator[tuple[str, object]]:
    """Every leaf of a plan by its path, optionally with the figures about the plan.

    Secrets are compared by their text, so that another one is a difference.
    """
    below = _members(part, figures=figures)
    for step, item in below.items():
        yield from plan_leaves(item, path + step, figures=figures)
    if not below:
        yield path.lstrip("."), part.get_secret_value() if isinstance(part, SecretStr) else part


def changed_leaves(before: object, after: object, path: str = "", *, figures: bool = False) -> Iterator[str]:
    """Paths of leaves that two plans do not share with the same value.

    Equal parts are skipped whole: most changes reach a small part of a plan, and listing all leaves takes longer than
    planning.
    """
    if before == after:
        return
    first, second = _members(before, figures=figures), _members(after, figures=figures)
    if not first or not second or (is_dataclass(before) and type(before) is not type(after)):
        for part in (before, after):
            yield from (leaf for leaf, _ in plan_leaves(part, path, figures=figures))
        return
    for step in {**first, **second}:
        if step in first and step in second:
            yield from changed_leaves(first[step], second[step], path + step, figures=figures)
        else:
            only = first.get(step, second.get(step))
            yield from (leaf for leaf, _ in plan_leaves(only, path + step, figures=figures))


def _members(part: object, *, figures: bool) -> dict[str, object]:
    return {step: item for step, item in members(part) if figures or step not in _FIGURES}
