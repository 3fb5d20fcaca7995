"""The ports of this machine on which Envoy listens for the Gateways."""

from __future__ import annotations

import json
from collections.abc import Mapping

from llm_d_gke.rehearsal.host.files import atomic_write
from llm_d_gke.rehearsal.host.ports import listening_port
from llm_d_gke.rehearsal.kube import Manifest
from llm_d_gke.rehearsal.paths import StackPaths, record_difference


class ListenerPorts:
    """Chooses a port for each address and port of a listener, once: Envoy listens there afterwards.

    An earlier daemon's choice is kept, because its Envoy may still listen.
    """

    def __init__(self, paths: StackPaths) -> None:
        self._paths = paths
        self._file = paths.envoy / "gateways.json"
        gateways = json.loads(self._file.read_text(encoding="utf-8")) if self._file.exists() else {}
        self._chosen: dict[tuple[str, int], int] = {
            (gateway["address"], int(requested)): port
            for gateway in gateways.values()
            for requested, port in gateway["ports"].items()
        }

    def port_of(self, address: str, requested: int) -> int:
        """The port for a listener. Records a difference where it is not the requested one."""
        if (address, requested) not in self._chosen:
            port, why = listening_port(address, requested)
            if why:
                record_difference(self._paths, why)
            self._chosen[address, requested] = port
        return self._chosen[address, requested]

    def save(self, gateways: Mapping[str, Manifest]) -> None:
        """Write address and ports of every Gateway."""
        text = json.dumps(gateways, indent=1, sort_keys=True)
        if not self._file.exists() or self._file.read_text(encoding="utf-8") != text:
            atomic_write(self._file, text)
