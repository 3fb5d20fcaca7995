"""Fleets that Google's multi-cluster Gateway could not serve, or that this project does not plan."""

from __future__ import annotations

from typing import Any

from llm_d_gke.planning.findings import Severity
from tests.planning.refusals.case import Wrong
from tests.stacks import EXISTING_NETWORK, OPEN

_RANGES = {"us-central1": "192.168.64.0/23", "europe-west4": "192.168.66.0/23"}
_CONFIG: dict[str, Any] = {
    "fleet": {"role": "config", "proxyCidrs": _RANGES},
    "network.proxyCidr": "192.168.64.0/23",
    "gateway": {"exposure": "internal"},
    "acknowledge": [],
}

FLEET = (
    *(
        Wrong(
            name=f"fleet with {path}",
            id="LLMD-FLEET-FEATURE",
            changes=_CONFIG | changes,
            path=path,
            value=value,
            rule="one pool in each cluster",
            fix="remove it, or remove fleet",
        )
        for path, changes, value in (
            ("gateway.exposure", {"gateway": {"exposure": "external"}, "acknowledge": [OPEN]}, "external"),
            ("gateway.tls.kind", {"gateway.tls": {"kind": "secret", "secret": "certificate"}}, "secret"),
            ("gateway.existingAddress", {"gateway.existingAddress": "mine"}, "mine"),
            ("deployment", {"deployment": "kserve"}, "kserve"),
        )
    ),
    Wrong(
        name="fleet on a version without export of pools",
        id="LLMD-FLEET-VERSION",
        changes=_CONFIG | {"cluster.version": "1.33"},
        path="cluster.version",
        value="1.33",
        rule="needs GKE 1.34.1-gke.1127000",
        fix="use 1.34.1-gke.1127000 or newer",
    ),
    Wrong(
        name="fleet without this cluster's region",
        id="LLMD-FLEET-REGION",
        changes=_CONFIG | {"fleet": {"role": "config", "proxyCidrs": {"europe-west4": "192.168.66.0/23"}}},
        path="fleet.proxyCidrs",
        value="europe-west4",
        rule="us-central1, is missing",
        fix="add us-central1: 192.168.64.0/23",
    ),
    *(
        Wrong(
            name=f"fleet in {place}",
            id="LLMD-FLEET-PLACE",
            changes=_CONFIG | {"fleet": {"role": "config", "proxyCidrs": {**_RANGES, place: "192.168.80.0/23"}}},
            path=f"fleet.proxyCidrs.{place}",
            value=place,
            rule="no accelerators in a region of this name",
            fix=fix,
            severity=Severity.WARNING,
        )
        for place, fix in (
            ("eu-west4", "did you mean europe-west4?"),
            ("europe-west4-a", "did you mean europe-west4?"),
            ("mars-south1", "gcloud compute regions list"),
        )
    ),
    Wrong(
        name="fleet that lets another range in than the stack's",
        id="LLMD-FLEET-RANGE",
        changes=_CONFIG | {"network.proxyCidr": "192.168.70.0/23"},
        path="network.proxyCidr",
        value="192.168.70.0/23",
        rule="has 192.168.64.0/23 for us-central1",
        fix="use proxyCidr: 192.168.64.0/23",
    ),
    Wrong(
        name="fleet with ranges that overlap",
        id="LLMD-FLEET-RANGE",
        changes=_CONFIG | {"fleet": {"role": "config", "proxyCidrs": {**_RANGES, "europe-west4": "192.168.65.0/24"}}},
        path="fleet.proxyCidrs.europe-west4",
        value="192.168.65.0/24",
        rule="overlaps 192.168.64.0/23 of us-central1",
        fix="choose ranges",
    ),
    Wrong(
        name="member of a fleet with a VPC of its own",
        id="LLMD-FLEET-NETWORK",
        changes=_CONFIG | {"fleet": {"role": "member", "proxyCidrs": _RANGES}},
        path="network.existing",
        value="(missing)",
        rule="in one VPC",
        fix="the config cluster's network",
    ),
    Wrong(
        name="existing cluster in a fleet without a namespace",
        id="LLMD-FLEET-NAMESPACE",
        changes=_CONFIG
        | {
            "cluster.existing": {"name": "shared", "version": "1.35.1-gke.1000000"},
            "network.existing": dict(EXISTING_NETWORK),
        },
        path="namespace.name",
        value="(missing)",
        rule="in the same namespace are one backend",
        fix="the same value in every stack",
    ),
)
