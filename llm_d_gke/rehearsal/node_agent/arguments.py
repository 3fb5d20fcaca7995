"""Arguments of a container as arguments of its process. Only ports and paths differ: the machine is shared."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import yaml

from llm_d_gke.rehearsal.node_agent.images_to_binaries import ENGINE_PORT_FLAGS, PORT_FLAGS, PortFlag, Program

# (port of the pod, number of consecutive ports) -> first port of the process
Allocate = Callable[[int, int], int]

_VARIABLE = re.compile(r"\$\$|\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)")


@dataclass(frozen=True)
class Listening:
    """Arguments of a process, and its ports by port of the pod."""

    arguments: tuple[str, ...]
    ports: Mapping[int, int]


def expand(text: str, environment: Mapping[str, str]) -> str:
    """Expand Kubernetes' `$(NAME)`. An unknown name stays as it is, `$$` is a dollar sign."""
    return _VARIABLE.sub(lambda hit: "$" if hit[0] == "$$" else environment.get(hit[1], hit[0]), text)


def mounted(text: str, folders: Mapping[str, str]) -> str:
    """An argument with a path below a mount (`/config/x`, `--config-file=/config/x`) as the path it has here.

    `folders` maps mount paths to folders of this machine.
    """
    head, equals, tail = text.partition("=")
    value, prefix = (tail, f"{head}=") if equals and head.startswith("-") else (text, "")
    for mount in sorted(folders, key=len, reverse=True):
        clean = mount.rstrip("/")
        if value == clean or value.startswith(f"{clean}/"):
            return prefix + folders[mount] + value[len(clean) :]
    return text


def with_ports(program: Program, arguments: Sequence[str], allocate: Allocate) -> Listening:
    """The arguments with every port replaced by one of this process; absent port flags are added."""
    built = list(arguments)
    ports: dict[int, int] = {}
    for flag in PORT_FLAGS[program]:
        requested, place = _find(built, flag)
        own = ports.get(requested) or allocate(requested, 1)
        ports[requested] = own
        value = f":{own}" if flag.address else str(own)
        if place is None:
            built.append(f"--{flag.flag}={value}")
        elif "=" in built[place]:
            built[place] = f"{built[place].partition('=')[0]}={value}"
        else:
            built[place] = value
    return Listening(tuple(built), ports)


def with_engine_port(arguments: Sequence[str], promise: Callable[[int], int]) -> tuple[str, ...]:
    """A routing sidecar's arguments with the port that its pod's engine has here, under the name all versions know.

    Raises ValueError when they name none: the versions' own defaults differ.
    """
    built = list(arguments)
    for flag in ENGINE_PORT_FLAGS:
        requested, place = _find(built, PortFlag(flag, 0))
        if place is None:
            continue
        first = place if "=" in built[place] else place - 1
        built[first : place + 1] = [f"--{ENGINE_PORT_FLAGS[0]}={promise(requested)}"]
        return tuple(built)
    raise ValueError(
        f"the arguments of the routing sidecar do not name its engine's port: --{' or --'.join(ENGINE_PORT_FLAGS)}"
    )


def with_configured_ports(arguments: Sequence[str], allocate: Allocate) -> Listening:
    """Envoy's arguments with other ports for the listeners (and administration) of its `--config-yaml`.

    Raises ValueError when the configuration comes otherwise: then its ports would be taken as they are.
    """
    built = list(arguments)
    place = next((index + 1 for index, word in enumerate(built[:-1]) if word == "--config-yaml"), None)
    if place is None:
        raise ValueError("Envoy has ports of its own here only where its configuration is an argument: --config-yaml")
    config = yaml.safe_load(built[place])
    static = config.get("static_resources") or {}
    ports: dict[int, int] = {}
    for holder in [*(static.get("listeners") or []), *filter(None, [config.get("admin")])]:
        address = holder["address"]["socket_address"]
        requested = int(address["port_value"])
        if requested not in ports:
            ports[requested] = allocate(requested, 1)
        address["port_value"] = ports[requested]
    built[place] = json.dumps(config)
    return Listening(tuple(built), ports)


def _find(arguments: Sequence[str], flag: PortFlag) -> tuple[int, int | None]:
    """The port in the arguments and the index of its word. The last one counts, as in Go's flag packages."""
    position: tuple[int, int | None] = (flag.default, None)
    for index, word in enumerate(arguments):
        name, equals, value = word.partition("=")
        if not name.startswith("-") or name.lstrip("-") != flag.flag:
            continue
        if equals:
            position = (_port(value, flag), index)
        elif index + 1 < len(arguments):
            position = (_port(arguments[index + 1], flag), index + 1)
    return position


def _port(value: str, flag: PortFlag) -> int:
    text = value.rsplit(":", 1)[-1] if flag.address else value
    return int(text) if text.isdigit() else flag.default
