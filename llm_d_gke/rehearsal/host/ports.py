"""TCP ports for processes that bind every interface of this machine."""

from __future__ import annotations

import errno
import os
import random
import socket
from pathlib import Path

# Below the kernel's ephemeral ports, so that no outgoing connection takes one between choice and use.
RANGE = range(20000, 32000)


class Ports:
    """Allocates runs of free ports."""

    def __init__(self) -> None:
        self._used: set[int] = set()

    def take(self, count: int = 1) -> int:
        """Allocate `count` consecutive free ports and return the first. Raises RuntimeError when there are none."""
        for _ in range(2000):
            first = random.randrange(RANGE.start, RANGE.stop - count)  # noqa: S311  nothing secret
            ports = range(first, first + count)
            if self._used.isdisjoint(ports) and all(is_free(port) for port in ports):
                self._used.update(ports)
                return first
        raise RuntimeError(f"no {count} free TCP ports between {RANGE.start} and {RANGE.stop}")

    def give_back(self, ports: list[int]) -> None:
        self._used.difference_update(ports)


def is_free(port: int, host: str = "") -> bool:
    """Whether a process could listen there now."""
    return _bind_error(port, host) is None


def _bind_error(port: int, host: str) -> int | None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen()
        except OSError as error:
            return error.errno
    return None


def bindable(port: int) -> int:
    """The port, or the same above 8000 where only root may bind it."""
    try:
        first = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text(encoding="ascii"))
    except OSError:
        first = 1024
    return port if os.geteuid() == 0 or port >= first else 8000 + port


def listening_port(address: str, requested: int) -> tuple[int, str]:
    """The port for a Gateway's listener, and why it is not the listener's own (empty when it is).

    A program that listens on every address of the machine, such as a web server on port 80, blocks the port.
    """
    first = bindable(requested)
    why = "" if first == requested else f"port {requested} needs more rights than this user has"
    for port in (first, 8000 + requested, 18000 + requested):
        # An address that this machine does not have yet is not taken either.
        if port < 65536 and _bind_error(port, address) != errno.EADDRINUSE:
            return port, why and f"{why}: the Gateway listens on port {port}"
        why = why or f"port {requested} is taken by another program of this machine"
    return first, f"port {requested} of {address} and its substitutes are taken by other programs: end one of them"
