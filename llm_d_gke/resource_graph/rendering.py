"""A recorded graph as files: `resources.json` with every resource, `manifests/` with every Kubernetes object.

The text depends on the graph only: no times, no paths of this machine, no order of arrival. Nothing secret is written.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from llm_d_gke.go_yaml import dump_yaml
from llm_d_gke.resource_graph import Graph, Recorded, Value, jsonable
from llm_d_gke.resource_graph.kubernetes import kubernetes_object

CLUSTER = "_cluster"
HEADER_KEYS = ("apiVersion", "kind", "metadata")


class DuplicateObjectError(ValueError):
    """Two resources define the same Kubernetes object, so they would overwrite each other at every update."""


@dataclass(frozen=True)
class Rendered:
    """The output of a rendering: the file of all resources, the manifests in order, the count of stale ones removed."""

    resources: Path
    manifests: tuple[Path, ...]
    removed: int


def render(graph: Graph, out: Path) -> Rendered:
    """Write a graph below the folder `out`, which is created if missing.

    `resources.json` is a list of `{urn, type, name, parent, dependencies, propertyDependencies, options, inputs}` by
    URN; options only where they differ from the default, the provider among them. Each object is
    `manifests/<namespace>/<kind>-<name>.yaml`, kind in lower case, with `_cluster` for the namespace of an object that
    names none. A secret reads `[secret]`, or in `data` of a Secret its base64, an unknown `[unknown]`. YAML files of an
    earlier rendering that have no object any more are removed; other files stay. Raises DuplicateObjectError before
    anything is written.
    """
    texts = {out / "manifests" / path: text for path, text in manifests(graph).items()}
    resources = out / "resources.json"
    out.mkdir(parents=True, exist_ok=True)
    resources.write_text(resources_json(graph), encoding="utf-8")
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return Rendered(resources, tuple(texts), _remove_stale(out / "manifests", texts))


def resources_json(graph: Graph) -> str:
    """The text of `resources.json`."""
    listed = [_listed(resource) for resource in graph.resources]
    return json.dumps(listed, indent=2, ensure_ascii=False) + "\n"


def manifests(graph: Graph) -> dict[Path, str]:
    """Every Kubernetes object's text by its path below `manifests/`, in the order of the paths."""
    objects = [(resource, body) for resource in graph.resources if (body := kubernetes_object(resource)) is not None]
    path_by_object: dict[tuple[str, str, Path], str] = {}
    for resource, body in objects:
        key = (_group(body), body["kind"], _path(body, with_group=False))
        if key in path_by_object:
            raise DuplicateObjectError(
                f"{path_by_object[key]} and {resource.urn} are the same object: {body['kind']} {key[2]}"
            )
        path_by_object[key] = resource.urn
    # Kinds of the same name in different API groups, such as InferencePool, get the group in their file name.
    shared = Counter(path for _, _, path in path_by_object)
    paths = {}
    for _, body in objects:
        path = _path(body, with_group=shared[_path(body, with_group=False)] > 1)
        paths[path] = yaml_text(body)
    return dict(sorted(paths.items()))


def cloud_resources(graph: Graph) -> dict[Path, str]:
    """The inputs of every resource of Google Cloud as text, by kind and logical name."""
    return {
        Path(
            resource.type.split(":")[0], f"{resource.type.rpartition(':')[2].lower()}-{resource.name}.yaml"
        ): dump_yaml(_sorted(jsonable(resource.inputs)), width=2**16)
        for resource in graph.resources
        if resource.type.startswith("gcp:")
    }


def yaml_text(body: Mapping[str, Value]) -> str:
    """One object as YAML: apiVersion, kind and metadata first, all other keys sorted, texts of many lines as blocks."""
    rest = sorted(key for key in body if key not in HEADER_KEYS)
    ordered = {key: _sorted(body[key]) for key in (*HEADER_KEYS, *rest) if key in body}
    return dump_yaml(ordered, width=2**16)


def _listed(resource: Recorded) -> dict[str, Value]:
    return {
        "urn": resource.urn,
        "type": resource.type,
        "name": resource.name,
        "parent": resource.parent,
        "dependencies": list(resource.dependencies),
        "propertyDependencies": {key: list(urns) for key, urns in resource.property_dependencies.items()},
        "options": dict(_options(resource)),
        "inputs": _sorted(jsonable(resource.inputs)),
    }


def _options(resource: Recorded) -> Iterator[tuple[str, Value]]:
    if resource.provider is not None:
        yield "provider", resource.provider
    if resource.read:
        yield "id", resource.id
    for option in fields(resource.options):
        value = getattr(resource.options, option.name)
        if value not in (None, False, (), {}) or (value is False and option.default is None):
            first, *others = option.name.split("_")
            yield first + "".join(word.capitalize() for word in others), _sorted(jsonable(value))


def _path(body: Mapping[str, Value], *, with_group: bool) -> Path:
    metadata = body["metadata"]
    kind = str(body["kind"]).lower()
    if with_group:
        kind = f"{kind}.{_group(body) or 'core'}"
    name = metadata.get("name") or metadata["generateName"]
    return Path(str(metadata.get("namespace") or CLUSTER)) / f"{kind}-{name}.yaml"


def _group(body: Mapping[str, Value]) -> str:
    version = str(body["apiVersion"])
    return version.split("/", 1)[0] if "/" in version else ""


def _sorted(value: Value) -> Value:
    if isinstance(value, Mapping):
        return {key: _sorted(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [_sorted(item) for item in value]
    return value


def _remove_stale(folder: Path, written: Iterable[Path]) -> int:
    keep = set(written)
    stale = [path for path in folder.glob("*/*.yaml") if path not in keep]
    for path in stale:
        path.unlink()
    for namespace in {path.parent for path in stale}:
        if not any(namespace.iterdir()):
            namespace.rmdir()
    return len(stale)
