"""Ports in use by other programs: the rehearsal uses another one, or names the program."""

from __future__ import annotations

import socket

import pytest

from llm_d_gke.rehearsal.providers.gcp.store import CloudStore
from tests.waiting import eventually

from .project import Project, chat

pytestmark = pytest.mark.rehearsal


def binds(other: socket.socket, port: int) -> bool:
    """False while another program of this machine happens to dial from that port."""
    try:
        other.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


def test_the_gateway_moves_and_the_control_plane_names_the_port(fresh: Project) -> None:
    with CloudStore(fresh.paths("gpu").cloud).transaction() as cloud:
        address = f"127.{cloud['block']}.250.1"
    with socket.socket() as other:
        # Connections of an earlier stack at this address may not have timed out yet.
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            other.bind((address, 80))
        except PermissionError:
            pytest.skip("only root may take port 80, and the Gateway listens elsewhere for everybody else")
        other.listen()
        # Lines are wrapped to the width of the terminal.
        output = " ".join(fresh.run("up", "gpu").split())
        assert "port 80 is taken by another program of this machine: the Gateway listens on port 8080" in output
        assert fresh.run("endpoint", "gpu").strip() == f"http://{address}:8080"
        assert chat(f"http://{address}:8080", "google/gemma-2b-it").status_code == 200
    # As after a reboot: the stack's files exist, its processes do not, and another program has its port.
    fresh.stop_everything("gpu")
    port = fresh.api_server_port("gpu")
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        eventually(lambda: binds(other, port), "the port is free")
        other.listen()
        output = fresh.run("up", "gpu", code=1)
        assert f"port {port} on 127.0.0.1, where kube-apiserver of stack gpu listens, is taken" in output
        assert "Traceback" not in output
