"""The stand-in for Google Cloud: refusals, stored values, replacements.

The tables have one case per line, however long, because they are read by column.
"""

# ruff: noqa: E501

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from llm_d_gke.google_types import (
    ACCOUNT,
    ADDRESS,
    CLUSTER,
    NAT,
    NETWORK,
    NODE_POOL,
    ROUTER,
    SERVICE,
    SUBNETWORK,
    google_types,
)
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.providers.gcp import CloudStore, GcpProvider, arguments
from llm_d_gke.rehearsal.providers.gcp.cloud_view import CloudReader
from llm_d_gke.rehearsal.providers.gcp.cluster import version_of
from llm_d_gke.rehearsal.providers.gcp.pools import Size, size_of
from llm_d_gke.rehearsal.providers.gcp.store import BLOCKS, MARKS
from llm_d_gke.rehearsal.providers.gcp.table import KINDS
from llm_d_gke.rehearsal.providers.properties import Properties, dotted
from llm_d_gke.rehearsal.providers.requests import (
    CheckRequest,
    CreateRequest,
    DeleteRequest,
    Invalid,
    ReadRequest,
    Refused,
    UpdateRequest,
)
from llm_d_gke.resource_graph.values import UNKNOWN

CONFIG = {"project": "demo", "region": "us-central1"}
SERVICES = ("compute", "container", "iam", "secretmanager")
IAM_MEMBER = "gcp:projects/iAMMember:IAMMember"
DASHBOARD = "gcp:monitoring/dashboard:Dashboard"
SECRET_MEMBER = "gcp:secretmanager/secretIamMember:SecretIamMember"


@dataclass
class Google:
    """A program's view of the stand-in: arguments are checked before anything is created, as the engine does."""

    provider: GcpProvider
    paths: StackPaths
    lines: list[str] = field(default_factory=list)

    def check(self, token: str, name: str, inputs: Properties, olds: Properties | None = None) -> Properties:
        return self.provider.check(
            CheckRequest(
                urn=_urn(token, name), type=token, name=name, config=CONFIG, olds=olds, news=inputs, seed=b"seed"
            )
        )

    def make(self, token: str, name: str, /, **inputs: Any) -> tuple[str, Properties]:
        """Id and outputs of a new resource."""
        checked = self.check(token, name, inputs)
        requested = CreateRequest(
            urn=_urn(token, name), type=token, name=name, config=CONFIG, inputs=checked, preview=False
        )
        create = self.provider.create(requested)
        return create.id, create.outputs

    def change(self, token: str, resource_id: str, /, **inputs: Any) -> Properties:
        olds = self.read(token, resource_id) or {}
        requested = UpdateRequest(
            urn=_urn(token, resource_id),
            type=token,
            name=resource_id,
            config=CONFIG,
            id=resource_id,
            olds=olds,
            old_inputs=olds,
            news=inputs,
        )
        return self.provider.update(requested)

    def drop(self, token: str, resource_id: str) -> None:
        olds = self.read(token, resource_id) or {}
        requested = DeleteRequest(
            urn=_urn(token, resource_id),
            type=token,
            name=resource_id,
            config=CONFIG,
            id=resource_id,
            olds=olds,
        )
        self.provider.delete(requested)

    def read(self, token: str, resource_id: str) -> Properties | None:
        live = self.provider.read(
            ReadRequest(
                urn=_urn(token, resource_id),
                type=token,
                name=resource_id,
                config=CONFIG,
                id=resource_id,
                old_inputs={},
            )
        )
        return None if live is None else live.outputs

    def put(self, token: str, resource_id: str, **record: Any) -> str:
        """A resource that is simply there: what would take a real cluster to make."""
        with self.provider._store.transaction() as cloud:
            cloud["resources"].setdefault(token, {})[resource_id] = {**record, MARKS: {"urn": "", "run": ""}}
        return resource_id


def _urn(token: str, name: str) -> str:
    return f"urn:pulumi:gpu::llm-d::{token}::{name}"


@pytest.fixture(autouse=True)
def _own_claims(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's register of loopback blocks is for stacks that run, not for these."""
    monkeypatch.setattr("llm_d_gke.rehearsal.providers.gcp.store.cache_root", lambda: tmp_path / "register")


@pytest.fixture
def google(tmp_path: Path) -> Google:
    """A project with the service APIs on."""
    paths, lines = StackPaths("gpu", tmp_path), list[str]()
    google_ = Google(GcpProvider(paths, lines.append), paths, lines)
    for service in SERVICES:
        google_.make(SERVICE, service, service=f"{service}.googleapis.com", disableOnDestroy=False)
    return google_


def network(google: Google, **inputs: Any) -> str:
    return google.make(NETWORK, "net", **{"name": "llm-d", "autoCreateSubnetworks": False, **inputs})[0]


def nodes(google: Google) -> str:
    """A network and a node subnet with ranges for pods and services; the subnet's id."""
    ranges = [
        {"rangeName": "pods", "ipCidrRange": "10.4.0.0/16"},
        {"rangeName": "services", "ipCidrRange": "10.5.0.0/20"},
    ]
    return google.make(
        SUBNETWORK, "nodes", network=network(google), name="nodes", ipCidrRange="10.0.0.0/22", secondaryIpRanges=ranges
    )[0]


def cluster(google: Google, location: str = "us-central1-a", **record: Any) -> str:
    return google.put(
        CLUSTER,
        f"projects/demo/locations/{location}/clusters/llm-d",
        **{
            "name": "llm-d",
            "location": location,
            "masterVersion": "1.34.1-gke.1822000",
            "deletionProtection": False,
            **record,
        },
    )


PROXY = {"purpose": "REGIONAL_MANAGED_PROXY", "role": "ACTIVE"}
ALLOCATION = {"clusterSecondaryRangeName": "pods", "servicesSecondaryRangeName": "services"}
T4: dict[str, Any] = {"machineType": "n1-standard-4", "guestAccelerators": [{"type": "nvidia-tesla-t4", "count": 1}]}


def _subnet(google: Google, **inputs: Any) -> None:
    nodes(google)
    google.make(SUBNETWORK, "other", **{"network": "llm-d", "ipCidrRange": "10.9.0.0/23", **inputs})


def _second_proxies(google: Google, **inputs: Any) -> None:
    _subnet(google, **PROXY)
    google.make(SUBNETWORK, "third", **{"network": "llm-d", "ipCidrRange": "10.10.0.0/23", **PROXY, **inputs})


def _cluster(google: Google, **inputs: Any) -> None:
    subnet = nodes(google)
    fields = {
        "name": "llm-d",
        "location": "us-central1-a",
        "network": "llm-d",
        "subnetwork": subnet,
        "ipAllocationPolicy": ALLOCATION,
    }
    google.make(CLUSTER, "cluster", **{**fields, "initialNodeCount": 1, "removeDefaultNodePool": True, **inputs})


def _pool(
    google: Google, location: str = "us-central1-a", node_locations: list[str] | None = None, **inputs: Any
) -> None:
    """A pool in a cluster; arguments of `nodeConfig` may be given beside the pool's own."""
    cluster(google, location, nodeLocations=node_locations)
    own = arguments.arguments_of(NODE_POOL).types
    config = {"machineType": "e2-standard-4"} | {key: inputs.pop(key) for key in list(inputs) if key not in own}
    google.make(
        NODE_POOL, "pool", **{"name": "pool", "cluster": "llm-d", "location": location, "nodeConfig": config, **inputs}
    )


def _delete_used(google: Google, token: str) -> None:
    subnet = nodes(google)
    cluster(google, network="llm-d", subnetwork=subnet)
    google.drop(token, subnet if token == SUBNETWORK else "projects/demo/global/networks/llm-d")


REFUSALS: list[tuple[str, Callable[[Google], object], str]] = [
    ("api off", lambda g: g.make(DASHBOARD.replace("monitoring/dashboard:Dashboard", "billing/budget:Budget"), "b", billingAccount="1", amount={}), "billingbudgets.googleapis.com has not been used"),
    ("service name", lambda g: g.make(SERVICE, "s", service="container"), "named like container.googleapis.com"),
    ("unknown type", lambda g: g.make("gcp:pubsub/topic:Topic", "t"), "does not stand in for gcp:pubsub/topic:Topic"),
    ("function", lambda g: g.provider.invoke("gcp:organizations/getClientConfig:getClientConfig", {}), "no Google Cloud to look it up in"),
    ("taken name", lambda g: (network(g), network(g)), "Error 409"),
    ("network missing", lambda g: g.make(SUBNETWORK, "s", network="none", ipCidrRange="10.0.0.0/22"), "Error 404"),
    ("host bits", lambda g: _subnet(g, ipCidrRange="10.9.0.1/23"), "without host bits"),
    ("reserved range", lambda g: _subnet(g, ipCidrRange="127.1.0.0/16"), "127.0.0.0/8 is reserved"),
    ("tiny subnet", lambda g: _subnet(g, ipCidrRange="10.9.0.0/30"), "at least /29"),
    ("overlap: primary", lambda g: _subnet(g, ipCidrRange="10.0.2.0/23"), "conflicts with subnetwork 'nodes' (ipCidrRange"),
    ("overlap: secondary", lambda g: _subnet(g, ipCidrRange="10.4.8.0/22"), "secondaryIpRanges[0].ipCidrRange"),
    ("overlap: own", lambda g: _subnet(g, secondaryIpRanges=[{"rangeName": "a", "ipCidrRange": "10.9.1.0/24"}]), "of the same resource"),
    ("overlap: proxies", lambda g: _subnet(g, ipCidrRange="10.5.0.0/23", **PROXY), "conflicts with subnetwork 'nodes'"),
    ("overlap: auto mode", lambda g: (network(g, autoCreateSubnetworks=True), g.make(SUBNETWORK, "s", network="llm-d", ipCidrRange="10.130.0.0/20")), "10.128.0.0/9"),
    ("overlap: default network", lambda g: g.make(SUBNETWORK, "s", network="default", ipCidrRange="10.130.0.0/20"), "automatic subnetworks of 'default'"),
    ("proxies: small", lambda g: _subnet(g, ipCidrRange="10.9.0.0/27", **PROXY), "/26 at least"),
    ("proxies: second", lambda g: _second_proxies(g), "in region us-central1 already"),
    ("router missing", lambda g: g.make(NAT, "n", router="none", region="us-central1", sourceSubnetworkIpRangesToNat="ALL_SUBNETWORKS_ALL_IP_RANGES"), "no such router"),
    ("subnet in use", lambda g: _delete_used(g, SUBNETWORK), "already being used by 'projects/demo/locations/us-central1-a/clusters/llm-d'"),
    ("network in use", lambda g: _delete_used(g, NETWORK), "already being used"),
    ("cluster: subnet missing", lambda g: _cluster(g, subnetwork="none"), "no such subnetwork"),
    ("cluster: region", lambda g: _cluster(g, location="europe-west4-a"), "region europe-west4"),
    ("cluster: range missing", lambda g: _cluster(g, ipAllocationPolicy={**ALLOCATION, "clusterSecondaryRangeName": "none"}), "'none' does not exist in subnetwork"),
    ("cluster: same range", lambda g: _cluster(g, ipAllocationPolicy={**ALLOCATION, "clusterSecondaryRangeName": "services"}), "cannot share"),
    ("cluster: version", lambda g: _cluster(g, minMasterVersion="1.19"), 'Master version "1.19" is unsupported'),
    ("cluster: Autopilot in a zone", lambda g: _cluster(g, enableAutopilot=True, removeDefaultNodePool=None, initialNodeCount=None), "must be regional"),
    ("cluster: protected", lambda g: g.drop(CLUSTER, cluster(g, deletionProtection=True)), "deletionProtection is set to true"),
    ("pool: cluster missing", lambda g: g.make(NODE_POOL, "p", cluster="none", location="us-central1-a"), "Not found: projects/demo/locations/us-central1-a/clusters/none"),
    ("pool: other location", lambda g: (cluster(g), g.make(NODE_POOL, "p", cluster="llm-d", location="us-central1")), "Not found"),
    ("pool: zone", lambda g: _pool(g, nodeLocations=["us-east1-b"]), "not in region us-central1"),
    ("pool: least over most", lambda g: _pool(g, autoscaling={"minNodeCount": 3, "maxNodeCount": 1}), "Minimum node count 3"),
    ("pool: no most", lambda g: _pool(g, autoscaling={"minNodeCount": 0, "maxNodeCount": 0}), "Maximum node count 0 is not valid"),
    ("pool: start over most", lambda g: _pool(g, initialNodeCount=4, autoscaling={"maxNodeCount": 3}), "Initial node count 4"),
    ("pool: flex repair", lambda g: _pool(g, flexStart=True, autoscaling={"maxNodeCount": 2}), "autoRepair false"),
    ("pool: queued", lambda g: _pool(g, queuedProvisioning={"enabled": True}), "autoscaling from 0"),
    ("pool: account", lambda g: _pool(g, serviceAccount="none@demo.iam.gserviceaccount.com"), "Service account none@demo"),
    ("pool: machine", lambda g: _pool(g, machineType="ct6e-standard-9t"), "does not exist"),
    ("pool: machine of nobody", lambda g: _pool(g, machineType="q9-standard-4"), "catalog"),
    ("pool: T4 elsewhere", lambda g: _pool(g, guestAccelerators=T4["guestAccelerators"]), "cannot be attached to machine type 'e2-standard-4'"),
    ("pool: T4 count", lambda g: _pool(g, machineType="n1-standard-4", guestAccelerators=[{"type": "nvidia-tesla-t4", "count": 3}]), "it takes [1, 2, 4]"),
    ("pool: built in", lambda g: _pool(g, machineType="g2-standard-4", guestAccelerators=T4["guestAccelerators"]), "which has 1 x nvidia-l4 built in"),
    ("pool: zone without", lambda g: _pool(g, "us-central1-z", **T4), "does not exist in zone us-central1-z"),
    ("pool: topology of a CPU", lambda g: _pool(g, placementPolicy={"type": "COMPACT", "tpuTopology": "2x2"}), "which has no TPU"),
    ("pool: topology", lambda g: _tpu(g, "3x3"), "does not match machine type 'ct6e-standard-4t'"),
    ("pool: single host", lambda g: _tpu(g, "2x2"), "can't be specified with single-host TPU slice pool"),
    ("pool: slice size", lambda g: _tpu(g, "4x4", nodeCount=2), "exactly 4 nodes; nodeCount is 2"),
    ("pool: slice totals", lambda g: _tpu(g, "4x4", autoscaling={"totalMaxNodeCount": 4}), "limits per zone"),
    ("member", lambda g: g.make(IAM_MEMBER, "m", project="demo", role="r", member="who"), "<kind>:<who>"),
    ("member missing", lambda g: g.make(IAM_MEMBER, "m", project="demo", role="r", member="serviceAccount:x@demo.iam.gserviceaccount.com"), "does not exist"),
    ("dashboard", lambda g: g.make(DASHBOARD, "d", dashboardJson="{"), "Invalid dashboardJson"),
]  # fmt: skip


def _tpu(google: Google, topology: str, **inputs: Any) -> None:
    _pool(
        google,
        "us-east5-a",
        machineType="ct6e-standard-4t",
        placementPolicy={"type": "COMPACT", "tpuTopology": topology},
        **inputs,
    )


@pytest.mark.parametrize(
    ("act", "message"), [(act, message) for _, act, message in REFUSALS], ids=[name for name, _, _ in REFUSALS]
)
def test_refuses_what_google_would(google: Google, act: Callable[[Google], object], message: str) -> None:
    with pytest.raises(Refused) as refused:
        act(google)
    assert message in str(refused.value)


def test_what_is_refused_is_not_there(google: Google) -> None:
    with pytest.raises(Refused):
        _second_proxies(google)
    names = {record["name"] for record in google.provider._store.resources(SUBNETWORK).values()}
    assert len(names) == 2
    with pytest.raises(Refused):
        _pool(google, spot=True, flexStart=True)
    assert google.provider._store.resources(NODE_POOL) == {}


WRONG: list[tuple[str, Properties, str, str]] = [
    (SUBNETWORK, {"network": "n", "ipCidrRang": "10.0.0.0/8"}, "ipCidrRang", "did you mean 'ipCidrRange'?"),
    (SUBNETWORK, {"network": "n", "secondaryIpRanges": [{"range": "a"}]}, "secondaryIpRanges[0].range", "unknown key"),
    (SUBNETWORK, {"ipCidrRange": "10.0.0.0/8"}, "network", "required"),
    (SUBNETWORK, {"network": "n", "purpose": "PROXY"}, "purpose", "one of"),
    (CLUSTER, {"initialNodeCount": "one"}, "initialNodeCount", "whole number"),
    (CLUSTER, {"gatewayApiConfig": {"channel": "STANDARD"}}, "gatewayApiConfig.channel", "CHANNEL_STANDARD"),
    (CLUSTER, {"gatewayApiConfig": "CHANNEL_STANDARD"}, "gatewayApiConfig", "block of arguments"),
    (CLUSTER, {"name": "x" * 41}, "name", "at most 40"),
    (NETWORK, {"name": "Upper"}, "name", "lower-case"),
    (NODE_POOL, {"cluster": "c", "nodeConfig": {"spot": "perhaps"}}, "nodeConfig.spot", "truth value"),
    (NODE_POOL, {"cluster": "c", "nodeLocations": "us-central1-a"}, "nodeLocations", "expected a list"),
    (NODE_POOL, {"cluster": "c", "nodeConfig": {"taints": [{"key": "a", "value": "b", "effect": "NoSchedule"}]}}, "nodeConfig.taints[0].effect", "NO_SCHEDULE"),
]  # fmt: skip


@pytest.mark.parametrize(("token", "inputs", "path", "reason"), WRONG)
def test_refuses_a_wrong_argument_with_its_path(
    google: Google, token: str, inputs: Properties, path: str, reason: str
) -> None:
    with pytest.raises(Invalid) as invalid:
        google.check(token, "thing", inputs)
    assert [text for where, text in invalid.value.failures if where == path and reason in text]


BUCKET_MEMBER = "gcp:storage/bucketIAMMember:BucketIAMMember"


def test_a_bucket_outside_of_the_stack_may_be_read_by_those_who_exist(google: Google) -> None:
    """The bucket of `source: {kind: bucket}` is in no stack; a missing service account is refused as for others."""
    reader = {"bucket": "my-weights", "role": "roles/storage.objectViewer"}
    identifier, _ = google.make(BUCKET_MEMBER, "read", member="serviceAccount:demo.svc.id.goog[llm-d/chat]", **reader)
    assert identifier.startswith("b/my-weights/roles/storage.objectViewer/")
    missing = "serviceAccount:none@demo.iam.gserviceaccount.com"
    with pytest.raises(Refused, match="does not exist"):
        google.make(BUCKET_MEMBER, "missing", member=missing, **reader)


def test_every_google_type_of_stacks_can_be_rehearsed() -> None:
    assert KINDS.keys() == google_types().keys()


def test_every_type_and_every_enumerated_argument_exists_in_the_sdk() -> None:
    for token, kind in KINDS.items():
        types = arguments.arguments_of(token).types
        assert {path.split(".")[0] for path in (*kind.force_new, *kind.updates) if path != "*"} <= types.keys()
    for token, enums in arguments.accepted_values().items():
        for path, words in enums.items():
            nested: Any = next(iter(words))
            for key in reversed(path.split(".")):
                nested = {key: nested}
            _, problems = arguments.check(token, nested)
            assert not [problem for problem in problems if "unknown key" in problem.reason]


def test_values_unknown_in_a_preview_pass() -> None:
    checked, problems = arguments.check(
        NODE_POOL, {"cluster": UNKNOWN, "nodeConfig": {"spot": UNKNOWN}, "initialNodeCount": 1.0}
    )
    assert problems == []
    assert checked == {"cluster": UNKNOWN, "nodeConfig": {"spot": UNKNOWN}, "initialNodeCount": 1}


def test_a_preview_does_not_know_the_endpoint_of_a_cluster_and_an_update_keeps_it(google: Google) -> None:
    fields = {
        "name": "llm-d",
        "location": "us-central1-a",
        "controlPlaneEndpointsConfig": {"dnsEndpointConfig": {"allowExternalTraffic": True}},
    }
    common: dict[str, Any] = {
        "urn": _urn(CLUSTER, "c"),
        "type": CLUSTER,
        "name": "c",
        "config": CONFIG,
        "preview": True,
    }
    planned = google.provider.create(CreateRequest(inputs=fields, **common)).outputs
    assert planned["controlPlaneEndpointsConfig"]["dnsEndpointConfig"] == {
        "allowExternalTraffic": True,
        "endpoint": UNKNOWN,
    }
    assert planned["endpoint"] is UNKNOWN
    olds = {
        **fields,
        "endpoint": "e",
        "controlPlaneEndpointsConfig": {"dnsEndpointConfig": {"allowExternalTraffic": True, "endpoint": "e"}},
    }
    updated = google.provider.update(
        UpdateRequest(id="c", olds=olds, old_inputs=fields, news={**fields, "resourceLabels": {"a": "b"}}, **common)
    )
    assert updated["controlPlaneEndpointsConfig"] == olds["controlPlaneEndpointsConfig"]
    assert updated["endpoint"] == "e"


REPLACED: list[tuple[str, Properties, Properties, list[str]]] = [
    (NETWORK, {"name": "a", "mtu": 1460}, {"name": "a", "mtu": 8896}, []),
    (NETWORK, {"name": "a", "description": "a"}, {"name": "a", "description": "b"}, ["description"]),
    (SUBNETWORK, {"ipCidrRange": "10.0.0.0/22"}, {"ipCidrRange": "10.0.0.0/21"}, []),
    (SUBNETWORK, {"ipCidrRange": "10.0.0.0/22"}, {"ipCidrRange": "10.0.0.0/23"}, ["ipCidrRange"]),
    (ADDRESS, {"description": "a"}, {"description": "b"}, ["description"]),
    (ADDRESS, {"labels": {"a": "b"}}, {"labels": {"a": "c"}}, []),
    (CLUSTER, {"description": "a"}, {"description": "b"}, ["description"]),
    (CLUSTER, {"gatewayApiConfig": {"channel": "CHANNEL_DISABLED"}}, {"gatewayApiConfig": {"channel": "CHANNEL_STANDARD"}}, []),
    (CLUSTER, {"enableMultiNetworking": False}, {"enableMultiNetworking": True}, []),
    (CLUSTER, {"userManagedKeysConfig": {"clusterCa": "a"}}, {"userManagedKeysConfig": {"clusterCa": "b"}}, []),
    (
        CLUSTER,
        {"masterAuth": {"clientCertificateConfig": {"issueClientCertificate": True}}},
        {"masterAuth": {"clientCertificateConfig": {"issueClientCertificate": False}}},
        ["masterAuth.clientCertificateConfig.issueClientCertificate"],
    ),
    (CLUSTER, {"enableL4IlbSubsetting": True}, {}, ["enableL4IlbSubsetting"]),
    (CLUSTER, {}, {"enableL4IlbSubsetting": True}, []),
    (NODE_POOL, {"nodeConfig": {"machineType": "a"}}, {"nodeConfig": {"machineType": "b"}}, []),
    (NODE_POOL, {"autoscaling": {"maxNodeCount": 3}}, {"autoscaling": {"maxNodeCount": 5}}, []),
    (NODE_POOL, {"nodeConfig": {"spot": False}}, {"nodeConfig": {"spot": True}}, ["nodeConfig.spot"]),
    (NODE_POOL, {"initialNodeCount": 0}, {"initialNodeCount": 1}, ["initialNodeCount"]),
    (
        NODE_POOL,
        {"nodeConfig": {"guestAccelerators": [{"gpuDriverInstallationConfig": {"gpuDriverVersion": "DEFAULT"}}]}},
        {"nodeConfig": {"guestAccelerators": [{"gpuDriverInstallationConfig": {"gpuDriverVersion": "LATEST"}}]}},
        ["nodeConfig.guestAccelerators[0].gpuDriverInstallationConfig.gpuDriverVersion"],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("token", "old", "new", "replaces"), REPLACED)
def test_replaces_what_the_provider_replaces(
    google: Google, token: str, old: Properties, new: Properties, replaces: list[str]
) -> None:
    requested = UpdateRequest(
        urn=_urn(token, "x"), type=token, name="x", config=CONFIG, id="x", olds=old, old_inputs=old, news=new
    )
    diff = google.provider.diff(requested)
    assert diff.changes
    assert [dotted(path) for path in diff.replaces] == replaces


def test_a_given_name_makes_the_old_resource_go_first_and_a_made_up_one_does_not(google: Google) -> None:
    for name_argument, first in (({"name": "a"}, True), ({}, False)):
        old = google.check(NETWORK, "net", {**name_argument, "description": "a"})
        new = google.check(NETWORK, "net", {**name_argument, "description": "b"}, olds=old)
        requested = UpdateRequest(
            urn=_urn(NETWORK, "net"), type=NETWORK, name="net", id="x", olds=old, old_inputs=old, news=new
        )
        assert google.provider.diff(requested).delete_before_replace is first


def test_an_address_is_of_the_stacks_block_and_nobody_elses_until_it_is_released(google: Google) -> None:
    block = google.provider._store.read()["block"]
    first, address = google.make(ADDRESS, "one")
    _, two = google.make(ADDRESS, "two")
    assert (address["address"], two["address"]) == (f"127.{block}.250.1", f"127.{block}.250.2")
    assert google.change(ADDRESS, first, name="one", labels={"a": "b"})["address"] == address["address"]
    google.drop(ADDRESS, first)
    assert google.make(ADDRESS, "three")[1]["address"] == address["address"]


def test_two_stacks_have_two_blocks(tmp_path: Path) -> None:
    blocks = []
    for stack in ("gpu", "tpu", "third"):
        store = CloudStore(StackPaths(stack, tmp_path).cloud)
        with store.transaction():
            pass
        blocks.append(store.read()["block"])
    assert len(set(blocks)) == 3
    assert set(blocks) <= set(BLOCKS)


def test_a_change_that_fails_leaves_the_cloud_as_it_was(tmp_path: Path) -> None:
    store = CloudStore(StackPaths("gpu", tmp_path).cloud)
    with store.transaction() as cloud:
        cloud["resources"]["t"] = {"kept": {}}
    with pytest.raises(ZeroDivisionError), store.transaction() as cloud:
        cloud["resources"]["t"]["lost"] = {"x": 1 / 0}
    assert store.resources("t") == {"kept": {}}


def test_changes_at_once_are_all_kept(tmp_path: Path) -> None:
    store = CloudStore(StackPaths("gpu", tmp_path).cloud)

    def add(name: str) -> None:
        with store.transaction() as cloud:
            cloud["resources"].setdefault("t", {})[name] = {}

    threads = [threading.Thread(target=add, args=(str(number),)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.resources("t")) == 20


def test_a_service_stays_on_after_destroy_unless_told_otherwise(google: Google) -> None:
    google.drop(SERVICE, "demo/secretmanager.googleapis.com")
    google.make(SECRET_MEMBER, "kept", secretId="kept", role="r", member="user:a@example.com")
    google.drop(SERVICE, google.make(SERVICE, "b", service="billingbudgets.googleapis.com", disableOnDestroy=True)[0])
    with pytest.raises(Refused, match="billingbudgets"):
        google.make("gcp:billing/budget:Budget", "b", billingAccount="1", amount={})


def test_the_file_of_the_cloud_is_private(google: Google) -> None:
    assert google.paths.cloud.stat().st_mode & 0o077 == 0


def test_what_an_interrupted_run_left_is_taken_over(google: Google) -> None:
    router, _ = google.make(ROUTER, "r", network=network(google), name="r", region="us-central1")
    later = Google(GcpProvider(google.paths, google.lines.append), google.paths)
    assert later.make(ROUTER, "r", network="llm-d", name="r", region="us-central1")[0] == router


def test_what_the_engine_knows_of_is_not_taken_over(google: Google) -> None:
    router, _ = google.make(ROUTER, "r", network=network(google), name="r", region="us-central1")
    later = Google(GcpProvider(google.paths, google.lines.append), google.paths)
    later.read(ROUTER, router)
    with pytest.raises(Refused, match="409"):
        later.make(ROUTER, "r", network="llm-d", name="r", region="us-central1")


def test_a_service_that_another_stack_enabled_can_be_enabled_again(google: Google) -> None:
    [first, second] = [google.make(SERVICE, name, service="compute.googleapis.com")[0] for name in ("a", "b")]
    assert first == second
    google.drop(SERVICE, second)
    assert CloudReader(google.paths).read().service_enabled("compute.googleapis.com")
    google.drop(SERVICE, first)


def test_a_half_made_cluster_holds_nothing_back(google: Google) -> None:
    subnet = nodes(google)
    half = cluster(google, network="llm-d", subnetwork=subnet)
    with google.provider._store.transaction() as cloud:
        cloud["resources"][CLUSTER][half][MARKS]["maker"] = 2**22 + 1  # no process has a pid beyond the kernel's limit
    google.drop(SUBNETWORK, subnet)
    assert google.provider._store.resources(CLUSTER) == {}
    assert any("interrupted" in line for line in google.lines)


def test_the_last_deletion_leaves_no_resource(google: Google) -> None:
    subnet = nodes(google)
    account, _ = google.make(ACCOUNT, "nodes", accountId="llm-d-nodes")
    for token, resource_id in (
        (SUBNETWORK, subnet),
        (NETWORK, "projects/demo/global/networks/llm-d"),
        (ACCOUNT, account),
    ):
        google.drop(token, resource_id)
        assert google.read(token, resource_id) is None
    for service in SERVICES:
        google.drop(SERVICE, f"demo/{service}.googleapis.com")
    assert google.provider._store.read()["resources"] == {}


@pytest.mark.parametrize(
    ("inputs", "version"),
    [
        ({}, "1.35.2-gke.1842000"),
        ({"releaseChannel": {"channel": "STABLE"}}, "1.34.1-gke.1822000"),
        ({"minMasterVersion": "1.33"}, "1.33.2-gke.1335000"),
        ({"minMasterVersion": "1.34.0-gke.1626000"}, "1.34.0-gke.1626000"),
    ],
)
def test_the_version_asked_for_is_the_version_given(inputs: Properties, version: str) -> None:
    assert version_of(inputs) == version


@pytest.mark.parametrize(
    ("inputs", "zones", "size"),
    [
        ({}, 1, Size(0, 0, 0)),
        ({"initialNodeCount": 2}, 3, Size(6, 6, 6)),
        ({"nodeCount": 1}, 1, Size(1, 1, 1)),
        ({"initialNodeCount": 0, "autoscaling": {"minNodeCount": 1, "maxNodeCount": 3}}, 2, Size(2, 2, 6)),
        ({"initialNodeCount": 0, "autoscaling": {"maxNodeCount": 3}}, 1, Size(0, 0, 3)),
        ({"initialNodeCount": 2, "autoscaling": {"totalMinNodeCount": 1, "totalMaxNodeCount": 4}}, 1, Size(2, 1, 4)),
    ],
)
def test_a_pool_asks_for_nodes_per_zone_and_totals_over_all(inputs: Properties, zones: int, size: Size) -> None:
    assert size_of(inputs, zones) == size
