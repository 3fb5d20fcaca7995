"""The processes of a cluster: its control plane, and the daemon that simulates GKE."""

from __future__ import annotations

import base64
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from llm_d_gke.google_types import CLUSTER
from llm_d_gke.nested import value_at
from llm_d_gke.rehearsal.host import processes
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.providers.gcp.kinds import refers
from llm_d_gke.rehearsal.providers.gcp.pools import Size
from llm_d_gke.rehearsal.providers.gcp.store import MARKS, CloudStore, Record
from llm_d_gke.rehearsal.providers.properties import Properties
from llm_d_gke.rehearsal.providers.requests import Refused
from llm_d_gke.stackfile import PROJECT_ROOT

Report = Callable[[str], None]

DAEMON: Final = "machine"
POOL_LABEL: Final = "cloud.google.com/gke-nodepool"
NODES_SECONDS: Final = 60.0  # the daemon acts every half second; a minute is for a machine that swaps
REPORT_SECONDS: Final = 5.0


def start(paths: StackPaths, cluster: Record, report: Report) -> Properties:
    """Start the control plane and the daemon for the cluster's record, as far as they do not run.

    Returns the outputs that only a running cluster has. Raises `Refused` with what did not come up.
    """
    from llm_d_gke.rehearsal.control_plane.addons import Features
    from llm_d_gke.rehearsal.control_plane.control_plane import ControlPlane, ControlPlaneError
    from llm_d_gke.rehearsal.toolchain.go import BuildError

    plane = ControlPlane(paths)
    channel = value_at(cluster, "gatewayApiConfig", "channel", default="CHANNEL_DISABLED")
    features = Features(
        cluster["masterVersion"],
        gateway_api=channel != "CHANNEL_DISABLED",
        # On by default, as on GKE since 1.27.
        managed_prometheus=bool(value_at(cluster, "monitoringConfig", "managedPrometheus", "enabled", default=True)),
        service_range=cluster["servicesIpv4Cidr"],
        secret_manager=bool(value_at(cluster, "secretManagerConfig", "enabled")),
    )
    try:
        plane.start(features, report)
        if not processes.alive(paths, DAEMON):
            command = [sys.executable, "-m", "llm_d_gke.rehearsal.daemon", paths.host.stack, "--root", str(paths.root)]
            search = os.pathsep.join(filter(None, [str(PROJECT_ROOT), os.environ.get("PYTHONPATH")]))
            environment = {**os.environ, "PYTHONPATH": search}
            processes.start(paths, DAEMON, command, env=environment, log=_last_words(paths), cwd=paths.root)
    except (ControlPlaneError, BuildError, processes.ProcessError) as error:
        raise Refused(str(error)) from error
    endpoints = dict(cluster.get("controlPlaneEndpointsConfig") or {})
    dns = {**(endpoints.get("dnsEndpointConfig") or {}), "endpoint": plane.endpoint}
    private = {
        **(cluster.get("privateClusterConfig") or {}),
        "publicEndpoint": plane.endpoint,
        "privateEndpoint": plane.endpoint,
    }
    authority = base64.b64encode(plane.ca_pem).decode()
    return {
        "endpoint": plane.endpoint,
        "masterAuth": {"clusterCaCertificate": authority, "clientCertificate": "", "clientKey": ""},
        "controlPlaneEndpointsConfig": {**endpoints, "dnsEndpointConfig": dns},
        "privateClusterConfig": private,
    }


def _last_words(paths: StackPaths) -> Path:
    """The file with the daemon's standard error. Its log is `machine.log`."""
    return paths.logs / f"{DAEMON}.err"


def stop(paths: StackPaths) -> None:
    """Stop the daemon, its children and the control plane, and remove the cluster's data. Idempotent."""
    from llm_d_gke.rehearsal.control_plane.control_plane import ControlPlane

    processes.stop(paths, DAEMON, grace=10.0)  # first, so that it ends its pods and starts no new ones
    ControlPlane(paths).stop()
    processes.stop_all(paths)
    for folder in (paths.cluster, paths.envoy):
        shutil.rmtree(folder, ignore_errors=True)
    paths.nodes.unlink(missing_ok=True)


def resume(paths: StackPaths, report: Report) -> bool:
    """Start a stack's cluster again after a crash or a reboot. False when none was created."""
    for record in CloudStore(paths.cloud).resources(CLUSTER).values():
        if "maker" not in record[MARKS]:
            start(paths, record, report)
            return True
    return False


def wait_for_nodes(paths: StackPaths, pool: str, size: Size, *, canceled: threading.Event, report: Report) -> None:
    """Wait until the pool has `size.minimum` to `size.maximum` nodes in Kubernetes. Raises `Refused` after a minute."""
    from llm_d_gke.kube import KubeError
    from llm_d_gke.rehearsal.cluster_client import client

    began = reported_at = time.monotonic()
    have, trouble = 0, ""
    while True:
        try:
            with client(paths) as kube:
                have = len(kube.list("v1", "Node", labels=f"{POOL_LABEL}={pool}"))
            trouble = ""
        except KubeError as error:
            trouble = f"; the API server says: {error}"
        if not trouble and size.minimum <= have <= size.maximum:
            return
        if canceled.is_set():
            raise Refused(f"stopped while node pool {pool} had {have} nodes of {size.minimum}")
        clock = time.monotonic()
        if clock - began > NODES_SECONDS or not processes.alive(paths, DAEMON):
            why = f"has {have} nodes of {size.minimum} after {clock - began:.0f} s{trouble}"
            last = processes.tail(_last_words(paths), lines=8) or processes.tail(paths.logs / f"{DAEMON}.log", lines=8)
            raise Refused(f"node pool {pool} {why}; the log of the GKE simulator ends:\n{last}")
        if clock - reported_at >= REPORT_SECONDS:
            report(f"node pool {pool}: {have} of {size.minimum} nodes after {clock - began:.0f} s")
            reported_at = clock
        time.sleep(0.1)


def gateways_using(paths: StackPaths, address: str | None) -> list[str]:
    """Gateways, as `namespace/name`, that hold a named address (None: that need the proxy-only subnet).

    Istio's have a load balancer that passes packets on, without proxies.
    """
    from llm_d_gke.kube import KubeError
    from llm_d_gke.rehearsal.cluster_client import client
    from llm_d_gke.rehearsal.load_balancer.kinds import is_istio_gateway

    api, users = "gateway.networking.k8s.io/v1", []
    try:
        with client(paths) as kube:
            for gateway in kube.list(api, "Gateway") if kube.serves(api, "Gateway") else []:
                requested = gateway["spec"].get("addresses") or []
                names = [item["value"] for item in requested if item.get("type") == "NamedAddress"]
                if any(refers(name, address) for name in names) if address else not is_istio_gateway(gateway):
                    users.append(f"{gateway['metadata']['namespace']}/{gateway['metadata']['name']}")
    except KubeError:
        return []
    return users
