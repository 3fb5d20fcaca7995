"""Statuses that GKE's Gateway controller writes, with their conditions: Gateways, HTTPRoutes, pools, GKE's policies."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from llm_d_gke.kube import Kube, KubeError, Manifest, Manifests
from llm_d_gke.kube.conditions import timestamp
from llm_d_gke.kube.informer import Informer
from llm_d_gke.rehearsal.load_balancer.attachment import GATEWAY_GROUP
from llm_d_gke.rehearsal.load_balancer.backends import targeting

log = logging.getLogger(__name__)

# (namespace, name)
Name = tuple[str, str]


@dataclass
class Outcome:
    """The result for one Gateway: address or problem, routes by listener, listeners without certificate."""

    gateway: Manifest
    address: str
    problem: str | None
    attached: Mapping[str, int]
    certificates: Mapping[str, str] = field(default_factory=dict)


class Statuses:
    """Updates the status of an object if it changed."""

    def __init__(self, kube: Kube, informers: Mapping[str, Informer]) -> None:
        self._kube = kube
        self._informers = informers

    def gateway(self, outcome: Outcome) -> None:
        gateway, address, problem = outcome.gateway, outcome.address, outcome.problem
        generation = gateway["metadata"]["generation"]
        before = gateway.get("status") or {}
        fresh = [condition("Accepted", True, "Accepted"), unless(problem, "Programmed", "Programmed", "Invalid")]
        earlier = {listener["name"]: listener.get("conditions") or [] for listener in before.get("listeners") or []}
        listeners = []
        for listener in gateway["spec"]["listeners"]:
            broken = outcome.certificates.get(listener["name"])
            own = [
                condition("Accepted", True, "Accepted"),
                unless(broken or problem, "Programmed", "Programmed", "Invalid"),
                unless(broken, "ResolvedRefs", "ResolvedRefs", "InvalidCertificateRef"),
                condition("Conflicted", False, "NoConflicts"),
            ]
            listeners.append(
                {
                    "name": listener["name"],
                    "attachedRoutes": outcome.attached[listener["name"]],
                    "supportedKinds": [{"group": GATEWAY_GROUP, "kind": "HTTPRoute"}],
                    "conditions": dated(own, earlier.get(listener["name"], []), generation),
                }
            )
        status: Manifest = {
            "conditions": dated(fresh, before.get("conditions") or [], generation),
            "listeners": listeners,
            "addresses": [{"type": "IPAddress", "value": address}] if problem is None else [],
        }
        self._patch(gateway, status)

    def route(self, route: Manifest, mine: Manifests) -> None:
        """Write a route's status. `mine` are this controller's `status.parents`, conditions without times."""
        before = (route.get("status") or {}).get("parents") or []
        others = [parent_ for parent_ in before if parent_.get("controllerName") != CONTROLLER]
        if mine or len(others) != len(before):
            self._patch(route, {"parents": [*others, *(_parent(entry, before, route) for entry in mine)]})

    def pool(self, pool: Manifest, gateways: Mapping[Name, str]) -> None:
        """Write a pool's status. `gateways` route to the pool, each with the problem of its picker or an empty text."""
        before = (pool.get("status") or {}).get("parents") or []
        others = [
            parent_
            for parent_ in before
            if parent_.get("controllerName") != CONTROLLER and parent_["parentRef"].get("kind") == "Gateway"
        ]
        mine = []
        for (namespace, name), problem in gateways.items():
            entry: Manifest = {
                "parentRef": {"group": GATEWAY_GROUP, "kind": "Gateway", "name": name, "namespace": namespace},
                "controllerName": CONTROLLER,
                "conditions": [
                    condition("Accepted", True, "Accepted"),
                    unless(problem, "ResolvedRefs", "ResolvedRefs", "InvalidExtensionRef"),
                ],
            }
            mine.append(_parent(entry, before, pool))
        if mine or before != others:
            self._patch(pool, {"parents": [*others, *mine]})

    def policy(self, kind: str, policy: Manifest, policies: Manifests) -> None:
        target = policy["spec"]["targetRef"]
        namespace, group = policy["metadata"]["namespace"], target.get("group") or ""
        informer = self._informers.get(target["kind"])
        exists = informer is not None and informer.get(namespace, target["name"]) is not None
        chosen = targeting(policies, group, target["kind"], namespace, target["name"])
        if not exists:
            self.attached(policy, False, "TargetNotFound", f'{target["kind"]} "{namespace}/{target["name"]}" not found')
        elif chosen is not None and chosen["metadata"]["uid"] != policy["metadata"]["uid"]:
            self.attached(
                policy, False, "Conflicted", f'{kind} "{chosen["metadata"]["name"]}" is attached to the same target'
            )
        else:
            self.attached(policy, True, "Attached", "")

    def attached(self, policy: Manifest, ok: bool, reason: str, message: str) -> None:
        before = (policy.get("status") or {}).get("conditions") or []
        fresh = [condition("Attached", ok, reason, message)]
        self._patch(policy, {"conditions": dated(fresh, before, policy["metadata"]["generation"])})

    def _patch(self, item: Manifest, status: Manifest) -> None:
        before = item.get("status") or {}
        if all(before.get(key, []) == value for key, value in status.items()):
            return
        metadata = item["metadata"]
        try:
            self._kube.patch_status(item["apiVersion"], item["kind"], metadata["name"], status, metadata["namespace"])
        except KubeError as error:
            log.warning("status of %s %s: %s", item["kind"], metadata["name"], error)


def _parent(entry: Manifest, before: Manifests, item: Manifest) -> Manifest:
    earlier: Manifests = next(
        (parent_.get("conditions") or [] for parent_ in before if parent_["parentRef"] == entry["parentRef"]), []
    )
    return {**entry, "conditions": dated(entry["conditions"], earlier, item["metadata"]["generation"])}


def address_of(gateway: Manifest) -> str:
    for address in (gateway.get("status") or {}).get("addresses") or []:
        return str(address["value"])
    return ""


CONTROLLER = "networking.gke.io/gateway"


def condition(kind: str, ok: bool, reason: str, message: str = "") -> Manifest:
    return {"type": kind, "status": "True" if ok else "False", "reason": reason, "message": message[:32000]}


def unless(problem: str | None, kind: str, good: str, bad: str) -> Manifest:
    """A condition that is true, for the reason `good`, where there is no problem."""
    return condition(kind, not problem, bad if problem else good, problem or "")


def dated(fresh: Manifests, previous: Manifests, generation: int) -> Manifests:
    """Conditions with transition times, those of `previous` where status, reason and message are the same."""
    earlier = {condition["type"]: condition for condition in previous}
    result = []
    for new_condition in fresh:
        before = earlier.get(new_condition["type"])
        same = before is not None and all(
            before.get(key) == new_condition[key] for key in ("status", "reason", "message")
        )
        moment = before["lastTransitionTime"] if same and before else timestamp()
        result.append({**new_condition, "observedGeneration": generation, "lastTransitionTime": moment})
    return result
