"""The life of one pod on its node: volumes, init containers in order, containers, status, termination."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from llm_d_gke.kube import Kube, KubeError, Manifest, Manifests
from llm_d_gke.kube.conditions import timestamp
from llm_d_gke.rehearsal.host.files import atomic_write
from llm_d_gke.rehearsal.host.ports import Ports
from llm_d_gke.rehearsal.host.processes import Process
from llm_d_gke.rehearsal.node_agent.containers import Container
from llm_d_gke.rehearsal.node_agent.engine_arguments import serves
from llm_d_gke.rehearsal.node_agent.environment import ConfigError, resolve
from llm_d_gke.rehearsal.node_agent.eviction import GRACE_SECONDS, INTERVAL_SECONDS, REASON, eviction_message
from llm_d_gke.rehearsal.node_agent.images_to_binaries import CONTROLLERS, KEDA, Program, program
from llm_d_gke.rehearsal.node_agent.launch import Launch, Launcher, ProgramLauncher
from llm_d_gke.rehearsal.node_agent.pod_status import READY_CONDITIONS, ContainerState, conditions, dated_back, phase
from llm_d_gke.rehearsal.node_agent.volumes import MountError, has_token, materialize, mounts, write_kubeconfig
from llm_d_gke.rehearsal.paths import StackPaths, difference
from llm_d_gke.waiting import happens_within

# Longest preStop sleep in seconds, once the load balancer has left out the pod, which is what the seconds are for.
LONGEST_PRE_STOP = 1.0
# Longest minReadySeconds of a Deployment, once the load balancer has listed the pod, which is what the seconds are for.
# The controller is the real one, so the kubelet then dates Ready back by the rest.
LONGEST_MIN_READY = 2.0

# Seconds between two reads of the Secrets and ConfigMaps of a controller, which may write its certificates there.
VOLUMES_RESYNC_SECONDS = 1.0


class Kubelet(Protocol):
    """The parts of the kubelet that the worker of a pod uses."""

    paths: StackPaths
    kube: Kube
    ports: Ports
    executor: Executor

    def binary(self, which: Program, image: str) -> Path: ...
    def record_difference(self, text: str) -> None: ...
    def wake(self) -> None: ...
    def listed(self, address: str) -> bool: ...
    def event(self, pod: Manifest, reason: str, message: str, *, warning: bool = False) -> None: ...
    def engine_launcher(self, image: str) -> Launcher: ...
    def cloud_environment(self, namespace: str, account: str) -> Mapping[str, str]: ...
    def watched(self, kind: str, namespace: str, name: str) -> Manifest | None: ...


@dataclass(frozen=True)
class Forward:
    """A port of a pod, `address`:`port`, and the port of its process on this machine, `target`."""

    address: str
    port: int
    target: int


class PodWorker:
    """Does the kubelet's work for one pod. Call `sync` until `terminated`."""

    def __init__(self, host: Kubelet, pod: Manifest, address: str, host_ip: str) -> None:
        self._kubelet = host
        self.pod = pod
        self.address = address
        self._host_ip = host_ip
        self.uid: str = pod["metadata"]["uid"]
        self.home = host.paths.pods / self.uid
        self._folders: dict[str, str] | None = None
        self._retry = 0.0
        self._measured = time.monotonic()
        self._evicted = ""
        self._deleting_since: float | None = None
        self._left_out_since: float | None = None
        self._started = timestamp()
        self._pids: dict[str, object] = {}
        self._conditions: Manifests = []
        self.terminated = False
        spec = pod["spec"]
        self.policy: str = spec.get("restartPolicy") or "Always"
        self._promised: dict[int, int] = {}
        self._inits = [
            self._container(init_container, init=True) for init_container in spec.get("initContainers") or []
        ]
        self._mains = [self._container(container, init=False) for container in spec.get("containers") or []]
        self._refreshes = any(container.program in (*CONTROLLERS, *KEDA) for container in self._mains)

    @property
    def _all(self) -> list[Container]:
        return [*self._inits, *self._mains]

    @property
    def forwards(self) -> list[Forward]:
        """Ports to forward. Empty once the pod's processes have ended."""
        return [
            Forward(self.address, requested, own)
            for container in ([] if self.terminated else self._all)
            for requested, own in container.ports.items()
        ]

    def process_of(self, container: str) -> Process | None:
        """The process that plays a container. None where none runs."""
        return next((item.process for item in self._all if item.state.name == container and item.alive), None)

    def sync(self, pod: Manifest) -> None:
        """Bring the pod closer to its spec. Writes nothing to the API server."""
        self.pod = pod
        if pod["metadata"].get("deletionTimestamp"):
            self._terminate()
            return
        if self._folders is None and not self._mount():
            return
        if self._evict():
            return
        if self._refreshes:
            self._refresh()
        if self._initialize():
            for container in self._mains:
                container.sync(self._kubelet.executor, self._kubelet.wake)
                if container.program is Program.NONE and self.policy != "Always" and container.state.running:
                    container.complete()
        self._write_pids()

    def ask_to_stop(self, grace: float) -> None:
        for container in self._all:
            container.stop(grace)

    def stop_now(self, grace: float) -> None:
        """End every process within `grace` seconds, then by SIGKILL."""
        self.ask_to_stop(grace)
        # `stopped` sends SIGKILL once the grace is over.
        happens_within(grace + 60.0, lambda: not [item for item in self._all if not item.stopped()], pause=0.02)

    def status(self) -> Manifest:
        everyone = [container.state for container in self._all]
        initialized = self._initialized()
        stage = "Failed" if self._evicted else phase(everyone, self.policy, initialized)
        # The copy of the pod may be older than the last write, so the kubelet keeps its own conditions.
        seen = (self.pod.get("status") or {}).get("conditions") or []
        others = [condition for condition in seen if condition["type"] not in READY_CONDITIONS]
        mine = self._conditions or [condition for condition in seen if condition["type"] in READY_CONDITIONS]
        written = conditions([*others, *mine], everyone, initialized, stage)
        if self._ready_for_seconds and self._kubelet.listed(self.address):
            written = dated_back(written, self._ready_for_seconds)
        self._conditions = [condition for condition in written if condition["type"] in READY_CONDITIONS]
        status: Manifest = {
            "phase": stage,
            "conditions": written,
            "hostIP": self._host_ip,
            "hostIPs": [{"ip": self._host_ip}],
            "podIP": self.address,
            "podIPs": [{"ip": self.address}],
            "startTime": (self.pod.get("status") or {}).get("startTime") or self._started,
            "containerStatuses": [container.state.manifest() for container in self._mains],
        }
        if self._inits:
            status["initContainerStatuses"] = [container.state.manifest() for container in self._inits]
        if self._evicted:
            status |= {"reason": REASON, "message": self._evicted}
        return status

    def clean(self) -> None:
        shutil.rmtree(self.home, ignore_errors=True)

    # -- start

    def _container(self, spec: Manifest, *, init: bool) -> Container:
        which = program(spec["image"], spec.get("command") or ())
        sidecar = init and spec.get("restartPolicy") == "Always"
        metadata = self.pod["metadata"]
        label = f"{metadata['namespace']}_{metadata['name']}_{spec['name']}"
        restart = "Always" if sidecar else "OnFailure" if init and self.policy == "Always" else self.policy
        if which is Program.ENGINE and not serves(spec.get("command") or [], spec.get("args") or []):
            which = Program.NONE
            self._kubelet.record_difference(difference("group-workers"))
        elif which is Program.NONE:
            self._kubelet.record_difference(difference("unknown-image", image=spec["image"]))
        return Container(
            paths=self._kubelet.paths,
            spec=spec,
            program=which,
            binary=None if which is Program.NONE else self._kubelet.binary(which, spec["image"]),
            process_name=f"pod.{label[:150].replace('_', '.')}.{hashlib.sha256(label.encode()).hexdigest()[:6]}",
            log=self._kubelet.paths.pod_logs / f"{label}.log",
            restart_policy=restart,
            prepare=self._prepare,
            free=self._kubelet.ports,
            state=ContainerState(
                spec["name"], spec["image"], init=init, sidecar=sidecar, restarts=_restarts(self.pod, spec["name"])
            ),
            event=self._event,
            promised=self._promised,
        )

    def _event(self, reason: str, message: str) -> None:
        self._kubelet.event(self.pod, reason, message, warning=reason != "Killing")

    def _mount(self) -> bool:
        if time.monotonic() < self._retry:
            return False
        self._retry = time.monotonic() + 1.0
        try:
            self._folders = materialize(self.pod, self.home, self.address, self._host_ip, self._find)
        except MountError as error:
            self._kubelet.event(self.pod, "FailedMount", str(error), warning=True)
            return False
        return True

    def _refresh(self) -> None:
        if time.monotonic() < self._retry:
            return
        self._retry = time.monotonic() + VOLUMES_RESYNC_SECONDS
        with contextlib.suppress(MountError):
            materialize(self.pod, self.home, self.address, self._host_ip, self._kubelet.watched)

    def _find(self, kind: str, namespace: str, name: str) -> Manifest | None:
        return self._kubelet.kube.find("v1", kind, name, namespace)

    def _initialized_until(self) -> int:
        """Index of the first init container that the next ones wait for."""
        for index, container in enumerate(self._inits):
            done = container.state.started if container.state.sidecar else container.state.exit_code == 0
            if not done:
                return index
        return len(self._inits)

    def _initialized(self) -> bool:
        return self._initialized_until() == len(self._inits)

    def _initialize(self) -> bool:
        until = self._initialized_until()
        for index, container in enumerate(self._inits):
            if index > until or (index < until and not container.state.sidecar):
                continue
            container.sync(self._kubelet.executor, self._kubelet.wake)
            if container.program is Program.NONE and not container.state.sidecar and container.state.running:
                container.complete()
        for main in self._mains:
            if until < len(self._inits) and "waiting" in main.state.state:
                main.state.state = {"waiting": {"reason": "PodInitializing"}}
        return self._initialized()

    def _prepare(self, container: Container, allocate: Callable[[int, int], int]) -> Launch:
        spec = container.spec
        metadata = self.pod["metadata"]
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(self.home),
            "HOSTNAME": metadata["name"],
            **resolve(self.pod, spec, self.address, self._host_ip, self._find),
        }
        if container.program is Program.ENGINE:
            # The simulated engine names itself in its answers. The real one does not read these variables.
            own = {"POD_NAME": metadata["name"], "POD_NAMESPACE": metadata["namespace"], "POD_IP": self.address}
            environment = own | environment
        else:
            self._write_token(environment)
        if container.program in KEDA:
            account = self.pod["spec"].get("serviceAccountName") or "default"
            environment |= self._kubelet.cloud_environment(metadata["namespace"], account)
            # Without it the operator reads the namespace from the file beside its token.
            environment["KEDA_CLUSTER_OBJECT_NAMESPACE"] = metadata["namespace"]
        self._kubelet.record_difference(difference("probes"))
        self._kubelet.record_difference(difference("endpoint-slices"))
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            if "exec" in (spec.get(probe) or {}):
                self._kubelet.record_difference(difference("exec-probes"))
        launcher = (
            self._kubelet.engine_launcher(spec["image"])
            if container.program is Program.ENGINE
            else ProgramLauncher(container.program, container.promise)
        )
        prepared = launcher.launch(spec, environment, mounts(spec, self._folders or {}), allocate)
        for remark in prepared.remarks:
            self._kubelet.record_difference(remark)
        return prepared

    def _write_token(self, environment: dict[str, str]) -> None:
        account = self.pod["spec"].get("serviceAccountName") or "default"
        holder = self._kubelet.kube.find("v1", "ServiceAccount", account, self.pod["metadata"]["namespace"])
        if not has_token(self.pod, holder):
            return
        file = self.home / "kubeconfig"
        try:
            write_kubeconfig(self._kubelet.kube, self._kubelet.paths, self.pod, file)
        except KubeError as error:
            raise ConfigError(str(error)) from error
        environment["KUBECONFIG"] = str(file)

    # -- termination

    def _evict(self) -> bool:
        """Evict a pod that wrote more to the disk than its limits allow. Returns whether it is evicted."""
        if self._evicted or time.monotonic() < self._measured + INTERVAL_SECONDS:
            return bool(self._evicted)
        self._measured = time.monotonic()
        self._evicted = eviction_message(self.pod, self._folders or {})
        if self._evicted:
            self._kubelet.event(self.pod, REASON, self._evicted, warning=True)
            self.stop_now(GRACE_SECONDS)
            for container in self._all:
                if container.state.running:
                    container.complete(137, "Error")
        return bool(self._evicted)

    @functools.cached_property
    def _ready_for_seconds(self) -> float:
        """Seconds by which the time of the Ready condition of a listed pod is dated back."""
        owners = self.pod["metadata"].get("ownerReferences") or []
        name = next((owner["name"] for owner in owners if owner["kind"] == "ReplicaSet"), None)
        replica_set = (
            self._kubelet.kube.find("apps/v1", "ReplicaSet", name, self.pod["metadata"]["namespace"]) if name else None
        )
        requested = float(((replica_set or {}).get("spec") or {}).get("minReadySeconds") or 0)
        if requested > LONGEST_MIN_READY:
            self._kubelet.record_difference(difference("min-ready", seconds=LONGEST_MIN_READY))
        return max(0.0, requested - LONGEST_MIN_READY)

    def _terminate(self) -> None:
        """Terminate like a kubelet: preStop sleep, SIGTERM (sidecars last), SIGKILL after the grace period."""
        moment = time.monotonic()
        sleep = max((_pre_stop_seconds(container) for container in self._mains), default=0.0)
        if self._deleting_since is None:
            self._deleting_since = moment
            if sleep > LONGEST_PRE_STOP:
                self._kubelet.record_difference(difference("pre-stop", seconds=LONGEST_PRE_STOP))
        if self._left_out_since is None and not self._kubelet.listed(self.address):
            self._left_out_since = moment
        passed = moment - self._deleting_since
        grace = float(self.pod["metadata"].get("deletionGracePeriodSeconds") or 0)
        if passed < min(sleep, grace) and not self._is_noticed(moment) and self._is_running():
            return
        for containers in (self._mains, self._inits):
            for container in containers:
                container.stop(grace - passed)
            if [container for container in containers if not container.stopped()]:
                return
        self.terminated = True

    def _is_noticed(self, moment: float) -> bool:
        """Whether the load balancer has left the pod out for as long as a shortened preStop sleep lasts."""
        return self._left_out_since is not None and moment - self._left_out_since >= LONGEST_PRE_STOP

    def _is_running(self) -> bool:
        return any(container.alive for container in self._mains)

    def _write_pids(self) -> None:
        pids: dict[str, object] = {
            container.state.name: container.process.pid for container in self._all if container.process is not None
        }
        if pids != self._pids:
            self._pids = pids
            atomic_write(self.home / "pids.json", json.dumps({**pids, "pod": self.pod["metadata"]["name"]}))


def _pre_stop_seconds(container: Container) -> float:
    """Seconds that a preStop hook sleeps: of its own kind, or a command, which needs a `sleep` in the image.

    Images of engines have one, those of pickers do not, so that the hook fails there, and the container ends at once.
    """
    hook = (container.spec.get("lifecycle") or {}).get("preStop") or {}
    command = (hook.get("exec") or {}).get("command") or []
    if container.program is Program.ENGINE and len(command) == 2 and Path(command[0]).name == "sleep":
        return float(command[1])
    return float((hook.get("sleep") or {}).get("seconds") or 0)


def _restarts(pod: Manifest, container: str) -> int:
    """Restart count of a container whose pod already ran under an earlier daemon: it starts once more."""
    status = pod.get("status") or {}
    for container_status in [*(status.get("containerStatuses") or []), *(status.get("initContainerStatuses") or [])]:
        if container_status["name"] == container:
            return int(container_status["restartCount"]) + ("running" in container_status["state"])
    return 0
