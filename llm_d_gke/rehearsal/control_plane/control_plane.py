"""A real Kubernetes control plane for one stack: etcd, API server, controllers, scheduler, and kwok for nodes."""

from __future__ import annotations

import ipaddress
import itertools
import json
import os
import random
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Final

from llm_d_gke.catalog.versions import gke_version_parts
from llm_d_gke.kube import KubeError
from llm_d_gke.rehearsal.cluster_client import client
from llm_d_gke.rehearsal.control_plane import addons, start_data
from llm_d_gke.rehearsal.control_plane.addons import Features
from llm_d_gke.rehearsal.control_plane.parts import (
    API_SERVER,
    CLIENTS,
    ETCD,
    HOST,
    NEWEST_MINOR,
    OLDEST_MINOR,
    PARTS,
    Layout,
    Ports,
)
from llm_d_gke.rehearsal.errors import RehearsalError
from llm_d_gke.rehearsal.host import processes
from llm_d_gke.rehearsal.host.files import atomic_write
from llm_d_gke.rehearsal.host.ports import is_free
from llm_d_gke.rehearsal.paths import StackPaths, difference, record_difference
from llm_d_gke.rehearsal.toolchain.build import binaries
from llm_d_gke.rehearsal.toolchain.go import full_disk, is_full
from llm_d_gke.rehearsal.toolchain.targets import pinned
from llm_d_gke.waiting import happens_within, wait_until

Report = Callable[[str], None]

_READY_SECONDS: Final = 180.0
# Below the kernel's ephemeral ports, so that no outgoing connection uses a stored port.
_PORTS: Final = range(18000, 30000)
_PORTS_FILE: Final = "ports.json"
_PORT_ATTEMPTS: Final = 3
_CLOSING_SECONDS: Final = 2.0

# Small heaps, because the engines share the machine. The API server and etcd get large ones: their start makes garbage,
# and with KServe's CRDs half a GiB is in use, so that at a limit of 1 GiB a quarter of the time was its collection.
_SMALL: Final = {"GOGC": "50"}
_MIB: Final = 2**20
_MEMORY_MIB: Final = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // _MIB
_LARGE: Final = {"GOGC": "800", "GOMEMLIMIT": f"{min(max(_MEMORY_MIB // 10, 1024), 2048)}MiB"}


class ControlPlaneError(RehearsalError):
    """The control plane does not start."""


class PortTakenError(ControlPlaneError):
    """Another program listens on a port of the control plane."""


class ControlPlane:
    """Starts, stops and inspects the control plane of one stack. Its data stay until `paths.cluster` is removed."""

    def __init__(self, paths: StackPaths) -> None:
        self.paths = paths

    def start(self, features: Features, report: Report = lambda _: None) -> None:
        """Start the parts that do not run, install what GKE installs, and return when the cluster is ready.

        Idempotent: a second call, also after a crash, a reboot or with another version, ends in the same cluster.
        Its range of Services cannot change. Raises ControlPlaneError, or BuildError when a binary is not available.
        """
        began = time.monotonic()
        minor = _emulated(self.paths, features.version)
        if features.gateway_api:
            release = pinned("cluster", addons.GATEWAY_API)
            record_difference(self.paths, difference("gateway-crds", release=release))
        programs = binaries(PARTS, report)
        service_range = features.service_range
        before = self._features()
        if before is not None and before.service_range != service_range:
            raise ControlPlaneError(
                f"the service range of a cluster cannot change ({before.service_range} to {service_range});"
                " replace the cluster"
            )
        try:
            changed = features if before != features else None
            self._bring_up(lambda: Layout(self.paths, self._ports(), service_range, minor, programs), changed, report)
        except (KubeError, processes.ProcessError, OSError) as error:
            reason = full_disk("start it") if isinstance(error, OSError) and is_full(error) else error
            raise ControlPlaneError(
                f"the control plane of stack {self.paths.stack} did not come up: {reason}"
            ) from error
        report(f"control plane of {features.version} ready after {time.monotonic() - began:.1f} s")

    def stop(self) -> None:
        """End its processes. The data stay."""
        for part in reversed(PARTS):
            processes.stop(self.paths, part)

    def running(self) -> bool:
        """Whether every part runs (see `parts`)."""
        return all(self.parts().values())

    def parts(self) -> dict[str, bool]:
        """Whether each part runs, by name."""
        return {part: processes.alive(self.paths, part) for part in PARTS}

    @property
    def endpoint(self) -> str:
        """`127.0.0.1:<port>` of the API server."""
        return f"{HOST}:{self._ports().api_server}"

    @property
    def ca_pem(self) -> bytes:
        """The certificate of the authority that signed the API server's."""
        return (self.paths.cluster / "pki" / "ca.crt").read_bytes()

    # -- files

    @property
    def _ports_file(self) -> Path:
        return self.paths.cluster / _PORTS_FILE

    @property
    def _features_file(self) -> Path:
        return self.paths.cluster / "cluster.json"

    def _features(self) -> Features | None:
        if not self._features_file.exists():
            return None
        return Features(**json.loads(self._features_file.read_text()))

    def _ports(self) -> Ports:
        if self._ports_file.exists():
            return Ports(**json.loads(self._ports_file.read_text()))
        ports = _free_ports()
        self.paths.cluster.mkdir(parents=True, exist_ok=True)
        self.paths.cluster.chmod(0o700)
        _write(self._ports_file, ports)
        return ports

    # -- processes

    def _bring_up(self, new_layout: Callable[[], Layout], changed: Features | None, report: Report) -> None:
        """Start every part that does not run. Ports that another program took meanwhile are chosen again."""
        for attempt in range(_PORT_ATTEMPTS):
            new = not self._ports_file.exists()
            try:
                self._start_parts(new_layout(), changed, report)
            except PortTakenError:
                # Another program took a port after it was chosen. Nothing depends on these ports yet.
                if not new or attempt == _PORT_ATTEMPTS - 1:
                    raise
                self.stop()
                shutil.rmtree(self.paths.cluster)
            else:
                return

    def _start_parts(self, layout: Layout, changed: Features | None, report: Report) -> None:
        """Start every part, install what GKE installs where features changed, and wait until pods are accepted.

        The controllers start last: their garbage collector looks for kinds when it starts and every 30 s, and until it
        finds a kind, the deletion of its objects waits.
        """
        # The first address of the range is that of Kubernetes' own Service.
        layout.certificates.create(CLIENTS, [HOST, str(ipaddress.ip_network(layout.service_range)[1])])
        layout.write_files()
        data = None
        if changed is not None and not (layout.folder / ETCD).exists():
            data = start_data.file_of(layout, changed)
        self._start(layout, ETCD)
        restored = False
        if data is not None and data.exists():
            self._wait((ETCD,), lambda: start_data.serves(layout), ETCD)
            restored = start_data.restore(data, layout)
        self._start(layout, API_SERVER)  # it waits for etcd by itself
        report("waiting for the API server")
        with client(self.paths) as kube:
            self._wait((ETCD, API_SERVER), kube.ready, "the API server")
            for part in PARTS[2:-1]:
                self._start(layout, part)
            if changed is not None:
                if restored:
                    report(f"what GKE {changed.version} installs comes from the data of an earlier cluster")
                    addons.wait_served(kube)
                else:
                    addons.install(kube, changed, report)
                    if data is not None:
                        start_data.save(data, layout)
                _write(self._features_file, changed)
            self._start(layout, PARTS[-1])
            # Pods are refused before it exists. The controllers create it.
            self._wait(
                PARTS,
                lambda: kube.find("v1", "ServiceAccount", "default", "default") is not None,
                "the default service account",
            )

    def _start(self, layout: Layout, part: str) -> None:
        command = layout.command(part)
        running = processes.find(self.paths, part)
        if running is not None and running.alive:
            if running.argv == command:
                return
            processes.stop(self.paths, part)
        own = layout.ports
        for port in {ETCD: (own.etcd, own.etcd_peers), API_SERVER: (own.api_server,)}.get(part, ()):
            if not _is_freed(port):
                raise PortTakenError(
                    f"port {port} on {HOST}, where {part} of stack {self.paths.stack} listens, is taken by another"
                    f" program; end that program (`ss -ltnp 'sport = :{port}'` names it) and try again"
                )
        # Not the whole environment: it holds passphrases and proxies that these programs must not use.
        environment = {name: os.environ[name] for name in ("HOME", "PATH", "TMPDIR") if name in os.environ}
        environment |= _LARGE if part in (ETCD, API_SERVER) else _SMALL
        processes.start(self.paths, part, command, env=environment, log=self.paths.logs / f"{part}.log")

    def _wait(self, parts: tuple[str, ...], done: Callable[[], bool], what: str) -> None:
        def attempt() -> bool:
            if done():
                return True
            for part in parts:
                if not processes.alive(self.paths, part):
                    raise self._start_error(part)
            return False

        def late() -> ControlPlaneError:
            last = processes.tail(self.paths.logs / f"{parts[-1]}.log")
            return ControlPlaneError(
                f"{what} was not there after {_READY_SECONDS:.0f} s; the log of {parts[-1]} ends:\n{last}"
            )

        wait_until(attempt, timeout=_READY_SECONDS, on_timeout=late, longest_pause=0.05)

    def _start_error(self, part: str) -> ControlPlaneError:
        log = self.paths.logs / f"{part}.log"
        last = processes.tail(log)
        if is_full(last):
            return ControlPlaneError(full_disk(f"run {part} of stack {self.paths.stack}"))
        text = f"{part} of stack {self.paths.stack} ended right after its start; its log ({log}) ends:\n{last}"
        if "address already in use" in last:
            return PortTakenError(text)
        # etcd does not wait for the disk (see its flags): after a power failure its data may not open any more.
        return ControlPlaneError(f"{text}\n`make down STACK={self.paths.stack}` and `make up` start afresh.")


def tunnel_port(paths: StackPaths) -> int:
    """The port on 127.0.0.1 where the API server of a running stack expects the konnectivity proxy."""
    return Ports(**json.loads((paths.cluster / _PORTS_FILE).read_text())).tunnel


def _write(file: Path, content: Ports | Features) -> None:
    """Write a file that the next start reads."""
    atomic_write(file, json.dumps(asdict(content), indent=1))


def _emulated(paths: StackPaths, version: str) -> str:
    """The Kubernetes minor version to emulate for a GKE version. Records the difference."""
    try:
        minor = gke_version_parts(version)[1]
    except ValueError as error:
        raise ControlPlaneError(str(error)) from error
    offered = min(max(minor, OLDEST_MINOR), NEWEST_MINOR)
    record_difference(paths, difference("control-plane", newest=NEWEST_MINOR, offered=offered, version=version))
    return f"1.{offered}"


def _is_freed(port: int) -> bool:
    """Whether a port is free soon: the kernel closes the sockets of a killed process with a delay."""
    return happens_within(_CLOSING_SECONDS, lambda: is_free(port, HOST))


def _free_ports() -> Ports:
    every = (port for port in random.sample(_PORTS, len(_PORTS)) if is_free(port, HOST))
    free_ports = list(itertools.islice(every, 4))
    if len(free_ports) < 4:
        raise ControlPlaneError(f"no four free ports from {_PORTS.start} to {_PORTS.stop} on {HOST}")
    return Ports(*free_ports)
