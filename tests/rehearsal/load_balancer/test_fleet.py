"""The pools of a fleet's clusters behind one route, and the addresses of its Gateway."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest

from llm_d_gke.kube.informer import Informer
from llm_d_gke.rehearsal.load_balancer.addresses import address_for
from llm_d_gke.rehearsal.load_balancer.backends import UnresolvedError
from llm_d_gke.rehearsal.load_balancer.fleet import Cluster, import_targets
from llm_d_gke.rehearsal.providers.gcp.cloud_view import Cloud

from .test_gateway import PICKER, POLICY, POOL, backends, members, pod

REF = {"group": "networking.gke.io", "kind": "GCPInferencePoolImport", "name": "pool"}
# The policy of the config cluster is for the import.
OF_IMPORT: dict[str, Any] = copy.deepcopy(POLICY)
OF_IMPORT["spec"]["targetRef"] = REF


def cluster(stack: str, block: int, *, exported: bool = True, picker: bool = True) -> Cluster:
    pool: dict[str, Any] = copy.deepcopy(POOL)
    pool["metadata"]["annotations"] = {"networking.gke.io/export": "True"} if exported else {}
    pods = [pod("vllm-1", f"127.{block}.1.1")] + ([pod("epp-1", f"127.{block}.1.9")] if picker else [])
    objects: Mapping[str, list[dict[str, Any]]] = {
        "Pod": pods,
        "Service": [PICKER],
        "InferencePool": [pool],
    }
    informers = {kind: SimpleNamespace(all=lambda items=items: items) for kind, items in objects.items()}
    return Cluster(stack, cast("Mapping[str, Informer]", informers))


def reached(*clusters: Cluster, healthy: tuple[str, ...] = ("127.64.1.1", "127.65.1.1")) -> list[list[str]]:
    """The servers of each target of the import's backendRef."""
    of_config = backends(healthy=frozenset(healthy), policies=False)
    of_config.objects.health_policies.append(OF_IMPORT)
    targets = import_targets(clusters, of_config, "llm", REF)
    # Envoy keeps the last endpoints of a cluster that is no longer listed, until it has read the routes without it.
    assert {name for name in of_config.clusters if "pool/" in name} == {target.cluster for target in targets}
    return [members(of_config, target.cluster) for target in targets]


def test_every_cluster_that_exports_the_pool_gets_requests() -> None:
    assert reached(cluster("", 64), cluster("east", 65)) == [["127.64.1.1"], ["127.65.1.1"]]
    assert reached(cluster("", 64), cluster("east", 65, exported=False)) == [["127.64.1.1"]]


@pytest.mark.parametrize(
    ("member", "healthy"),
    [
        (cluster("east", 65), ("127.64.1.1",)),
        (cluster("east", 65, picker=False), ("127.64.1.1", "127.65.1.1")),
    ],
    ids=["no healthy server", "no picker"],
)
def test_a_cluster_that_cannot_answer_gets_none(member: Cluster, healthy: tuple[str, ...]) -> None:
    assert reached(cluster("", 64), member, healthy=healthy) == [["127.64.1.1"]]


def test_without_an_export_there_is_no_import() -> None:
    with pytest.raises(UnresolvedError, match='GCPInferencePoolImport "llm/pool" not found'):
        reached(cluster("", 64, exported=False))


def test_a_gateway_across_regions_needs_the_proxies_of_each() -> None:
    regions = ("us-central1", "europe-west4")
    addresses = [{"type": f"networking.gke.io/ephemeral-ipv4-address/{r}", "value": r} for r in regions]
    gateway = {"spec": {"gatewayClassName": "gke-l7-cross-regional-internal-managed-mc", "addresses": addresses}}
    subnets = {
        region: {"purpose": "GLOBAL_MANAGED_PROXY", "role": "ACTIVE", "region": region, "network": "vpc"}
        for region in regions
    }

    def outcome(*present: str) -> tuple[str, str | None]:
        records = {
            "gcp:container/cluster:Cluster": {"c": {"location": "us-central1-a", "network": "vpc"}},
            "gcp:compute/subnetwork:Subnetwork": {region: subnets[region] for region in present},
        }
        return address_for(gateway, Cloud(64, records), set())

    assert outcome(*regions) == ("127.64.251.1", None)
    address, problem = outcome("us-central1")
    assert address == ""
    assert "(region europe-west4: none with purpose GLOBAL_MANAGED_PROXY" in str(problem)
