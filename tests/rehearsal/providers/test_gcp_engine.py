"""The stand-in for Google Cloud behind the real Pulumi engine: up, a second up, an update, a refusal, destroy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import pulumi_gcp as gcp
import pytest
from pulumi import automation

from llm_d_gke.rehearsal.cluster_client import client
from llm_d_gke.rehearsal.host import processes
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.providers.base import serve
from llm_d_gke.rehearsal.providers.gcp import CloudStore, GcpProvider, lifecycle
from llm_d_gke.rehearsal.toolchain.build import binaries

pytestmark = pytest.mark.rehearsal


@dataclass
class Declared:
    """The resources of the program; a test changes them between two runs."""

    primary: str = "10.0.0.0/22"
    second_proxies: bool = False
    cluster: bool = False
    pools: bool = False
    cpu_nodes: int = 1
    gpu_most: int = 2
    version: str = "1.34"


@dataclass
class Run:
    stack: automation.Stack
    paths: StackPaths
    declared: Declared
    lines: list[str] = field(default_factory=list)

    def up(self) -> dict[str, int]:
        """Counts of created, updated, … resources."""
        return {str(change): count for change, count in (self.stack.up().summary.resource_changes or {}).items()}


def program(declared: Declared) -> None:
    provider = gcp.Provider("gcp", project="demo", region="us-central1")
    provider_opts = pulumi.ResourceOptions(provider=provider)
    services = [
        gcp.projects.Service(name, service=f"{name}.googleapis.com", disable_on_destroy=False, opts=provider_opts)
        for name in ("compute", "container", "secretmanager")
    ]
    opts = pulumi.ResourceOptions(provider=provider, depends_on=services)
    network = gcp.compute.Network("network", name="llm-d", auto_create_subnetworks=False, opts=opts)
    nodes = gcp.compute.Subnetwork(
        "nodes",
        network=network.id,
        ip_cidr_range=declared.primary,
        secondary_ip_ranges=[
            {"range_name": "pods", "ip_cidr_range": "10.4.0.0/16"},
            {"range_name": "services", "ip_cidr_range": "10.5.0.0/20"},
        ],
        opts=opts,
    )
    for index in range(2 if declared.second_proxies else 1):
        gcp.compute.Subnetwork(
            f"proxies-{index}",
            network=network.id,
            ip_cidr_range=f"10.{9 + index}.0.0/23",
            purpose="REGIONAL_MANAGED_PROXY",
            role="ACTIVE",
            opts=opts,
        )
    router = gcp.compute.Router("router", network=network.id, opts=opts)
    gcp.compute.RouterNat(
        "nat",
        router=router.name,
        nat_ip_allocate_option="AUTO_ONLY",
        source_subnetwork_ip_ranges_to_nat="ALL_SUBNETWORKS_ALL_IP_RANGES",
        opts=opts,
    )
    address = gcp.compute.Address("address", name="entrance", opts=opts)
    pulumi.export("address", address.address)
    if declared.cluster:
        declare_cluster(declared, network, nodes, opts)


def declare_cluster(
    declared: Declared, network: gcp.compute.Network, nodes: gcp.compute.Subnetwork, opts: pulumi.ResourceOptions
) -> None:
    cluster = gcp.container.Cluster(
        "cluster",
        name="llm-d",
        location="us-central1-a",
        network=network.id,
        subnetwork=nodes.id,
        initial_node_count=1,
        remove_default_node_pool=True,
        deletion_protection=False,
        min_master_version=declared.version,
        ip_allocation_policy={"cluster_secondary_range_name": "pods", "services_secondary_range_name": "services"},
        gateway_api_config={"channel": "CHANNEL_STANDARD"},
        workload_identity_config={"workload_pool": "demo.svc.id.goog"},
        control_plane_endpoints_config={"dns_endpoint_config": {"allow_external_traffic": True}},
        opts=opts,
    )
    pulumi.export("endpoint", cluster.endpoint)
    pulumi.export("dns", cluster.control_plane_endpoints_config.dns_endpoint_config.endpoint)
    pulumi.export("version", cluster.master_version)
    if not declared.pools:
        return
    cpu = gcp.container.NodePool(
        "cpu",
        name="cpu",
        cluster=cluster.name,
        location="us-central1-a",
        node_count=declared.cpu_nodes,
        node_config={"machine_type": "e2-standard-4"},
        opts=opts,
    )
    gcp.container.NodePool(
        "gpu",
        name="gpu",
        cluster=cluster.name,
        location="us-central1-a",
        initial_node_count=0,
        autoscaling={"min_node_count": 0, "max_node_count": declared.gpu_most},
        node_config={
            "machine_type": "n1-standard-4",
            "guest_accelerators": [{"type": "nvidia-tesla-t4", "count": 1}],
        },
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[cpu])),
    )


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    paths, declared, lines = StackPaths("gpu", tmp_path), Declared(), list[str]()
    command = automation.PulumiCommand(root=str(binaries(["pulumi"], lines.append)["pulumi"].parent.parent))
    with serve(GcpProvider(paths, lines.append)) as server:
        environment = {
            "PULUMI_DEBUG_PROVIDERS": f"gcp:{server}",
            "PULUMI_BACKEND_URL": f"file://{tmp_path}",
            "PULUMI_CONFIG_PASSPHRASE": "",
            "PULUMI_HOME": str(tmp_path / "home"),
            "PULUMI_SKIP_UPDATE_CHECK": "1",
            # Without it the engine queries the network for a gcp plugin: seconds per run on a stack that has state.
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }
        options = automation.LocalWorkspaceOptions(
            env_vars=environment,
            work_dir=str(tmp_path),
            pulumi_command=command,
            project_settings=automation.ProjectSettings(name="llm-d", runtime="python"),
        )
        stack = automation.create_stack("gpu", project_name="llm-d", program=lambda: program(declared), opts=options)
        try:
            yield Run(stack, paths, declared, lines)
        finally:
            lifecycle.stop(paths)


def resources(run: Run) -> dict[str, dict[str, dict[str, Any]]]:
    return CloudStore(run.paths.cloud).read()["resources"]


def node_names(run: Run) -> list[str]:
    with client(run.paths) as kube:
        return [node["metadata"]["labels"]["cloud.google.com/gke-nodepool"] for node in kube.list("v1", "Node")]


def test_a_network_comes_stays_changes_and_goes(run: Run) -> None:
    assert run.stack.preview().change_summary == {"create": 11}
    assert run.up() == {"create": 11}
    assert run.stack.outputs()["address"].value.endswith(".250.1")

    assert run.up() == {"same": 11}
    run.declared.primary = "10.0.0.0/21"
    assert run.up() == {"same": 10, "update": 1}
    run.declared.primary = "10.0.0.0/23"
    assert run.stack.preview().change_summary == {"same": 10, "replace": 1}
    run.declared.primary = "10.0.0.0/21"

    run.declared.second_proxies = True
    with pytest.raises(automation.CommandError, match="in region us-central1 already"):
        run.stack.up()
    run.declared.second_proxies = False

    assert run.stack.refresh().summary.resource_changes == {"same": 11}
    run.stack.destroy()
    assert resources(run) == {}


def test_a_cluster_has_an_api_server_and_a_pool_has_nodes(run: Run) -> None:
    run.declared.cluster = run.declared.pools = True
    assert run.up() == {"create": 14}
    outputs = run.stack.outputs()
    assert outputs["endpoint"].value == outputs["dns"].value == api_server(run)
    assert outputs["version"].value == "1.34.1-gke.1822000"
    assert node_names(run) == ["cpu"]
    assert run.up() == {"same": 14}

    run.declared.cpu_nodes, run.declared.gpu_most, run.declared.version = 2, 5, "1.35"
    assert run.up() == {"same": 11, "update": 3}
    assert node_names(run) == ["cpu", "cpu"]
    assert run.stack.outputs()["version"].value == "1.35.2-gke.1842000"
    assert run.stack.outputs()["dns"].value == api_server(run)

    # A load balancer that uses the address keeps it, whatever the program declares.
    gateway = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "entrance", "namespace": "default"},
        "spec": {
            "gatewayClassName": "gke-l7-regional-external-managed",
            "addresses": [{"type": "NamedAddress", "value": "entrance"}],
            "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}],
        },
    }
    with client(run.paths) as kube:
        kube.apply(gateway)
    with pytest.raises(automation.CommandError, match="used by the load balancer of Gateway default/entrance"):
        run.stack.destroy(target=["urn:pulumi:gpu::llm-d::gcp:compute/address:Address::address"])
    assert lifecycle.gateways_using(run.paths, None) == ["default/entrance"]
    with client(run.paths) as kube:
        # Istio's has no proxies of Google's in front of it.
        spec = {"gatewayClassName": "istio"}
        kube.patch("gateway.networking.k8s.io/v1", "Gateway", "entrance", {"spec": spec}, "default")
        assert lifecycle.gateways_using(run.paths, None) == []
        kube.delete("gateway.networking.k8s.io/v1", "Gateway", "entrance", "default")

    run.declared.pools = False
    assert run.up() == {"same": 12, "delete": 2}
    assert node_names(run) == []
    run.stack.destroy()
    assert resources(run) == {}
    assert processes.listing(run.paths) == []
    assert not run.paths.cluster.exists()


def test_a_control_plane_that_died_comes_back(run: Run) -> None:
    run.declared.cluster = run.declared.pools = True
    run.up()
    before = run.stack.outputs()["endpoint"].value
    processes.stop_all(run.paths)
    assert lifecycle.resume(run.paths, run.lines.append)
    assert api_server(run) == before
    assert node_names(run) == ["cpu"]
    assert run.up() == {"same": 14}


def api_server(run: Run) -> str:
    """The real address of the API server, from the administrator's kubeconfig."""
    with client(run.paths) as kube:
        return kube.server.removeprefix("https://")
