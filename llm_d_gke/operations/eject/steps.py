"""The order of the manifests and charts, and what each step waits for, the same as in `pulumi up`."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from llm_d_gke.operations.eject.inputs import NotEjectableError
from llm_d_gke.operations.eject.shell import Words, flag
from llm_d_gke.resource_graph import Graph, Recorded, jsonable
from llm_d_gke.resource_graph.kubernetes import kubernetes_object

RELEASE = "kubernetes:helm.sh/v3:Release"
_WAIT_FOR = "pulumi.com/waitFor"
_PREFIX = "pulumi.com/"
_WAIT = "--timeout=60m"
# Objects that `up` waits for without an annotation, by kind, with kubectl's words for it.
_ROLLOUTS = ("Deployment", "StatefulSet", "DaemonSet")


@dataclass(frozen=True, kw_only=True)
class Step:
    """Resources that need none of each other and are created together."""

    number: int
    objects: tuple[tuple[Recorded, Mapping[str, Any]], ...]
    secrets: tuple[Recorded, ...]
    releases: tuple[Recorded, ...]

    @property
    def folder(self) -> str:
        return f"kubernetes/{self.number:02d}"


def cloud_order(graph: Graph) -> list[Recorded]:
    """The stack's Google Cloud resources in order of dependency."""
    return [item for item in _ordered(graph) if item.type.startswith("gcp:") and not item.read]


def steps_of(graph: Graph) -> tuple[Step, ...]:
    """Steps of manifests, Secrets and charts. A step begins when the one before is ready."""
    levels: dict[str, int] = {}
    for resource in _ordered(graph):
        before = max((levels.get(urn, 0) for urn in graph.waits_for(resource.urn)), default=0)
        levels[resource.urn] = before + (1 if _is_applied(resource) else 0)
    by_level: dict[int, list[Recorded]] = {}
    for resource in graph:
        if _is_applied(resource):
            by_level.setdefault(levels[resource.urn], []).append(resource)
    return tuple(_step(number, by_level[level]) for number, level in enumerate(sorted(by_level), start=1))


def _step(number: int, resources: Iterable[Recorded]) -> Step:
    objects, secrets, releases = [], [], []
    for resource in resources:
        if resource.type == RELEASE:
            releases.append(resource)
        elif _has_secret_values(resource):
            secrets.append(resource)
        else:
            body = kubernetes_object(resource)
            if body is None:
                raise NotEjectableError(f"{resource.urn} is no whole object")
            objects.append((resource, body))
    return Step(number=number, objects=tuple(objects), secrets=tuple(secrets), releases=tuple(releases))


def plain(body: Mapping[str, Any]) -> dict[str, Any]:
    """An object without the annotations that only Pulumi reads."""
    metadata = dict(body["metadata"])
    annotations = {key: value for key, value in (metadata.pop("annotations", None) or {}).items() if _PREFIX not in key}
    metadata |= {"annotations": annotations} if annotations else {}
    return {**body, "metadata": metadata}


def waits(step: Step) -> Iterator[Words]:
    """The kubectl commands that wait for the objects of a step."""
    for _, body in step.objects:
        kind, metadata = str(body["kind"]), body["metadata"]
        group = str(body["apiVersion"]).partition("/")[0] if "/" in str(body["apiVersion"]) else ""
        place = (flag("namespace", metadata["namespace"]),) if metadata.get("namespace") else ()
        name = f"{kind.lower()}{'.' + group if group else ''}/{metadata['name']}"
        annotations = metadata.get("annotations") or {}
        if _WAIT_FOR in annotations:
            for condition in _conditions(annotations[_WAIT_FOR]):
                yield ("kubectl", "wait", name, *place, f"--for={condition}", _WAIT)
        elif annotations.get("pulumi.com/skipAwait") == "true":
            continue
        elif kind in _ROLLOUTS:
            yield ("kubectl", "rollout", "status", name, *place, _WAIT)
        elif kind == "CustomResourceDefinition":
            yield ("kubectl", "wait", name, "--for=condition=Established", _WAIT)


def _conditions(text: str) -> list[str]:
    """`pulumi.com/waitFor` holds one expression, or a JSON list of which all must hold."""
    return [str(item) for item in json.loads(text)] if text.startswith("[") else [text]


def helm_command(release: Recorded) -> Words:
    """The command that installs a chart at its version, and returns when it is ready."""
    inputs = jsonable(release.inputs)
    words = ["helm", "upgrade", "--install", inputs["name"], inputs["chart"]]
    words += [flag("version", inputs["version"]), flag("namespace", inputs["namespace"])]
    repository = (inputs.get("repositoryOpts") or {}).get("repo")
    words += [flag("repo", repository)] if repository else []
    words += [flag("values", values_file(release)), flag("timeout", f"{int(inputs.get('timeout') or 300)}s")]
    words += ["--atomic"] if inputs.get("atomic") else ["--wait"]
    return tuple(words)


def values_file(release: Recorded) -> str:
    return f"charts/{release.inputs['name']}.yaml"


def secret_command(resource: Recorded) -> str:
    """The command that creates a Secret from environment variables, with the labels of the stack's."""
    body = kubernetes_object(resource)
    assert body is not None
    metadata = body["metadata"]
    keys = [*(body.get("stringData") or {}), *(body.get("data") or {})]
    literals = " ".join(f'--from-literal={shlex.quote(key)}="${{{variable(metadata["name"], key)}:?}}"' for key in keys)
    create = f"kubectl create secret generic {metadata['name']} --namespace={metadata['namespace']} {literals}"
    create += f" --type={body['type']}" if body.get("type") else ""
    labels = " ".join(f"{key}={value}" for key, value in (metadata.get("labels") or {}).items())
    label = f" \\\n  | kubectl label --local --filename=- --output=yaml {labels}" if labels else ""
    return f"{create} --dry-run=client --output=yaml{label} \\\n  | kubectl apply --server-side --filename=-"


def variables(step: Step) -> dict[str, str]:
    """The environment variables with the values of a step's Secrets, and the place of each value, by name."""
    places: dict[str, str] = {}
    for resource in step.secrets:
        body = kubernetes_object(resource)
        assert body is not None
        keys = [*(body.get("stringData") or {}), *(body.get("data") or {})]
        secret = body["metadata"]["name"]
        places |= {variable(secret, key): f"{key} of Secret {secret}" for key in keys}
    return places


def variable(secret: str, key: str) -> str:
    """SECRET_<name>_<key> in the characters that a variable may have."""
    return "SECRET_" + "".join(char if char.isalnum() else "_" for char in f"{secret}_{key}".upper())


def _has_secret_values(resource: Recorded) -> bool:
    """Whether it is a Secret with values. Kubernetes fills one without, whose manifest holds nothing."""
    return resource.inputs.get("kind") == "Secret" and any(resource.inputs.get(key) for key in ("data", "stringData"))


def _is_applied(resource: Recorded) -> bool:
    return resource.custom and not resource.read and resource.type.startswith("kubernetes:")


def _ordered(graph: Graph) -> list[Recorded]:
    """All resources, each after what it waits for."""
    done: dict[str, Recorded] = {}

    def visit(urn: str) -> None:
        resource = graph.find(urn)
        if resource is None or urn in done:
            return
        for before in graph.waits_for(urn):
            visit(before)
        done[urn] = resource

    for resource in graph:
        visit(resource.urn)
    return list(done.values())
