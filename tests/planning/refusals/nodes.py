"""Stack files that are wrong about nodes or the network, with the finding each gets."""

from __future__ import annotations

from llm_d_gke.planning.findings import Severity
from tests.planning.refusals.case import Wrong
from tests.stacks import existing_cluster

EXISTING_NETWORK = {"network": "n", "subnetwork": "s", "podRange": "p", "serviceRange": "q", "nat": True}

NODES = (
    Wrong(
        id="LLMD-NETWORK-OF-CLUSTER",
        name="existing cluster in a network the stack would create",
        changes={"cluster.existing": {"name": "shared", "version": "1.35.1-gke.1000000"}},
        path="network.existing",
        value="(missing)",
        rule="cluster shared exists in a network of its own",
        fix="gcloud container clusters describe shared --location us-central1-a",
    ),
    Wrong(
        id="LLMD-NETWORK-NAT",
        name="existing network without a known way out",
        changes={"network.existing": {**EXISTING_NETWORK, "nat": False}},
        path="network.existing.nat",
        value="false",
        rule="which the stack does not create in an existing network",
        fix="set network.existing.nat: true",
        severity=Severity.WARNING,
    ),
    Wrong(
        id="LLMD-NETWORK-PROJECTS",
        name="links to two projects",
        changes={
            "network.existing": {
                **EXISTING_NETWORK,
                "network": "projects/host-one/global/networks/n",
                "subnetwork": "projects/host-two/regions/us-central1/subnetworks/s",
            }
        },
        path="network.existing",
        value="{network: projects/host-one/global/networks/n, subnetwork: projects/host-two/...",
        rule="network, subnets and project name different projects (host-one,",
        fix="use names and links of one project",
    ),
    Wrong(
        id="LLMD-POOL-REPLICAS",
        name="pool too small for the replicas",
        changes={"models[0].replicas": 4},
        path="accelerator.nodes.max",
        value="3",
        rule="4 replicas need 4 n1-standard-4 nodes",
        fix="use 4 or more",
    ),
    Wrong(
        id="LLMD-CPU-MACHINE-TYPE",
        name="picker on a machine with accelerators",
        changes={"cpuPool.machineType": "g2-standard-4"},
        path="cpuPool.machineType",
        value="g2-standard-4",
        rule="without accelerators",
        fix="e2-standard-4",
    ),
    Wrong(
        id="LLMD-CPU-POOL-EMPTY",
        name="no node for the picker",
        changes={"cpuPool.nodes": {"min": 0, "max": 2}},
        path="cpuPool.nodes.min",
        value="0",
        rule="tainted",
        fix="use 1 or more",
    ),
    Wrong(
        id="LLMD-DISK-SMALL",
        name="disk too small for image and weights",
        changes={"accelerator.diskGib": 50},
        path="accelerator.diskGib",
        value="50",
        rule="image, weights and caches",
        fix="or remove diskGib",
    ),
    Wrong(
        id="LLMD-RESERVATION-PROVISIONING",
        name="spot out of a reservation",
        changes={"accelerator.reservation": "mine", "accelerator.provisioning": "spot"},
        path="accelerator.reservation",
        value="mine",
        rule="spot capacity cannot come from a reservation",
        fix="remove reservation",
    ),
    Wrong(
        id="LLMD-PROVISIONING-MIN",
        name="flex-start nodes that are always there",
        changes={"accelerator.provisioning": "flex-start", "accelerator.nodes.min": 1},
        path="accelerator.nodes.min",
        value="1",
        rule="flex-start nodes are created when pods wait for them, so the pool",
        fix="use 0",
    ),
    Wrong(
        id="LLMD-PROVISIONING-ON-DEMAND",
        name="machine that is not sold on demand",
        changes={"location": "us-central1-b", "accelerator": {"type": "nvidia-h200-141gb"}},
        path="accelerator.provisioning",
        value="on-demand",
        rule="spot, flex-start or reservation only",
        fix="spot or flex-start",
        severity=Severity.WARNING,
    ),
    Wrong(
        id="LLMD-SLICE-HOSTS",
        name="half a slice more",
        stack="tpu",
        changes={
            "accelerator": {
                "type": "tpu-v6e",
                "machineType": "ct6e-standard-4t",
                "topology": "2x4",
                "nodes": {"max": 3},
            },
            "models[0]": {"id": "Qwen/Qwen3-32B", "tensorParallel": 8},
        },
        path="accelerator.nodes",
        value="0 to 3",
        rule="a 2x4 slice of ct6e-standard-4t has 2 hosts, created as a whole",
        fix="use multiples of 2",
    ),
)

NETWORK = (
    Wrong(
        id="LLMD-PROXY-RANGE-UNKNOWN",
        name="proxies of an unknown range",
        changes={"network.existing": {**EXISTING_NETWORK, "proxySubnetwork": "proxies"}},
        path="network.proxyCidr",
        value="(missing)",
        rule="admit the load balancer's proxies by the range of proxies",
        fix="set network.proxyCidr",
    ),
    Wrong(
        id="LLMD-NETWORK-POLICIES-KEPT",
        name="policies that an existing cluster may not enforce",
        changes=existing_cluster(),
        path="networkPolicies",
        value="cluster shared",
        rule="a cluster without Dataplane V2 or network policy enforcement accepts",
        fix="ADVANCED_DATAPATH",
        severity=Severity.WARNING,
    ),
    Wrong(
        id="LLMD-CIDR-PRIVATE",
        name="public range",
        changes={"network.podCidr": "8.8.0.0/16"},
        path="network.podCidr",
        value="8.8.0.0/16",
        rule="not a private range",
        fix="10.0.0.0/8",
    ),
    *(
        Wrong(
            id="LLMD-CIDR-SMALL",
            name=f"{key} too small",
            changes={f"network.{key}": cidr},
            path=f"network.{key}",
            value=cidr,
            rule=f"too small: a {minimum}",
            fix=f"use {cidr.split('/')[0]}/",
        )
        for key, cidr, minimum in (
            ("nodeCidr", "10.0.0.0/30", "/29"),
            ("podCidr", "10.4.0.0/25", "/24"),
            ("serviceCidr", "10.8.0.0/28", "/27"),
            ("proxyCidr", "192.168.0.0/27", "/26"),
        )
    ),
    Wrong(
        id="LLMD-CIDR-OVERLAP",
        name="ranges that overlap",
        changes={"network.nodeCidr": "10.4.0.0/20"},
        path="network.nodeCidr",
        value="10.4.0.0/20",
        rule="overlaps podCidr = 10.4.0.0/14",
        fix="choose ranges",
    ),
    Wrong(
        id="LLMD-CIDR-NODES",
        name="pods of more nodes than the range has",
        changes={"network.podCidr": "10.4.0.0/22"},
        path="network.podCidr",
        value="10.4.0.0/22",
        rule="too small for the 6 nodes that both pools may grow to: GKE gives each a /24",
        fix="use a /21 or larger",
    ),
    Wrong(
        id="LLMD-CIDR-NODES",
        name="more nodes than addresses",
        changes={"network.nodeCidr": "10.0.0.0/29"},
        path="network.nodeCidr",
        value="10.0.0.0/29",
        rule="too small for the 6 nodes",
        fix="use a /28 or larger",
    ),
    Wrong(
        id="LLMD-CIDR-AUTO-MODE",
        name="range of an auto-mode network",
        changes={"network": {"existing": EXISTING_NETWORK | {"autoMode": True}, "proxyCidr": "10.200.0.0/23"}},
        path="network.proxyCidr",
        value="10.200.0.0/23",
        rule="an auto-mode VPC uses 10.128.0.0/9",
        fix="192.168.0.0/23",
    ),
)
