"""The kubelets of all nodes: a worker for every pod that is bound to one."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

from llm_d_gke.catalog import load
from llm_d_gke.kube import Kube, KubeError, Manifest, NotFound
from llm_d_gke.kube.conditions import internal_ip
from llm_d_gke.kube.events import Recorder
from llm_d_gke.kube.informer import Informer
from llm_d_gke.rehearsal.host import processes
from llm_d_gke.rehearsal.host.ports import Ports
from llm_d_gke.rehearsal.node_agent.images_to_binaries import Program
from llm_d_gke.rehearsal.node_agent.launch import Launcher, Simulated, read_simulations
from llm_d_gke.rehearsal.node_agent.pod_worker import Forward, PodWorker
from llm_d_gke.rehearsal.node_agent.streams import Place
from llm_d_gke.rehearsal.node_agent.vllm_on_cpu import VllmOnCpu, environment_for, runs_vllm
from llm_d_gke.rehearsal.paths import StackPaths, record_difference
from llm_d_gke.rehearsal.vllm_cpu.model_folders import read_models

log = logging.getLogger(__name__)

_DONE = ("Succeeded", "Failed")


class KubeletManager:
    """Implements `pod_worker.Kubelet`.

    `informers` watch Nodes, Pods, ConfigMaps and Secrets, by kind. `binary` returns the executable of a program in an
    image.
    """

    def __init__(
        self,
        paths: StackPaths,
        kube: Kube,
        informers: Mapping[str, Informer],
        binary: Callable[[Program, str], Path],
        wake: Callable[[], None],
        cloud_environment: Callable[[str, str], Mapping[str, str]],
    ) -> None:
        self.paths = paths
        self.kube = kube
        self.ports = Ports()
        self.executor: Executor = ThreadPoolExecutor(max_workers=6, thread_name_prefix="probe")
        self.binary = binary
        self.wake = wake
        self.cloud_environment = cloud_environment
        self.event = Recorder(kube, "kubelet")
        self._nodes, self._pods = informers["Node"], informers["Pod"]
        self._informers = informers
        self._workers: dict[str, PodWorker] = {}
        self._written: dict[str, Manifest] = {}
        self._next = 0
        # Whether the load balancer sends requests to a ready pod; set where there is one.
        self.listed: Callable[[str], bool] = lambda _address: True

    # -- for the pod workers

    def record_difference(self, text: str) -> None:
        record_difference(self.paths, text)

    def engine_launcher(self, image: str) -> Launcher:
        if runs_vllm(self.paths, image):
            return VllmOnCpu(environment_for(image, load()), read_models(self.paths))
        contexts = {name: model.context for name, model in load().models.items()}
        return Simulated(read_simulations(self.paths), contexts)

    def watched(self, kind: str, namespace: str, name: str) -> Manifest | None:
        """The ConfigMap or Secret as last seen by its watch: mounted copies follow it without asking the API server."""
        return self._informers[kind].get(namespace, name)

    # -- for the daemon

    @property
    def forwards(self) -> list[Forward]:
        """Every port that a pod listens on, with the pod's address."""
        # A copy, because the konnectivity proxy reads it from other threads.
        return [forward for worker in list(self._workers.values()) for forward in worker.forwards]

    def command_place(self, namespace: str, pod: str, container: str) -> Place | None:
        """Where a command beside a container's process runs. None where no such process does."""
        worker = self._worker_of(namespace, pod)
        process = worker.process_of(container) if worker is not None else None
        if process is not None:
            with contextlib.suppress(processes.ProcessError):
                environment, folder = processes.environment_and_folder(process)
                return Place(environment=environment, folder=folder)
        return None

    def ports_place(self, namespace: str, pod: str) -> Place | None:
        """Ports of this machine by port of a pod. None where it has none."""
        worker = self._worker_of(namespace, pod)
        ports = {forward.port: forward.target for forward in worker.forwards} if worker is not None else {}
        return Place(ports=ports) if ports else None

    def _worker_of(self, namespace: str, pod: str) -> PodWorker | None:
        # A copy, because the kubelets' API asks from other threads.
        for worker in list(self._workers.values()):
            metadata = worker.pod["metadata"]
            if (metadata.get("namespace"), metadata["name"]) == (namespace, pod):
                return worker
        return None

    def sync(self, block: int) -> None:
        bound = {
            pod["metadata"]["uid"]: pod
            for pod in self._pods.all()
            if pod["spec"].get("nodeName") and (pod.get("status") or {}).get("phase") not in _DONE
        }
        finished = [pod for pod in self._pods.all() if pod["metadata"]["uid"] not in bound]
        for uid, pod in bound.items():
            try:
                self._step(uid, pod, block)
            except KubeError as error:
                log.warning("pod %s: %s", pod["metadata"]["name"], error)
        for pod in finished:
            if pod["metadata"].get("deletionTimestamp") and pod["spec"].get("nodeName"):
                self._delete(pod)
        for uid in self._workers.keys() - bound.keys():
            self._end(uid)

    def stop(self) -> None:
        """End every process of every pod."""
        for worker in self._workers.values():
            worker.ask_to_stop(1.0)
        for worker in self._workers.values():
            worker.stop_now(1.0)
        self._workers.clear()
        self.executor.shutdown(wait=False, cancel_futures=True)

    def _step(self, uid: str, pod: Manifest, block: int) -> None:
        worker = self._workers.get(uid)
        host = self._nodes.get("", pod["spec"]["nodeName"])
        if host is None:
            # Its node was deleted, and no other kubelet confirms the deletion of the pod.
            self._delete(pod)
            return
        if worker is None:
            log.info(
                "pod %s/%s starts on %s", pod["metadata"]["namespace"], pod["metadata"]["name"], pod["spec"]["nodeName"]
            )
            address, host_ip = self._address(pod, block), internal_ip(host) or "127.0.0.1"
            worker = self._workers[uid] = PodWorker(self, pod, address, host_ip)
        worker.sync(pod)
        if worker.terminated:
            self._delete(pod)
            return
        status = worker.status()
        if status != self._written.get(uid):
            metadata = pod["metadata"]
            try:
                self.kube.patch_status("v1", "Pod", metadata["name"], status, metadata["namespace"])
            except NotFound:
                return
            self._written[uid] = status

    def _delete(self, pod: Manifest) -> None:
        metadata = pod["metadata"]
        self.kube.delete("v1", "Pod", metadata["name"], metadata["namespace"], gracePeriodSeconds=0)

    def _end(self, uid: str) -> None:
        worker = self._workers.pop(uid)
        self._written.pop(uid, None)
        log.info("pod %s ended", worker.pod["metadata"]["name"])
        worker.stop_now(0.5)
        worker.clean()

    def _address(self, pod: Manifest, block: int) -> str:
        """A loopback address for the pod, from 127.<block>.1.1 upward. Reused only after all others."""
        recorded = (pod.get("status") or {}).get("podIP")
        if recorded and str(recorded).startswith(f"127.{block}."):
            return str(recorded)
        used = {worker.address for worker in self._workers.values()}
        used |= {(pod.get("status") or {}).get("podIP") or "" for pod in self._pods.all()}
        for _ in range(240 * 250):
            address = f"127.{block}.{1 + self._next // 250 % 240}.{1 + self._next % 250}"
            self._next += 1
            if address not in used:
                return address
        raise KubeError("every loopback address for pods is in use")
