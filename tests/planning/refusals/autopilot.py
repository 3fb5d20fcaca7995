"""Autopilot clusters with settings that Autopilot does not have."""

from __future__ import annotations

from typing import Any

from llm_d_gke.catalog.schema import AutopilotGpu
from llm_d_gke.planning.findings import Severity
from tests.planning.refusals.case import Wrong

_ON: dict[str, Any] = {"cluster.mode": "autopilot", "location": "us-central1"}
_L4 = _ON | {"accelerator.type": "nvidia-l4"}

AUTOPILOT = (
    Wrong(
        name="Autopilot in a zone",
        id="LLMD-AUTOPILOT-LOCATION",
        changes=_L4 | {"location": "us-central1-a"},
        path="location",
        value="us-central1-a",
        rule="Autopilot clusters are regional",
        fix="use us-central1, and accelerator.zones: [us-central1-a]",
    ),
    Wrong(
        name="Autopilot with a GPU that Google does not list for it",
        id="LLMD-AUTOPILOT-ACCELERATOR",
        changes=_ON | {"accelerator.type": "nvidia-gb200"},
        path="accelerator.type",
        value="nvidia-gb200",
        rule="does not list GB200",
        fix="use one of nvidia-tesla-t4",
    ),
    Wrong(
        name="Autopilot with fewer GPUs than its nodes have",
        id="LLMD-AUTOPILOT-COUNT",
        changes=_L4,
        facts={"nvidia-l4": {"autopilot": AutopilotGpu(counts=(2, 4))}},
        path="accelerator.perNode",
        value="1",
        rule="nodes with 2 or 4 L4",
        fix="use a machine type with 2, or cluster.mode: standard",
    ),
    Wrong(
        name="Autopilot older than its GPU",
        id="LLMD-AUTOPILOT-VERSION",
        changes=_ON
        | {
            "accelerator": {"type": "nvidia-rtx-pro-6000"},
            "cluster": {"mode": "autopilot", "version": "1.34.1-gke.1000000"},
        },
        path="cluster.version",
        value="1.34.1-gke.1000000",
        rule="from GKE 1.34.1-gke.1829001 on",
        fix="use 1.34.1-gke.1829001 or newer",
    ),
    Wrong(
        name="Autopilot with RDMA networks",
        id="LLMD-AUTOPILOT-HOSTS",
        stack="mixture-of-experts-wide-gpu",
        changes=_ON,
        path="cluster.mode",
        value="autopilot, a3-ultragpu-8g with RDMA networks",
        rule="with node pools",
        fix="use cluster.mode: standard",
    ),
    Wrong(
        name="Autopilot with a CPU pool",
        id="LLMD-AUTOPILOT-POOL",
        changes=_L4 | {"cpuPool": {"machineType": "e2-standard-8"}},
        path="cpuPool",
        value="set",
        rule="has no node pools",
        fix="remove cpuPool",
    ),
    Wrong(
        name="Autopilot with nodes that stay",
        id="LLMD-AUTOPILOT-POOL",
        changes=_L4 | {"accelerator.nodes": {"min": 1, "max": 2}},
        path="accelerator.nodes.min",
        value="1",
        rule="no minimum of nodes can be kept",
        fix="use 0",
    ),
    Wrong(
        name="Autopilot with nodes that stay, and a compute class",
        id="LLMD-AUTOPILOT-POOL",
        changes=_L4 | {"accelerator.nodes": {"min": 1, "max": 2}, "accelerator.computeClass": {}},
        path="accelerator.nodes.min",
        value="1",
        rule="no minimum of nodes can be kept",
        fix="use 0",
    ),
    *(
        Wrong(
            name=f"Autopilot with {key} and no compute class",
            id="LLMD-AUTOPILOT-CLASS",
            changes=_L4 | {f"accelerator.{key}": value},
            path=f"accelerator.{key}",
            value=text,
            rule="Autopilot chooses machine type and disk",
            fix=f"remove {key}, or add accelerator.computeClass: {{}}",
        )
        for key, value, text in (
            ("machineType", "g2-standard-8", "g2-standard-8"),
            ("diskGib", 200, "200"),
            ("provisioning", "flex-start", "flex-start"),
            ("reservation", "mine", "mine"),
            ("zones", ["us-central1-a", "us-central1-b"], "us-central1-a, us-central1-b"),
        )
    ),
    Wrong(
        name="Autopilot with large weights on a disk of unknown size",
        id="LLMD-AUTOPILOT-STORAGE",
        changes=_ON | {"accelerator": {"type": "nvidia-l4"}, "models": [{"id": "Qwen/Qwen3-8B", "maxModelLen": 4096}]},
        path="accelerator.type",
        value="nvidia-l4, 15 GiB of weights on a node",
        rule="the catalog lacks the bounds",
        fix="accelerator.computeClass: {}",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="Autopilot with intranode visibility",
        id="LLMD-AUTOPILOT-CLUSTER",
        changes=_L4 | {"cluster": {"mode": "autopilot", "intranodeVisibility": True}},
        path="cluster.intranodeVisibility",
        value="true",
        rule="the gcp provider refuses",
        fix="remove it",
    ),
    Wrong(
        name="Autopilot with a key for disks and no compute class",
        id="LLMD-AUTOPILOT-CLUSTER",
        changes=_L4
        | {
            "cluster": {
                "mode": "autopilot",
                "encryption": {"diskKey": "projects/p/locations/us-central1/keyRings/r/cryptoKeys/k"},
            }
        },
        path="cluster.encryption.diskKey",
        value="projects/p/locations/us-central1/keyRings/r/cryptoKeys/k",
        rule="it has neither",
        fix="accelerator.computeClass: {}",
    ),
)
