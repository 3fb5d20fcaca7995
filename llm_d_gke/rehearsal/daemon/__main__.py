"""`python -m llm_d_gke.rehearsal.daemon STACK [--root DIR]`: the GKE simulator of a stack, while it has a cluster."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import select
import signal
import time
from collections.abc import Callable
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import FrameType

from llm_d_gke.catalog import load
from llm_d_gke.kube import Kube
from llm_d_gke.kube.informer import CrdChanges, Informer
from llm_d_gke.rehearsal.autoscaler.compute_classes import COMPUTE_CLASS
from llm_d_gke.rehearsal.autoscaler.nodes import Nodes
from llm_d_gke.rehearsal.cluster_client import client
from llm_d_gke.rehearsal.control_plane.certificates import Certificates
from llm_d_gke.rehearsal.control_plane.control_plane import tunnel_port
from llm_d_gke.rehearsal.controllers import aggregated_apis, cert_manager, sail_operator
from llm_d_gke.rehearsal.host import processes
from llm_d_gke.rehearsal.load_balancer import envoy, konnectivity
from llm_d_gke.rehearsal.load_balancer.fleet import Fleet
from llm_d_gke.rehearsal.load_balancer.gateway import LoadBalancer
from llm_d_gke.rehearsal.load_balancer.health import HealthChecks
from llm_d_gke.rehearsal.load_balancer.kinds import KINDS
from llm_d_gke.rehearsal.monitoring import collection, prometheus
from llm_d_gke.rehearsal.node_agent import kubelet_api, streams
from llm_d_gke.rehearsal.node_agent.images_to_binaries import Program, executable
from llm_d_gke.rehearsal.node_agent.kubelet_manager import KubeletManager
from llm_d_gke.rehearsal.node_agent.vllm_on_cpu import environment_for, runs_vllm
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.providers.gcp.cloud_view import CloudReader
from llm_d_gke.rehearsal.toolchain.build import binaries
from llm_d_gke.stackfile import PROJECT_ROOT

log = logging.getLogger("llm_d_gke.rehearsal.daemon")

# Seconds between two reconciliations without an event: back-offs, probes and the cloud store are looked at this often.
RESYNC_SECONDS = 0.3

# Seconds between two computations of routing without a change.
ROUTING_RESYNC_SECONDS = 5.0

# Kinds whose changes may change routing, and those whose changes only wake the loop.
_ROUTED = (("v1", "Pod"), ("v1", "Node"), COMPUTE_CLASS, *KINDS)
_WATCHED = (
    ("v1", "ConfigMap"),
    ("v1", "Secret"),
    *cert_manager.KINDS,
    (sail_operator.API, sail_operator.KIND),
    (aggregated_apis.API, aggregated_apis.KIND),
    (collection.API, collection.KIND),
)


class Daemon:
    """Reconciles all parts in one thread. Watches and probes only wake it."""

    def __init__(self, paths: StackPaths, kube: Kube) -> None:
        self._paths = paths
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._reading, False)
        os.set_blocking(self._writing, False)
        self._stopping = False
        self._cloud = CloudReader(paths)
        self._needs_resync = True
        self._kubelet_port: int | None = None
        self._routed = 0.0
        self._seen: object = None
        crds = CrdChanges()
        informers = {
            kind: Informer(kube, version, kind, changed, crds=crds)
            for changed, kinds in ((self._changed, _ROUTED), (self.wake, _WATCHED))
            for version, kind in kinds
        }
        # Only their names: the CRDs of KServe are megabytes of schema.
        definitions = Informer(
            kube, "apiextensions.k8s.io/v1", "CustomResourceDefinition", crds.add, metadata_only=True
        )
        self._informers = [definitions, *informers.values()]
        self._services, self._pods = informers["Service"], informers["Pod"]
        self._metrics = collection.ManagedCollection(
            paths,
            kube,
            self._pods,
            informers[collection.KIND],
            lambda: binaries([prometheus.NAME], log.info)[prometheus.NAME],
            self._resolve,
        )
        self._envoy = envoy.Envoy(paths)
        self._nodes = Nodes(paths, kube, load, informers["Node"], self._pods, informers[COMPUTE_CLASS[1]])
        self._kubelets = KubeletManager(paths, kube, informers, self._executable, self.wake, self._metrics.environment)
        self._health = HealthChecks(self._kubelets.executor, self._changed)
        self._fleet = Fleet(paths, kube, informers, self._changed)
        self._balancer = LoadBalancer(paths, kube, informers, self._envoy, self._health, self._fleet)
        self._kubelets.listed = self._balancer.lists
        self._cert_manager = cert_manager.CertManager(paths.cluster / "pki", kube, informers)
        self._sail_operator = sail_operator.SailOperator(kube, informers[sail_operator.KIND])
        self._aggregated_apis = aggregated_apis.AggregatedApis(
            kube, informers[aggregated_apis.KIND], self._services, self._pods
        )

    def run(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        # The end of a child wakes the loop at once: a killed server must not count as ready.
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        _end_orphans(self._paths)
        pki = Certificates(self._paths.cluster / "pki")
        self._kubelet_port, close_kubelets = kubelet_api.serve(
            self._paths.pod_logs, pki, self._kubelets, streams.program
        )
        close = konnectivity.serve(tunnel_port(self._paths), pki, self._resolve)
        for informer in self._informers:
            informer.start()
        for informer in self._informers:
            informer.wait(10.0)
        log.info("simulating stack %s", self._paths.stack)
        while not self._stopping and self._paths.cluster.is_dir():
            self.reconcile_once()
            self.wait_for_event()
        log.info("stopping: %s", "signaled" if self._stopping else "the cluster was deleted")
        self._kubelets.stop()
        self._envoy.stop()
        self._metrics.stop()
        close()
        close_kubelets()

    def _resolve(self, host: str, port: int) -> int | None:
        if port == kubelet_api.KUBELET_PORT:
            # Whichever node it is: all kubelets are one.
            return self._kubelet_port
        return konnectivity.resolve(self._services.all(), self._pods.all(), self._kubelets.forwards, host, port)

    def wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(self._writing, b"w")

    def _changed(self) -> None:
        self._needs_resync = True
        self.wake()

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def wait_for_event(self) -> None:
        select.select([self._reading], [], [], RESYNC_SECONDS)
        try:
            while os.read(self._reading, 4096):
                pass
        except BlockingIOError:
            pass

    def reconcile_once(self) -> None:
        cloud = self._cloud.read()
        if not cloud.block:
            return
        routing = self._needs_resync or time.monotonic() - self._routed > ROUTING_RESYNC_SECONDS
        self._needs_resync = False
        _run_part("nodes", lambda: self._nodes.reconcile(cloud))
        _run_part("metrics", lambda: self._metrics.reconcile(cloud))
        _run_part("pods", lambda: self._kubelets.sync(cloud.block))
        forwards = self._kubelets.forwards
        _run_part("fleet", lambda: self._fleet.reconcile(cloud))
        seen = (cloud, forwards)
        if routing or seen != self._seen:
            self._seen, self._routed = seen, time.monotonic()
            _run_part("gateways", lambda: self._balancer.reconcile(cloud, forwards))
        _run_part("health", self._health.reconcile)
        _run_part("certificates", self._cert_manager.reconcile)
        _run_part("istio", self._sail_operator.reconcile)
        _run_part("aggregated APIs", self._aggregated_apis.reconcile)
        _run_part("envoy", lambda: self._envoy.reconcile((f"127.{cloud.block}.0.2", 9901)))

    def _executable(self, program: Program, image: str) -> Path:
        # Envoy and vLLM are installed as packages, not built.
        if program is Program.PROXY:
            return envoy.executable()
        if program is Program.ENGINE and runs_vllm(self._paths, image):
            return environment_for(image, load()).installed.python
        return executable(program, image, self._paths, log.info)


def _end_orphans(paths: StackPaths) -> None:
    """End the processes of a daemon that was killed. Their pods are still bound, so they start again."""
    for process in processes.listing(paths):
        if process.name.startswith("pod.") or process.name in (envoy.NAME, prometheus.NAME):
            processes.stop(paths, process.name, grace=0.5)


def _run_part(part: str, work: Callable[[], None]) -> None:
    """Run one part. Its failure, for example of an API server that is stopping, must not stop the others."""
    try:
        work()
    except Exception as error:
        log.warning("%s: %s", part, error, exc_info=not isinstance(error, OSError))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m llm_d_gke.rehearsal.daemon", description=__doc__)
    parser.add_argument("stack")
    parser.add_argument("--root", type=Path, default=PROJECT_ROOT)
    options = parser.parse_args()
    paths = StackPaths(options.stack, options.root.absolute())
    paths.logs.mkdir(parents=True, exist_ok=True)
    handler = RotatingFileHandler(paths.logs / "machine.log", maxBytes=10_000_000, backupCount=1)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("httpx").setLevel(logging.WARNING)
    with client(paths) as kube:
        Daemon(paths, kube).run()


if __name__ == "__main__":
    main()
