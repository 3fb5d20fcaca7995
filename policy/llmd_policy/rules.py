"""The rules: each with an id, parameters with their defaults and schema, and a check over all resources of a stack."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from . import cloud, credentials, edge, models
from .pods import broken_rules, exception_of, hygiene, image_problem, lifted_by, loosened, moves, tags_of
from .resources import Part, Pod, Resource, Violation, parts_of, pods_of

Parameters = Mapping[str, Any]
Check = Callable[[Sequence[Resource], Parameters], list[Violation]]
_STRINGS: Mapping[str, Any] = {"type": "array", "items": {"type": "string"}}


@dataclass(frozen=True, kw_only=True)
class PolicyRule:
    """One rule. `parameters` are the defaults, `schema` their JSON schema by name."""

    id: str
    summary: str
    check: Check
    parameters: Parameters = field(default_factory=dict)
    schema: Mapping[str, Any] = field(default_factory=dict)


def _pods(resources: Sequence[Resource]) -> Iterator[Pod]:
    for resource in resources:
        yield from pods_of(resource)


def _parts(resources: Sequence[Resource]) -> Iterator[Part]:
    for resource in resources:
        yield from parts_of(resource)


def _of(pod: Pod | Part, text: str) -> Violation:
    where = f"{pod.resource.kind} {pod.resource.object_name}"
    place = f" ({pod.place})" if pod.place else ""
    return Violation(resource=pod.resource.object_name, message=f"{where}{place}: {text}", urn=pod.resource.urn)


def _pod_security(resources: Sequence[Resource], parameters: Parameters) -> list[Violation]:
    allowed, violations = parameters["exceptions"], []
    for pod in _pods(resources):
        exception = exception_of(pod)
        lifted = lifted_by(exception) if exception in allowed else frozenset()
        violations += [
            _of(pod, f"{place} breaks {rule} of Pod Security restricted, and no exception says why")
            for rule, place in broken_rules(pod)
            if rule not in lifted
        ]
        if exception is not None and not any(True for _ in broken_rules(pod)):
            violations.append(_of(pod, f"claims the exception {exception} and breaks no rule"))
    violations += [
        _of(part, f"states what breaks {rule} of Pod Security restricted")
        for part in _parts(resources)
        for rule in loosened(part)
    ]
    return violations + [
        _of(part, "has no label that enforces a level of Pod Security")
        for part in _parts(resources)
        if part.resource.kind == "Namespace" and part.place == "" and not _is_enforced(part.fields)
    ]


def _is_enforced(namespace: Mapping[str, Any]) -> bool:
    labels = (namespace.get("metadata") or {}).get("labels") or {}
    return "pod-security.kubernetes.io/enforce" in labels


def _pod_hygiene(resources: Sequence[Resource], _: Parameters) -> list[Violation]:
    return [_of(pod, text) for pod in _pods(resources) for text in hygiene(pod)]


def _images(resources: Sequence[Resource], parameters: Parameters) -> list[Violation]:
    violations = []
    for pod in _pods(resources):
        for where, image in _images_of(pod):
            problem = image_problem(image, digests=parameters["digests"], registries=parameters["registries"])
            # Without an image another controller fills it in.
            if image and problem is not None:
                violations.append(_of(pod, f"the image {image} of {where} {problem}"))
    return violations + [
        _of(part, f"the tag {tag} moves") for part in _parts(resources) for tag in tags_of(part) if moves(tag)
    ]


def _images_of(pod: Pod) -> Iterator[tuple[str, str]]:
    for container in pod.containers:
        yield f"container {container['name']}", str(container.get("image") or "")
    for volume in pod.spec.get("volumes") or ():
        if "image" in volume:
            yield f"volume {volume.get('name')}", str((volume["image"] or {}).get("reference") or "")


def _models(resources: Sequence[Resource], parameters: Parameters) -> list[Violation]:
    if not parameters["allowed"]:
        return []
    return [
        _of(holder, f"the model {model} is not among {', '.join(parameters['allowed'])}")
        for holder, served in _served(resources)
        for model in dict.fromkeys(model.id for model in served)
        if not any(fnmatchcase(model, pattern) for pattern in parameters["allowed"])
    ]


def _licenses(resources: Sequence[Resource], parameters: Parameters) -> list[Violation]:
    """By the licenses that the parameters give models. One without any was never judged, and is a violation."""
    allowed, licenses = parameters["allowed"], parameters["licenses"]
    violations = []
    for holder, served in _served(resources) if allowed else ():
        for model in dict.fromkeys(model.id for model in served):
            name = next((licenses[pattern] for pattern in licenses if fnmatchcase(model, pattern)), None)
            if name is None:
                violations.append(_of(holder, f"no license is stated for the model {model}"))
            elif name not in allowed:
                violations.append(_of(holder, f"the model {model} has the license {name}, not {' or '.join(allowed)}"))
    return violations


def _weights(resources: Sequence[Resource], parameters: Parameters) -> list[Violation]:
    """Models of the Hub without a commit. Weights in a bucket, a volume or an image are a path, and have none."""
    if not parameters["required"]:
        return []
    return [
        _of(holder, f"the weights of {model} are those of a branch or tag, which moves: --revision has to be a commit")
        for holder, served in _served(resources)
        for model in dict.fromkeys(model.id for model in served if not model.pinned)
        if not model.startswith("/")
    ]


def _served(resources: Sequence[Resource]) -> Iterator[tuple[Pod | Part, list[models.ServedModel]]]:
    """Models by what loads them: the programs of a pod, and KServe by the address of a service."""
    for pod in _pods(resources):
        yield pod, list(models.of_pod(pod))
    for part in _parts(resources):
        yield part, list(models.of_address(part))


RULES: tuple[PolicyRule, ...] = (
    PolicyRule(
        id="public-endpoint",
        summary="What the internet reaches asks clients who they are, in HTTPS.",
        check=edge.public_endpoints,
        parameters={"authentication": True, "tls": True},
        schema={"authentication": {"type": "boolean"}, "tls": {"type": "boolean"}},
    ),
    PolicyRule(
        id="pod-security",
        summary="Every pod keeps Pod Security restricted, other than by a typed exception.",
        check=_pod_security,
        parameters={"exceptions": ["runAsNonRoot", "capabilities", "privileged"]},
        schema={"exceptions": _STRINGS},
    ),
    PolicyRule(
        id="pod-hygiene",
        summary="Pods have limits, a read-only root, an account of their own and no secret in their environment.",
        check=_pod_hygiene,
    ),
    PolicyRule(
        id="no-clear-secrets",
        summary="No token, key or password stands outside of a Secret, in whatever object.",
        check=credentials.clear_secrets,
    ),
    PolicyRule(
        id="pinned-images",
        summary="Images have a digest, or a tag that does not move, and come from the allowed registries.",
        check=_images,
        parameters={"digests": False, "registries": []},
        schema={"digests": {"type": "boolean"}, "registries": _STRINGS},
    ),
    PolicyRule(
        id="allowed-models",
        summary="Only allowed models are served; * stands for any part, none for all.",
        check=_models,
        parameters={"allowed": []},
        schema={"allowed": _STRINGS},
    ),
    PolicyRule(
        id="allowed-licenses",
        summary="Only models of allowed licenses are served; none for all.",
        check=_licenses,
        parameters={"allowed": [], "licenses": {}},
        schema={"allowed": _STRINGS, "licenses": {"type": "object", "additionalProperties": {"type": "string"}}},
    ),
    PolicyRule(
        id="pinned-weights",
        summary="Weights of the Hub are those of a commit, where that is required.",
        check=_weights,
        parameters={"required": False},
        schema={"required": {"type": "boolean"}},
    ),
    PolicyRule(
        id="allowed-regions",
        summary="Resources are in allowed regions; none for all.",
        check=cloud.regions,
        parameters={"allowed": []},
        schema={"allowed": _STRINGS},
    ),
    PolicyRule(
        id="allowed-accelerators",
        summary="Node pools have allowed accelerators; none for all.",
        check=cloud.accelerators,
        parameters={"allowed": []},
        schema={"allowed": _STRINGS},
    ),
    PolicyRule(
        id="production",
        summary="Production stacks are protected from deletion and use no spot nodes.",
        check=cloud.production,
        parameters={"labels": {"environment": "production"}},
        schema={"labels": {"type": "object", "additionalProperties": {"type": "string"}}},
    ),
    PolicyRule(
        id="required-labels",
        summary="Clusters and node pools have the required labels.",
        check=cloud.labels,
        parameters={"required": []},
        schema={"required": _STRINGS},
    ),
    PolicyRule(
        id="monthly-ceiling",
        summary="All node pools at their largest cost no more than the ceiling, in US dollars a month; 0 for none.",
        check=cloud.ceiling,
        parameters={"usd": 0, "prices": {}},
        schema={
            "usd": {"type": "number"},
            "prices": {"type": "object", "additionalProperties": {"type": "number"}},
        },
    ),
    PolicyRule(
        id="hardened-nodes",
        summary="Nodes have secure boot, GKE_METADATA and an account of their own.",
        check=cloud.nodes,
    ),
)
