"""The program that runs for a container image, the ports that it opens by default, and its executable.

The executable has the version that the image names, or else the pinned one, which is then recorded as a difference.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.rehearsal.paths import StackPaths, difference, record_difference
from llm_d_gke.rehearsal.toolchain import pickers
from llm_d_gke.rehearsal.toolchain.build import Report, binaries
from llm_d_gke.rehearsal.toolchain.targets import TARGETS, Target, of_version


class Program(Enum):
    """Programs by their name in the toolchain. A container of NONE has no process."""

    ENGINE = "llm-d-inference-sim"
    PICKER = "epp"
    SCHEDULER = "llm-d-inference-scheduler"
    SIDECAR = "pd-sidecar"
    ROUTER = "bbr"
    PROCESSOR = "payload-processor"
    GROUPS = "lws"
    SERVICES = "llmisvc"
    PROXY = "envoy"
    AUTOSCALER = "keda-operator"
    EXTERNAL_METRICS = "keda-metrics-apiserver"
    AUTOSCALER_WEBHOOKS = "keda-admission-webhooks"
    NONE = ""


@dataclass(frozen=True)
class PortFlag:
    """A flag with a port that the program listens on. With `address` its value is `host:port`."""

    flag: str
    default: int
    address: bool = False


# Flags of the routing sidecar for the port of its engine, by version. Every version that runs here has the first.
ENGINE_PORT_FLAGS = ("vllm-port", "model-server-port")

_DEFINITIONS = read_yaml(Path(__file__).with_name("programs.yaml"))

# Flags of each program with a port. Envoy's ports are in its configuration.
PORT_FLAGS: dict[Program, tuple[PortFlag, ...]] = {
    which: tuple(
        PortFlag(flag, int(str(port).removeprefix(":")), address=str(port).startswith(":"))
        for flag, port in _DEFINITIONS.get(which.value, {}).get("ports", {}).items()
    )
    for which in Program
}

# Controllers with webhooks. They read certificates from the /tmp of their pod.
CONTROLLERS = (Program.GROUPS, Program.SERVICES)
# They read certificates from a Secret that the first of them writes.
KEDA = (Program.AUTOSCALER, Program.EXTERNAL_METRICS, Program.AUTOSCALER_WEBHOOKS)

# By the last path element of an image.
_PROGRAMS = {image: Program(name) for name, entry in _DEFINITIONS.items() for image in entry["images"]}


def repository(image: str) -> str:
    """Last path element of an image without tag and digest: `vllm-openai` of `docker.io/vllm/vllm-openai:v0.26.0@…`."""
    return image.split("@", 1)[0].rsplit("/", 1)[-1].split(":", 1)[0]


def version(image: str) -> str:
    """The tag of an image: `v0.26.0` of `docker.io/vllm/vllm-openai:v0.26.0@…`; empty without one."""
    return image.split("@", 1)[0].rsplit("/", 1)[-1].partition(":")[2]


def program(image: str, command: Sequence[str] = ()) -> Program:
    """The program of an image, by its name. An engine in another image is recognized by its command."""
    name = repository(image)
    if name.startswith("vllm-") or (name not in _PROGRAMS and list(command[:1]) == ["vllm"]):
        return Program.ENGINE
    return _PROGRAMS.get(name, Program.NONE)


def target_of(which: Program, image: str) -> Target | None:
    """The target of the toolchain that runs for an image. None for a picker that was built from its own module."""
    default = TARGETS[which.value]
    named = bool(os.environ.get(default.override))
    if pickers.built(image) is not None and not named:
        return None
    if not default.dependency or named:
        return default
    return of_version(which.value, _go_version(image)) or default


def _go_version(image: str) -> str:
    """The tag of an image as a version of a Go module: KEDA's images have no `v`."""
    tag = version(image)
    return f"v{tag}" if tag[:1].isdigit() else tag


def executable(which: Program, image: str, paths: StackPaths, report: Report) -> Path:
    """The path of a program. Raises BuildError where it cannot be built."""
    target = target_of(which, image) or TARGETS[which.value]
    if not os.environ.get(target.override) and (own := pickers.built(image)) is not None:
        return own
    version = _go_version(image)
    if target.dependency and not os.environ.get(target.override) and target.version != version:
        record_difference(
            paths,
            difference(
                "other-version",
                name=repository(image),
                version=target.version,
                requested=version or "one without a tag",
            ),
        )
    return binaries([target.name], report)[target.name]
