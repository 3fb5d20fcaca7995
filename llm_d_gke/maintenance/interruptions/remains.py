"""What a destroyed stack left in a rehearsal: Pulumi's state, Google Cloud, the cluster, processes."""

from __future__ import annotations

import json
from collections.abc import Iterator

from llm_d_gke.google_types import CLUSTER
from llm_d_gke.kube import Kube, KubeError
from llm_d_gke.rehearsal.cluster_client import client
from llm_d_gke.rehearsal.host import processes
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.providers.gcp.existing import EXISTING
from llm_d_gke.rehearsal.providers.gcp.store import MARKS, CloudStore
from llm_d_gke.waiting import wait_until

# Kubernetes itself writes and removes these.
_IGNORED_KINDS = frozenset({"Event", "Lease", "Endpoints", "EndpointSlice"})
_SECONDS = 30.0


def remains(paths: StackPaths, cluster_before: frozenset[str] = frozenset()) -> list[str]:
    """One line for each thing that is left. `cluster_before`: the objects of an existing cluster before the stack."""
    return [*recorded(paths), *_cloud(paths), *_cluster(paths, cluster_before)]


def cluster_objects(paths: StackPaths) -> frozenset[str]:
    """All objects of the cluster as `Kind namespace/name`. Empty without a cluster."""
    if not paths.kubeconfig.exists():
        return frozenset()
    with client(paths) as kube:
        return wait_until(
            lambda: _listed(kube), timeout=_SECONDS, on_timeout=lambda: TimeoutError("no list of objects")
        )


def _listed(kube: Kube) -> frozenset[str]:
    """All objects; nothing while the API server changes its kinds."""
    try:
        return frozenset(_objects(kube))
    except KubeError:
        return frozenset()


def _objects(kube: Kube) -> Iterator[str]:
    groups = kube.request("GET", "/apis")["groups"]
    versions = ["v1", *(group["preferredVersion"]["groupVersion"] for group in groups)]
    for version in versions:
        base = f"/api/{version}" if "/" not in version else f"/apis/{version}"
        for resource in kube.request("GET", base)["resources"]:
            if "list" not in resource.get("verbs", ()) or "/" in resource["name"] or resource["kind"] in _IGNORED_KINDS:
                continue
            for item in kube.request("GET", f"{base}/{resource['name']}").get("items") or ():
                about = item["metadata"]
                yield f"{resource['kind']} {about.get('namespace', '')}/{about['name']}"


def recorded(paths: StackPaths) -> Iterator[str]:
    """What Pulumi's state holds, pending operations included."""
    for file in (paths.backend / ".pulumi" / "stacks").glob(f"*/{paths.stack}.json"):
        try:
            checkpoint = json.loads(file.read_text(encoding="utf-8")).get("checkpoint") or {}
        except ValueError:
            yield "state: half written"
            continue
        latest = checkpoint.get("latest") or {}
        for resource in latest.get("resources") or ():
            yield f"state: {resource['urn']}"
        for operation in latest.get("pending_operations") or ():
            yield f"state: pending {operation['type']} {operation['resource']['urn']}"


def _cloud(paths: StackPaths) -> Iterator[str]:
    for token, records in CloudStore(paths.cloud).read()["resources"].items():
        for identifier, record in records.items():
            if not str(record.get(MARKS, {}).get("urn", "")).startswith(EXISTING):
                yield f"Google Cloud: {token} {identifier}"


def _cluster(paths: StackPaths, before: frozenset[str]) -> Iterator[str]:
    if CloudStore(paths.cloud).resources(CLUSTER):
        left = sorted(cluster_objects(paths) - before)
        # Without an existing cluster the stack's own is still there, with everything in it.
        yield from (f"cluster: {item}" for item in left) if before else [f"cluster: {len(left)} objects"]
        return
    for process in processes.listing(paths):
        if process.alive:
            yield f"process: {process.name}"
    if paths.cluster.exists():
        yield f"files: {paths.cluster.name}/"
