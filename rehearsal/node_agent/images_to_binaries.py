"""Which program stands behind a container image here, and the ports each program opens unless told otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class Program(Enum):
    """Binaries of the rehearsal by the name the toolchain knows them under; NONE: the container has no process here."""

    ENGINE = "llm-d-inference-sim"
    PICKER = "epp"
    SCHEDULER = "llm-d-inference-scheduler"
    SIDECAR = "pd-sidecar"
    ROUTER = "bbr"
    GROUPS = "lws"
    SERVICES = "llmisvc"
    PROXY = "envoy"
    NONE = ""


@dataclass(frozen=True)
class PortFlag:
    """A flag that names a port the program listens on; with `address` its value is `host:port`."""

    flag: str
    default: int
    address: bool = False


_PICKER_PORTS = (PortFlag("grpc-port", 9002), PortFlag("grpc-health-port", 9003), PortFlag("metrics-port", 9090))

# How versions of the routing sidecar call the port of the engine behind it; all that run here know the first.
ENGINE_PORT_FLAGS = ("vllm-port", "model-server-port")

PORT_FLAGS: dict[Program, tuple[PortFlag, ...]] = {
    Program.ENGINE: (PortFlag("port", 8000),),
    Program.PICKER: _PICKER_PORTS,
    Program.SCHEDULER: _PICKER_PORTS,
    Program.SIDECAR: (PortFlag("port", 8000),),
    Program.ROUTER: (PortFlag("grpc-port", 9004), PortFlag("grpc-health-port", 9005), PortFlag("metrics-port", 9090)),
    Program.GROUPS: (
        PortFlag("metrics-bind-address", 8443, address=True),
        PortFlag("health-probe-bind-address", 8081, address=True),
    ),
    Program.SERVICES: (
        PortFlag("metrics-addr", 8443, address=True),
        PortFlag("health-probe-addr", 8081, address=True),
        PortFlag("webhook-port", 9443),
    ),
    # Its ports stand in its configuration.
    Program.PROXY: (),
    Program.NONE: (),
}

# Controllers with webhooks: they read their certificates from the pod's own /tmp.
CONTROLLERS = (Program.GROUPS, Program.SERVICES)

_PICKERS = ("epp", "llm-d-router-endpoint-picker")
_SIDECARS = ("llm-d-routing-sidecar", "llm-d-router-disagg-sidecar")
_ENGINES = ("llm-d-cuda", "llm-d-inference-sim")


def repository(image: str) -> str:
    """Last path element of an image without tag and digest: `vllm-openai` of `docker.io/vllm/vllm-openai:v0.26.0@…`."""
    return image.split("@", 1)[0].rsplit("/", 1)[-1].split(":", 1)[0]


def program(image: str, command: Sequence[str] = ()) -> Program:
    """By the image's name; an engine in an image of somebody's own by its command."""
    name = repository(image)
    if name in _PICKERS:
        return Program.PICKER
    if name == "llm-d-inference-scheduler":
        return Program.SCHEDULER
    if name in _SIDECARS:
        return Program.SIDECAR
    if name in _ENGINES or name.startswith("vllm-"):
        return Program.ENGINE
    if name == "bbr":
        return Program.ROUTER
    if name == "lws":
        return Program.GROUPS
    if name == "llmisvc-controller":
        return Program.SERVICES
    if name == "envoy":
        return Program.PROXY
    return Program.ENGINE if list(command[:1]) == ["vllm"] else Program.NONE
