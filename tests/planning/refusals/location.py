"""Stack files that are wrong about project, place or cluster, with the finding each gets."""

from __future__ import annotations

from planning.findings import Severity
from tests.planning.refusals.case import Wrong

STACK = (
    Wrong(
        name="no project",
        changes={"project": None},
        path="project",
        value="(missing)",
        rule="belongs to a Google Cloud project",
        fix="pulumi config set llm-d:project",
    ),
    Wrong(
        name="unknown release",
        changes={"release": "llm-d-0.1"},
        path="release",
        value="llm-d-0.1",
        rule="no such release",
        fix="llm-d-0.9, llm-d-0.6, gaie-1.5, llm-d-0.4, rhaiis-3.2",
    ),
    Wrong(
        name="two models behind one route",
        changes={
            "models": [
                {"id": "Qwen/Qwen2.5-0.5B-Instruct", "dtype": "half"},
                {"id": "microsoft/phi-2", "dtype": "half"},
            ]
        },
        path="models",
        value="2 models",
        rule="could reach the wrong one",
        fix="one model per stack",
    ),
    Wrong(
        name="no certificate for the internet",
        path="gateway.tls.kind",
        value="none",
        rule="unencrypted",
        fix="set a certificate",
        severity=Severity.WARNING,
    ),
)

PLACE = (
    Wrong(
        name="unknown accelerator",
        changes={"accelerator.type": "nvidia-t4"},
        path="accelerator.type",
        value="nvidia-t4",
        rule="no such accelerator",
        fix="nvidia-tesla-t4",
    ),
    Wrong(
        name="machine type of another accelerator",
        changes={"accelerator.machineType": "g2-standard-4"},
        path="accelerator.machineType",
        value="g2-standard-4",
        rule="T4 does not come with",
        fix="n1-standard-4",
    ),
    Wrong(
        name="unknown machine type",
        changes={"accelerator.machineType": "n1-standard-5"},
        path="accelerator.machineType",
        value="n1-standard-5",
        rule="T4 does not come with",
        fix="n1-standard-4",
    ),
    Wrong(
        name="topology that the machine has not",
        stack="tpu",
        changes={"accelerator.topology": "3x3"},
        path="accelerator.topology",
        value="3x3",
        rule="no such slice topology",
        fix="use one of 2x2, 2x4",
    ),
    Wrong(
        name="topology on GPUs",
        changes={"accelerator.topology": "2x2"},
        path="accelerator.topology",
        value="2x2",
        rule="only TPU slices",
        fix="remove it",
    ),
    Wrong(
        name="chips that the host has not",
        stack="tpu",
        changes={"accelerator.perNode": 2},
        path="accelerator.perNode",
        value="2",
        rule="has 4 TPU chips",
        fix="remove perNode",
    ),
    Wrong(
        name="GPUs that the machine does not take",
        changes={"accelerator.perNode": 3},
        path="accelerator.perNode",
        value="3",
        rule="takes 1 or 2 or 4 T4",
        fix="use 1",
    ),
    Wrong(
        name="zone without the accelerator",
        stack="tpu",
        changes={"location": "us-central1-f"},
        path="location",
        value="us-central1-f",
        rule="is not offered there",
        fix="use one of us-central1-a, us-central1-b",
    ),
    Wrong(
        name="region without the accelerator",
        changes={"location": "europe-north1"},
        path="location",
        value="europe-north1",
        rule="is not offered there",
        fix="use one of asia-east1-a",
    ),
    Wrong(
        name="zone of another region",
        changes={"location": "us-central1", "accelerator.zones": ["us-east1-c"]},
        path="accelerator.zones",
        value="us-east1-c",
        rule="not in the stack's region us-central1",
        fix="use zones of us-central1",
    ),
    Wrong(
        name="zone beside a zonal cluster",
        changes={"accelerator.zones": ["us-central1-b"]},
        path="accelerator.zones",
        value="us-central1-b",
        rule="a zonal cluster in us-central1-a",
        fix="set llm-d:location to us-central1",
    ),
    Wrong(
        name="zone of which the lists say nothing",
        changes={"location": "us-central1-f", "accelerator": {"type": "nvidia-b200", "provisioning": "spot"}},
        path="location",
        value="us-central1-f",
        rule="its list is incomplete",
        fix="us-central1-b",
        severity=Severity.WARNING,
    ),
)

CLUSTER = (
    Wrong(
        name="version before the inference gateway",
        changes={"cluster.version": "1.31.5-gke.1000"},
        path="cluster.version",
        value="1.31.5-gke.1000",
        rule="needs 1.32.3",
        fix="use 1.34",
    ),
    Wrong(
        name="minor version before the inference gateway",
        changes={"cluster.version": "1.31"},
        path="cluster.version",
        value="1.31",
        rule="needs 1.32.3",
        fix="use 1.34",
    ),
    Wrong(
        name="brought cluster before the inference gateway",
        changes={"cluster.existing": {"name": "shared", "version": "1.30.1-gke.1"}},
        path="cluster.existing.version",
        value="1.30.1-gke.1",
        rule="needs 1.32.3",
        fix="use 1.34",
    ),
    Wrong(
        name="version before the accelerator",
        stack="tpu",
        changes={
            "cluster.version": "1.33",
            "location": "us-central1-c",
            "accelerator": {"type": "tpu-v7x", "machineType": "tpu7x-standard-1t"},
            "models[0]": {"id": "google/gemma-2-9b-it"},
        },
        path="cluster.version",
        value="1.33",
        rule="needs GKE 1.34.0-gke.2201000",
        fix="use 1.34.0-gke.2201000",
    ),
    Wrong(
        name="nobody may reach the control plane",
        changes={"cluster.controlPlane": {"access": "authorized-networks"}},
        path="cluster.controlPlane.authorizedNetworks",
        value="[]",
        rule="no range may reach",
        fix="dns-endpoint",
    ),
    Wrong(
        name="ranges for an address that is off",
        changes={"cluster.controlPlane": {"authorizedNetworks": [{"cidr": "203.0.113.0/24", "name": "office"}]}},
        path="cluster.controlPlane.authorizedNetworks",
        value="1 ranges",
        rule="turns off",
        fix="authorized-networks",
    ),
)
