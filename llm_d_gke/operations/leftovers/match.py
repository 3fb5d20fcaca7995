"""Which resources of a project are a stack's, and how sure that is. No network here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from llm_d_gke.google_types import CLUSTER, NETWORK, NODE_POOL
from llm_d_gke.operations.leftovers.bindings import Grant, Policy, accounts_of, grants_of, is_granted
from llm_d_gke.operations.leftovers.kinds import LOAD_BALANCER, UNMANAGED, Kind
from llm_d_gke.planning.context import STACK_LABEL
from llm_d_gke.planning.names import slug
from llm_d_gke.resource_graph import Graph
from llm_d_gke.resource_graph.kubernetes import kubernetes_object

# GKE puts it on disks and nodes (cloud.google.com/kubernetes-engine/docs/how-to/creating-managing-labels), as the stack
# puts its own on all that takes labels.
_CLUSTER_LABEL = "goog-k8s-cluster-name"

_SHORTEST = 10

# A Service of type LoadBalancer: GKE writes its namespace and name as JSON into the descriptions of the parts of the
# load balancer, and the tag of the cluster's nodes into its firewall rules. The parts are named after the Service's
# uid (github.com/modelplaneai/modelplane/issues/230).
_SERVICE_FIREWALL = "k8s-fw-"
_SERVICE_KEYS = ("kubernetes.io/service-name", "networking.gke.io/service-name")


@dataclass(frozen=True, kw_only=True)
class Identity:
    """The names that identify a stack's resources.

    `planned` holds the names that the stack itself gives, by kind of Pulumi. `network` is None where the network is not
    the stack's own: it then proves nothing. `namespaces` are those of the stack's objects. `accounts` and `grants` are
    the service accounts that the stack creates and the roles that it grants.
    """

    stack: str
    project: str
    cluster: str | None
    network: str | None
    planned: Mapping[str, frozenset[str]] = field(default_factory=dict)
    region: str = ""
    pools: frozenset[str] = frozenset()
    namespaces: frozenset[str] = frozenset()
    accounts: frozenset[str] = frozenset()
    grants: frozenset[Grant] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One resource of the project. `location` is empty for a global one."""

    kind: Kind
    name: str
    location: str
    body: Mapping[str, Any]
    project: str = ""
    policy: Policy | None = None  # of a role; `body` then holds role and member

    @property
    def link(self) -> str:
        return str(self.body.get("selfLink", self.name))


@dataclass(frozen=True, kw_only=True)
class Leftover:
    """A resource that belongs, or may belong, to the stack. `reason` names the evidence.

    `is_certain` is false if only the name matches: another cluster may have created a resource of that name.
    """

    resource: Resource
    reason: str
    is_certain: bool


def identity_of(stack: str, project: str, graph: Graph) -> Identity:
    """The names in a stack's recorded graph."""
    planned: dict[str, set[str]] = {}
    for resource in graph.resources:
        name = planned_name(resource.inputs)
        if resource.type.startswith("gcp:") and isinstance(name, str):
            planned.setdefault(resource.type, set()).add(name)
    objects = [body for resource in graph.resources if (body := kubernetes_object(resource)) is not None]
    spaces = {body["metadata"].get("namespace") for body in objects}
    return Identity(
        stack=stack,
        project=project,
        cluster=next(iter(planned.get(CLUSTER, ())), None),
        network=next(iter(planned.get(NETWORK, ())), None),
        planned={kind: frozenset(values) for kind, values in planned.items()},
        region=next((str(r.inputs["region"]) for r in graph.resources if r.inputs.get("region")), ""),
        pools=frozenset(planned.get(NODE_POOL, ())),
        accounts=accounts_of(graph, project),
        grants=grants_of(graph, project),
        namespaces=frozenset(
            space for space in spaces if isinstance(space, str) and space not in ("kube-system", "default")
        ),
    )


def planned_name(inputs: Mapping[str, Any]) -> Any:
    """The name among the arguments of a resource. None where Google chooses it."""
    dashboard = inputs.get("dashboardJson")
    if isinstance(dashboard, str):
        return json.loads(dashboard).get("displayName")
    return next((inputs[key] for key in ("name", "accountId", "secretId", "displayName") if inputs.get(key)), None)


def leftovers(resources: Sequence[Resource], identity: Identity) -> list[Leftover]:
    """The resources of the stack, in an order in which they can be deleted.

    Parts of a load balancer name neither cluster nor network: they are found by what refers to them.
    """
    by_link: dict[str, Leftover] = {}
    managed = {(item.name, item.location) for item in resources if item.kind.title == "instance group"}
    for resource in resources:
        if resource.kind.title == UNMANAGED and (resource.name, resource.location) in managed:
            continue
        reason, is_certain = _own_evidence(resource, identity)
        if reason:
            by_link[resource.link] = Leftover(resource=resource, reason=reason, is_certain=is_certain)
    _follow_firewalls(resources, by_link)
    _follow_references(resources, by_link)
    return [by_link[resource.link] for resource in resources if resource.link in by_link]


def _own_evidence(resource: Resource, identity: Identity) -> tuple[str, bool]:
    """The reason why a resource belongs to the stack by its own fields, and whether that is certain."""
    body, name = resource.body, resource.name
    if resource.policy is not None:
        granted = is_granted(body["role"], body["member"], resource.policy, identity.grants, identity.accounts)
        return ("the stack grants this role", True) if granted else ("", False)
    names = {name, body.get("displayName")}
    if resource.kind.graph and names & identity.planned.get(resource.kind.graph, frozenset()):
        return "the stack gives this name", True
    labels = body.get("labels") or body.get("resourceLabels") or body.get("userLabels") or {}
    if identity.cluster and labels.get(_CLUSTER_LABEL) == identity.cluster:
        return f"label {_CLUSTER_LABEL}", True
    if labels.get(STACK_LABEL) == slug(identity.stack):
        return f"label {STACK_LABEL}", True
    if identity.network and identity.network in _networks(body):
        return f"it lies in network {identity.network}", True
    if identity.cluster and _is_gke_name(name, identity.cluster, identity.pools):
        return "GKE names resources of this cluster so", True
    if identity.cluster and any(
        _is_gke_name(tag, identity.cluster, identity.pools) for tag in body.get("targetTags") or ()
    ):
        return "it is a rule for nodes of this cluster", True
    service = _service_of(body)
    if service.partition("/")[0] in identity.namespaces:
        return f"its description names Service {service}", False
    # Both contain the namespace and a hash of the cluster. The hash cannot be resolved once the cluster is deleted.
    hashed = re.match(r"(?:gkegw1-[a-z0-9]{4}|k8s1-[a-z0-9]{8})-", name)
    for namespace in identity.namespaces:
        if hashed and _suffix_after(name[hashed.end() :], namespace) is not None:
            return f"GKE names parts of load balancers of namespace {namespace} so", False
    return "", False


def _service_of(body: Mapping[str, Any]) -> str:
    """Namespace and name of the Service that the description of a part of a load balancer names; empty if none."""
    try:
        described = json.loads(str(body.get("description") or "null"))
    except ValueError:
        return ""
    if not isinstance(described, Mapping):
        return ""
    return next((str(described[key]) for key in _SERVICE_KEYS if key in described), "")


def _networks(body: Mapping[str, Any]) -> Iterator[str]:
    interfaces = body.get("networkInterfaces") or ()
    for link in (
        body.get("network"),
        *(interface.get("network") for interface in interfaces if isinstance(interface, Mapping)),
    ):
        if isinstance(link, str):
            yield link.rpartition("/")[2]


def _is_gke_name(name: str, cluster: str, pools: Iterable[str]) -> bool:
    """Names of what GKE makes for a cluster and its pools, each followed by a hash of eight digits.

    Firewall rules are `gke-<cluster>-<hash>-...` (cloud.google.com/kubernetes-engine/docs/concepts/firewall-rules),
    groups and nodes `gke-<cluster>-<pool>-<hash>-...`; long names are cut.
    """
    rest = _suffix_after(name.removeprefix("gke-"), cluster) if name.startswith("gke-") else None
    if rest is None:
        return False
    return any(
        re.match("[0-9a-f]{8}(-|$)", part) for part in (rest, *(_suffix_after(rest, pool) for pool in pools)) if part
    )


def _suffix_after(text: str, name: str) -> str | None:
    """The rest after a name and a hyphen. The name may have been cut, to no fewer than ten letters."""
    cuts = (name[:length] for length in range(len(name), min(len(name), _SHORTEST) - 1, -1))
    return next((text[len(cut) + 1 :] for cut in cuts if text.startswith(f"{cut}-")), None)


def _follow_firewalls(resources: Sequence[Resource], by_link: dict[str, Leftover]) -> None:
    """Add the load balancer of a Service whose firewall rule is certain: the rule has its name behind a prefix."""
    rules = {
        leftover.resource.name.removeprefix(_SERVICE_FIREWALL): leftover
        for leftover in by_link.values()
        if leftover.is_certain and leftover.resource.name.startswith(_SERVICE_FIREWALL)
    }
    for resource in resources:
        rule = rules.get(resource.name)
        if rule is not None and resource.kind.title in LOAD_BALANCER:
            reason = f"firewall rule {rule.resource.name} is for it"
            by_link[resource.link] = Leftover(resource=resource, reason=reason, is_certain=True)


def _follow_references(resources: Sequence[Resource], by_link: dict[str, Leftover]) -> None:
    """Add the parts of a load balancer that are linked by reference to a part already in the result.

    A part that is known by its name only becomes certain by a link to a certain one.
    """
    parts = {resource.link: resource for resource in resources if resource.kind.title in LOAD_BALANCER}
    pairs = [(link, linked) for link, resource in parts.items() for linked in _references(resource) if linked in parts]
    grown = True
    while grown:
        grown = False
        for left, right in (*pairs, *((right, left) for left, right in pairs)):
            parent, existing = by_link.get(left), by_link.get(right)
            if parent is not None and (existing is None or (parent.is_certain and not existing.is_certain)):
                reason = f"it belongs to {parent.resource.kind.title} {parent.resource.name}"
                by_link[right] = replace(parent, resource=parts[right], reason=reason)
                grown = True


def _references(resource: Resource) -> Iterator[str]:
    for name in resource.kind.refers:
        yield from _links(resource.body.get(name))


def _links(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _links(item)
    elif isinstance(value, list):
        for item in value:
            yield from _links(item)
