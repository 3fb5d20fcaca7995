"""Rules about Google Cloud: regions, accelerators, production, labels, cost, nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .resources import Resource, Violation, pods_of

CLUSTER = "gcp:container/cluster:Cluster"
POOL = "gcp:container/nodePool:NodePool"
_HOURS = 730
# Labels by which a pod asks GKE for its node.
_GPU, _TPU, _SPOT = (f"cloud.google.com/gke-{name}" for name in ("accelerator", "tpu-accelerator", "spot"))
# Machine families of TPUs by that label (docs.cloud.google.com/kubernetes-engine/docs/concepts/plan-tpus).
_FAMILIES = {
    "tpu-v4-podslice": "ct4p",
    "tpu-v5-lite-podslice": "ct5lp",
    "tpu-v5p-slice": "ct5p",
    "tpu-v6e-slice": "ct6e",
    "tpu7x": "tpu7x",
}


def _violation(resource: Resource, text: str) -> Violation:
    return Violation(
        resource=resource.object_name,
        message=f"{resource.kind.rpartition('/')[2]} {resource.object_name}: {text}",
        urn=resource.urn,
    )


def _clusters(resources: Sequence[Resource]) -> list[Resource]:
    return [resource for resource in resources if resource.type == CLUSTER]


def _pools(resources: Sequence[Resource]) -> list[Resource]:
    return [resource for resource in resources if resource.type == POOL]


def regions(resources: Sequence[Resource], parameters: Mapping[str, Any]) -> list[Violation]:
    """By region or location of every resource; a zone is in the region it begins with."""
    allowed, violations = parameters["allowed"], []
    for resource in resources if allowed else ():
        if not resource.type.startswith("gcp:"):
            continue
        place = resource.properties.get("region") or resource.properties.get("location")
        if isinstance(place, str) and "-".join(place.split("-")[:2]) not in allowed:
            violations.append(_violation(resource, f"is in {place}, and the allowed regions are {', '.join(allowed)}"))
    return violations


def accelerators(resources: Sequence[Resource], parameters: Mapping[str, Any]) -> list[Violation]:
    """GPUs by their type, TPUs by the family of their machine (`ct6e` of `ct6e-standard-4t`).

    Where GKE creates the nodes, by what ComputeClasses and pods ask for.
    """
    allowed = parameters["allowed"]
    if not allowed:
        return []
    pools = [(pool, accelerator) for pool in _pools(resources) for accelerator in _accelerators(pool)]
    seen = {accelerator for _, accelerator in pools}
    # A group of hosts asks twice, in the pods of leader and workers.
    requested = {(resource.urn, name): (resource, name) for resource, name in _requested(resources) if name not in seen}
    return [
        _violation(resource, f"has {accelerator}, and the allowed accelerators are {', '.join(allowed)}")
        for resource, accelerator in (*pools, *requested.values())
        if accelerator not in allowed
    ]


def _accelerators(pool: Resource) -> Iterator[str]:
    config = pool.properties.get("nodeConfig") or {}
    yield from (str(entry.get("type")) for entry in config.get("guestAccelerators") or ())
    yield from _family(config.get("machineType"))


def _requested(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    """Accelerators that ComputeClasses and pods ask GKE for, by the resource that holds them."""
    for resource in resources:
        for choice in _choices(resource):
            names = [str(choice[key].get("type")) for key in ("gpu", "tpu") if isinstance(choice.get(key), Mapping)]
            yield from ((resource, _FAMILIES.get(name, name)) for name in names)
            yield from ((resource, family) for family in _family(choice.get("machineType")))
        for pod in pods_of(resource):
            selector = pod.spec.get("nodeSelector") or {}
            names = [str(selector[label]) for label in (_GPU, _TPU) if label in selector]
            yield from ((resource, _FAMILIES.get(name, name)) for name in names)


def _choices(resource: Resource) -> Iterator[Mapping[str, Any]]:
    if resource.kind == "ComputeClass":
        spec = resource.properties.get("spec") or {}
        yield from (choice for choice in spec.get("priorities") or () if isinstance(choice, Mapping))


def _family(machine: Any) -> Iterator[str]:
    family = str(machine or "").partition("-")[0]
    if family.startswith(("ct", "tpu")):
        yield family


def production(resources: Sequence[Resource], parameters: Mapping[str, Any]) -> list[Violation]:
    """A stack is in production by the labels of its cluster, or of its node pools in an existing one."""
    labels = parameters["labels"]
    if not any(_has(_labels(resource), labels) for resource in (*_clusters(resources), *_pools(resources))):
        return []
    violations = [
        _violation(cluster, "is in production and not protected from deletion")
        for cluster in _clusters(resources)
        if cluster.properties.get("deletionProtection") is not True
    ]
    for pool in _pools(resources):
        config = pool.properties.get("nodeConfig") or {}
        if config.get("spot") or config.get("preemptible"):
            violations.append(_violation(pool, "is in production and has spot nodes, which Google takes away"))
    return violations + [
        _violation(resource, "is in production and asks for spot nodes, which Google takes away")
        for resource in resources
        if any(choice.get("spot") for choice in _choices(resource))
        or (not _pools(resources) and any(_SPOT in (pod.spec.get("nodeSelector") or {}) for pod in pods_of(resource)))
    ]


def labels(resources: Sequence[Resource], parameters: Mapping[str, Any]) -> list[Violation]:
    violations = []
    for resource in (*_clusters(resources), *_pools(resources)):
        missing = [name for name in parameters["required"] if not _labels(resource).get(name)]
        if missing:
            violations.append(_violation(resource, f"has no label {', '.join(missing)}"))
    return violations


def ceiling(resources: Sequence[Resource], parameters: Mapping[str, Any]) -> list[Violation]:
    """By the prices of a node and hour that the parameters give for machine types. One without a price is a violation.

    `llm-d:budget` of a stack file is the finer check, with the catalog's prices and everything beside nodes.
    """
    limit, prices = parameters["usd"], parameters["prices"]
    if not limit:
        return []
    total = 0.0
    violations = [
        _violation(resource, "lets GKE create nodes without a bound, so the ceiling cannot be checked")
        for resource in resources
        if resource.kind == "ComputeClass" or (resource.type == CLUSTER and resource.properties.get("enableAutopilot"))
    ]
    for pool in _pools(resources):
        machine = str((pool.properties.get("nodeConfig") or {}).get("machineType"))
        if machine not in prices:
            violations.append(_violation(pool, f"the rule has no price of {machine}, so the ceiling cannot be checked"))
            continue
        total += _most_nodes(pool) * prices[machine] * _HOURS
    if total > limit:
        first = _pools(resources)[0]
        violations.append(
            _violation(first, f"all node pools cost up to ${total:,.0f} a month, above the ceiling of ${limit:,.0f}")
        )
    return violations


def _most_nodes(pool: Resource) -> int:
    bounds = pool.properties.get("autoscaling") or {}
    zones = len(pool.properties.get("nodeLocations") or ()) or 1
    if "totalMaxNodeCount" in bounds:
        return int(bounds["totalMaxNodeCount"])
    return zones * int(bounds.get("maxNodeCount") or pool.properties.get("nodeCount") or 0)


def nodes(resources: Sequence[Resource], _: Mapping[str, Any]) -> list[Violation]:
    """The node that a cluster begins with counts like every other."""
    violations = []
    for resource in (*_clusters(resources), *_pools(resources)):
        if resource.properties.get("enableAutopilot"):
            # Autopilot starts all nodes with secure boot and hides their metadata.
            defaults = (resource.properties.get("clusterAutoscaling") or {}).get("autoProvisioningDefaults") or {}
            if not defaults.get("serviceAccount"):
                violations.append(_violation(resource, "its nodes run as the default account"))
            continue
        config = resource.properties.get("nodeConfig") or {}
        shielded = config.get("shieldedInstanceConfig") or {}
        problems = {
            "run as the default account": not config.get("serviceAccount"),
            "start without secure boot": shielded.get("enableSecureBoot") is not True,
            "show their own metadata to pods": (config.get("workloadMetadataConfig") or {}).get("mode")
            != "GKE_METADATA",
        }
        violations += [_violation(resource, f"its nodes {text}") for text, wrong in problems.items() if wrong]
    return violations


def _labels(resource: Resource) -> Mapping[str, Any]:
    config = resource.properties.get("nodeConfig") or {}
    return resource.properties.get("resourceLabels") or config.get("resourceLabels") or {}


def _has(labels: Mapping[str, Any], required: Mapping[str, str]) -> bool:
    return bool(required) and all(labels.get(name) == value for name, value in required.items())
