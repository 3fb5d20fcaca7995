"""A pod's vLLM command line for a CPU. Arguments that need an accelerator are left out and reported."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from llm_d_gke.rehearsal.node_agent.engine_arguments import (
    ENGINE_FLAGS,
    Option,
    UnknownCommandError,
    parse_options,
    server_arguments,
)

# Ports of a pod as arguments name them, and those of its process.
EVENTS_FLAG: Final = "kv-events-config"
_TRANSFER_FLAG: Final = "kv-transfer-config"
# The connector of vLLM that takes a processor's memory.
CONNECTOR: Final = "NixlConnector"

_DROPPED: Final = frozenset((*ENGINE_FLAGS["processor"]["accelerator"], *ENGINE_FLAGS["processor"]["files"]))
_REPLACED: Final = frozenset(ENGINE_FLAGS["processor"]["replaced"])
_RANKS: Final = re.compile(r"(data-parallel-.*|dp.*)")
_WILDCARD: Final = re.compile(r"tcp://\*:(\d+)")


class UnsupportedCommandError(UnknownCommandError):
    """A command line that vLLM cannot run on a processor."""


@dataclass(frozen=True)
class ServedModel:
    """The tiny model that takes the place of a model, with as many blocks of KV cache as the plan expects.

    `block_size` is the accelerator's: a processor's own is 128 tokens, and the picker would count other blocks.
    Blocks of a processor are multiples of `block_multiple` tokens. `adapters` are folders by name.
    """

    folder: Path
    name: str
    block_size: int
    blocks: int
    adapters: Mapping[str, Path]
    block_multiple: int = 1


@dataclass(frozen=True)
class CpuCommand:
    """Arguments of `vllm serve` without its ports. `dropped` are options left out, with dashes.

    `events` is the port of the pod on which it publishes KV events, None without them. `transfers`: whether KV caches
    come from and go to other engines. `ranks` serve on `port` and those that follow, their supervisor on `supervisor`.
    `blocks`: tokens of a block as the pod states them and as the engine has them, None where they are equal.
    """

    arguments: tuple[str, ...]
    port: int
    events: int | None
    dropped: tuple[str, ...]
    transfers: bool = False
    ranks: int = 1
    supervisor: int | None = None
    blocks: tuple[int, int] | None = None


def command_for(
    command: Sequence[str],
    arguments: Sequence[str],
    environment: Mapping[str, str],
    models: Mapping[str, ServedModel],
    *,
    transfers: bool = False,
) -> CpuCommand:
    """The command line of a container's `command` and `args` (variables already expanded).

    `models` are by id and by served name; `transfers`: whether the connector for KV caches is installed. Raises
    UnknownCommandError where the container starts no vLLM server, UnsupportedCommandError for what cannot run here.
    """
    positional, options = parse_options(server_arguments(command, arguments, environment))
    values = {option.name: option.values for option in options}
    requested = [*values.get("served-model-name", ()), *values.get("model", ()), *positional]
    model = next((models[name] for name in requested if name in models), None)
    if model is None:
        raise UnsupportedCommandError(
            f"no tiny model was written for {' or '.join(requested) or 'a command without a model'}"
        )
    ranks, supervisor = _ranks(values)
    transfers = transfers and any(CONNECTOR in value for value in values.get(_TRANSFER_FLAG, ()))
    remaining = [
        option
        for option in options
        if not (option.name in _DROPPED or _RANKS.fullmatch(option.name))
        or (transfers and option.name == _TRANSFER_FLAG)
    ]
    dropped = {option.name for option in options if option not in remaining} - {"model"}
    if supervisor is not None:
        dropped = {name for name in dropped if not _RANKS.fullmatch(name)}
    built = [str(model.folder), *(word for option in remaining for word in _words(option, model))]
    if "served-model-name" not in values:
        built += ["--served-model-name", model.name]
    stated = int(values.get("block-size", (str(model.block_size),))[0])
    size = -(-stated // model.block_multiple) * model.block_multiple
    built += ["--block-size", str(size)]
    if "num-gpu-blocks-override" not in values:
        built += ["--num-gpu-blocks-override", str(model.blocks * stated // size)]
    built += ["--load-format", "dummy", "--enforce-eager"]
    if supervisor is not None:
        number = ["--data-parallel-size", str(ranks), "--data-parallel-size-local", str(ranks)]
        built += [*number, "--data-parallel-multi-port-external-lb"]
    return CpuCommand(
        arguments=tuple(built),
        port=int(values.get("port", ("8000",))[0]),
        events=next((_events_port(value) for value in values.get(EVENTS_FLAG, ())), None),
        dropped=tuple(sorted(f"--{name}" for name in dropped)),
        transfers=transfers,
        ranks=ranks,
        supervisor=supervisor,
        blocks=None if size == stated else (stated, size),
    )


def _words(option: Option, model: ServedModel) -> Sequence[str]:
    """An option as a processor takes it; none of those that the command has of its own."""
    if option.name == "lora-modules":
        return ["--lora-modules", *(_adapter(value, model) for value in option.values)]
    return () if option.name in _REPLACED else option.words


def _ranks(values: Mapping[str, tuple[str, ...]]) -> tuple[int, int | None]:
    """Data-parallel ranks and the port of their supervisor. Raises UnsupportedCommandError for several hosts."""
    ranks, local, supervisor = (
        int(next(iter(values.get(f"data-parallel-{name}", ())), "0"))
        for name in ("size", "size-local", "supervisor-port")
    )
    if ranks <= 1:
        return 1, None
    if local != ranks or not supervisor:
        raise UnsupportedCommandError(
            "vLLM's data-parallel ranks run on a processor only where one supervisor starts all of them"
        )
    return ranks, supervisor


def with_events_port(arguments: Sequence[str], port: int) -> tuple[str, ...]:
    """The arguments with another port for KV events: pods share the addresses of this machine."""
    return tuple(_WILDCARD.sub(f"tcp://*:{port}", word) for word in arguments)


def _adapter(value: str, model: ServedModel) -> str:
    """An adapter (`name=path`, or JSON with name and path) with the folder that it has here."""
    try:
        document = json.loads(value)
    except ValueError:
        name = value.partition("=")[0]
        return f"{name}={_folder(name, model)}"
    return json.dumps({**document, "path": str(_folder(document["name"], model))})


def _folder(adapter: str, model: ServedModel) -> Path:
    if adapter not in model.adapters:
        raise UnsupportedCommandError(f"no adapter {adapter} was written for {model.name}")
    return model.adapters[adapter]


def _events_port(value: str) -> int | None:
    match = _WILDCARD.search(value)
    return int(match[1]) if match else None
