"""Ranges and names of the network."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.planning.refusals.case import errors_of
from tests.planning.refusals.nodes import EXISTING_NETWORK
from tests.stacks import plan_of

KEYS = ("nodeCidr", "podCidr", "serviceCidr", "proxyCidr")

OVERLAPPING = {"existing": EXISTING_NETWORK | {"proxySubnetwork": "x"}, "proxyCidr": "192.168.0.0/23"}


def subnets(prefix: int) -> st.SearchStrategy[str]:
    """Subnets of this size inside 10.0.0.0/8."""
    return st.integers(0, 2 ** (prefix - 8) - 1).map(
        lambda n: str(IPv4Network((10 * 2**24 + n * 2 ** (32 - prefix), prefix)))
    )


@given(st.tuples(subnets(20), subnets(14), subnets(20), subnets(23)))
def test_exactly_the_ranges_that_overlap_are_refused(cidrs: tuple[str, str, str, str]) -> None:
    networks = [IPv4Network(cidr) for cidr in cidrs]
    pairs = {
        (KEYS[i], f"{KEYS[j]} = {cidrs[j]}")
        for i in range(4)
        for j in range(4)
        if i != j and networks[i].overlaps(networks[j])
    }
    errors = errors_of("gpu", {f"network.{key}": cidr for key, cidr in zip(KEYS, cidrs, strict=True)})
    reported = {(f.path.removeprefix("llm-d:network."), f.rule.removeprefix("overlaps ")) for f in errors}
    assert reported <= pairs
    assert len(reported) * 2 == len(pairs)


@pytest.mark.parametrize(
    "cidr", ["10.64.0.0/14", "172.16.0.0/14", "192.168.128.0/17", "100.64.0.0/14", "198.18.0.0/16", "240.16.0.0/14"]
)
def test_every_private_range_of_google_cloud_is_taken(cidr: str) -> None:
    """Large companies have long run out of the ranges of RFC 1918: pods live in 100.64.0.0/10 or above 240.0.0.0."""
    assert errors_of("gpu", {"network.podCidr": cidr}) == []


@pytest.mark.parametrize("cidr", ["0.0.0.0/14", "127.0.0.0/14", "169.252.0.0/14", "224.0.0.0/14", "8.8.0.0/16"])
def test_other_ranges_are_refused(cidr: str) -> None:
    assert [f.path for f in errors_of("gpu", {"network.podCidr": cidr})] == ["llm-d:network.podCidr"]


def test_services_may_use_public_addresses() -> None:
    """GKE's own default for services, 34.118.224.0/20, is one: they never leave the cluster."""
    assert errors_of("gpu", {"network.serviceCidr": "34.118.224.0/20"}) == []


def test_ranges_of_a_brought_network_are_not_judged() -> None:
    """Its subnets are there already: the defaults of this program would only overlap themselves."""
    changes = {"network": {**OVERLAPPING, "nodeCidr": "10.4.0.0/20"}}
    assert errors_of("gpu", changes) == []


@pytest.mark.parametrize(
    ("changes", "created"),
    [
        ({}, (True, True, True)),
        ({"cluster.privateNodes": False}, (True, True, False)),
        ({"network.existing": EXISTING_NETWORK}, (False, True, False)),
        ({"network": OVERLAPPING}, (False, False, False)),
    ],
    ids=["new", "public nodes", "brought", "brought whole"],
)
def test_what_is_missing_is_made(changes: dict[str, object], created: tuple[bool, bool, bool]) -> None:
    network = plan_of("gpu", changes).network
    assert (network.create, network.create_proxy_subnet, network.create_nat) == created


def test_a_brought_network_keeps_its_names() -> None:
    network = plan_of("gpu", {"network": OVERLAPPING}).network
    assert (network.network, network.subnet.name, network.proxy_subnet) == ("n", "s", "x")
    assert (network.subnet.pod_range, network.subnet.service_range) == ("p", "q")


def test_an_empty_host_project_is_the_stacks_own() -> None:
    """As the stack's own project, an empty text is one that is not given: no Shared VPC."""
    existing = {"network.existing": EXISTING_NETWORK | {"project": ""}}
    assert plan_of("gpu", existing).network.project is None


def test_the_range_of_an_existing_subnet_is_not_read_by_istio() -> None:
    subnet = {"network.existing": EXISTING_NETWORK | {"proxySubnetwork": "proxies"}, "network.proxyCidr": "10.0.0.0/28"}
    assert [f.id for f in errors_of("gpu", subnet)] == ["LLMD-CIDR-SMALL"]
    assert errors_of("gpu", subnet | {"gateway.implementation": "istio"}) == []
