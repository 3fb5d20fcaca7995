"""Translates a vLLM command line into one of the simulated engine (llm-d-inference-sim v0.10.2)."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.quantities import token_count
from llm_d_gke.rehearsal.errors import SimulationError

ENGINE_FLAGS = read_yaml(Path(__file__).with_name("engine_flags.yaml"))
_SIMULATOR = ENGINE_FLAGS["simulator"]

_BLOCK_SIZES = (8, 16, 32, 64, 128)

# vLLM's default; the simulator's is 5, which would queue where vLLM does not.
_MAX_NUM_SEQS = 256
# vLLM has no limit of either; the simulator refuses the 1,001st waiting request, and bodies of more than 4 MiB. It
# allocates its queues when it starts: a million places for each rank are more memory than a machine has.
_LONGEST_QUEUE = 20_000
_LARGEST_BODY_MIB = 512

_SHELLS = frozenset({"sh", "bash", "ash", "dash"})
# Placeholder of "$@" while a script is parsed. No argument begins with this character.
_FURTHER = "\x1a"
_PRODUCT = re.compile(r"\$\(\(\s*(\w+)\s*\*\s*(\d+)\s*\)\)")
# A host that joins the Ray cluster of another.
_RAY_WORKER = re.compile(r"multi-node-serving\.sh worker\b|ray start (?!.*--head)")
_NUMBER = re.compile(r"-\d+(\.\d+)?")
_LAUNCHERS = ("vllm.entrypoints.openai.api_server", "vllm", "llm-d-inference-sim")


class Simulation(TypedDict, total=False):
    """Behavior of the engine of one model, from the plan. Times in milliseconds."""

    time_to_first_token_ms: float
    inter_token_latency_ms: float
    kv_cache_blocks: int
    block_size: int


class UnknownCommandError(SimulationError):
    """The command of a container starts no vLLM server."""


@dataclass(frozen=True)
class EngineCommand:
    """Arguments of the simulator without its port. `port` is the pod's, the first of `ranks` consecutive ports.

    `supervisor` is the port with the health of all ranks, if any. `dropped` are the flags without effect, sorted and
    with dashes. `changed` has a sentence for each value that was changed.
    """

    arguments: tuple[str, ...]
    port: int
    ranks: int
    tls: bool
    supervisor: int | None = None
    dropped: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Option:
    """One option as given: `--name value`, `--name=value` or `--name`."""

    name: str
    words: tuple[str, ...]
    values: tuple[str, ...]


@dataclass
class _Flags:
    values: dict[str, str] = field(default_factory=dict)
    switches: list[str] = field(default_factory=list)
    lists: dict[str, list[str]] = field(default_factory=dict)
    positional: list[str] = field(default_factory=list)
    dropped: set[str] = field(default_factory=set)
    changed: list[str] = field(default_factory=list)


def translate(
    command: Sequence[str],
    arguments: Sequence[str],
    environment: Mapping[str, str],
    simulations: Mapping[str, Simulation],
    context_lengths: Mapping[str, int],
) -> EngineCommand:
    """The simulator's command line for a container's `command` and `args` (variables already expanded).

    `simulations` and `context_lengths` are by model id or served name. Raises UnknownCommandError.
    """
    flags = _parse(server_arguments(command, arguments, environment))
    model = flags.values.pop("model", None) or (flags.positional[0] if flags.positional else "")
    if not model:
        raise UnknownCommandError("the command names no model: neither `vllm serve MODEL` nor --model")
    served = flags.lists.pop("served-model-name", [])
    simulation = next((simulations[name] for name in (*served, model) if name in simulations), Simulation())

    port = int(flags.values.pop("port", "8000"))
    supervisor = flags.values.pop("data-parallel-supervisor-port", None)
    ranks = _ranks(flags)
    _fix_values(flags, (model, *served), context_lengths)
    _apply_simulation(flags, simulation)
    if "lora-modules" in flags.lists:
        flags.lists["lora-modules"] = [_based_on(model, served, text) for text in flags.lists["lora-modules"]]

    built = ["--model", model]
    if served:
        built += ["--served-model-name", *served]
    for name, value in flags.values.items():
        built.append(f"--{name}={value}")
    for name, entries in flags.lists.items():
        built += [f"--{name}", *entries]
    built += [f"--{name}" for name in flags.switches]
    if "force-dummy-tokenizer" not in flags.switches:
        # A real model's tokenizer would be fetched from Hugging Face, and rendered by a vLLM that is not there.
        built.append("--force-dummy-tokenizer")
    return EngineCommand(
        arguments=tuple(built),
        port=port,
        ranks=ranks,
        supervisor=int(supervisor) if supervisor else None,
        tls="ssl-certfile" in flags.values or "self-signed-certs" in flags.switches,
        dropped=tuple(sorted(flags.dropped)),
        changed=tuple(flags.changed),
    )


def _based_on(model: str, served: Sequence[str], module: str) -> str:
    """An adapter whose base is the model itself: the simulator knows it by no served name, as vLLM does."""
    if not module.startswith("{"):
        return module
    adapter = json.loads(module)
    return json.dumps(adapter | {"base_model_name": model}) if adapter.get("base_model_name") in served else module


def serves(command: Sequence[str], arguments: Sequence[str]) -> bool:
    """Whether a container of the engine's image serves requests, rather than compute for another host's."""
    if "--headless" in arguments:
        return False
    shell = bool(command) and command[0].rsplit("/", 1)[-1] in _SHELLS
    return not (shell and any(_RAY_WORKER.search(word) for word in [*command[1:], *arguments]))


def _ranks(flags: _Flags) -> int:
    """Number of servers of this host. The simulator does not support several hosts, so it gets those of this host."""
    values = flags.values
    local_ranks = values.pop("data-parallel-size-local", None)
    if "data-parallel-rank" in values:
        return 1
    if local_ranks is not None:
        values["data-parallel-size"] = local_ranks
    return int(values.get("data-parallel-size", "1"))


def server_arguments(command: Sequence[str], arguments: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """The words after `vllm serve`, however the container spells it; an image's own entrypoint is vLLM's server."""
    words = [*command, *arguments]
    if not command and (not words or words[0].startswith("-") or words[0] not in ("serve", "vllm")):
        return words
    if not command and words[0] == "serve":
        return words[1:]
    name = words[0].rsplit("/", 1)[-1]
    if name in _SHELLS:
        return _from_script(words[1:], environment)
    return _after_launcher(words)


def _from_script(words: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    place = next((index for index, word in enumerate(words) if not word.startswith("-")), len(words))
    script = words[place] if place < len(words) else ""
    # The script is followed by its name and the arguments for "$@".
    further = words[place + 2 :]
    expanded = _PRODUCT.sub(
        lambda hit: str(int(environment.get(hit[1]) or 0) * int(hit[2])), script.replace("\\\n", " ")
    )
    expanded = re.sub(
        r"\$(?:\{(\w+)(?::-([^}]*))?\}|(\w+))",
        lambda hit: environment.get(hit[1] or hit[3]) or hit[2] or "",
        expanded.replace('"$@"', _FURTHER),
    )
    for line in re.split(r"\n|;|&&|\|\||\||(?<!&)&(?!&)", expanded):
        try:
            parts = shlex.split(line, comments=True)
            if parts[:1] == ["eval"]:
                # KServe's presets hand the whole command to eval, as one word with an unquoted $@.
                parts = shlex.split(" ".join(parts[1:]))
            command = [word for part in parts for word in (further if part in (_FURTHER, "$@") else [part])]
            return _after_launcher(command)
        except (UnknownCommandError, ValueError):
            continue
    raise UnknownCommandError(f"the script starts no vLLM server: {script.strip()[:200]}")


def _after_launcher(words: Sequence[str]) -> list[str]:
    for index, word in enumerate(words):
        if word.rsplit("/", 1)[-1] in _LAUNCHERS:
            rest = list(words[index + 1 :])
            return rest[1:] if rest and rest[0] == "serve" else rest
    raise UnknownCommandError(f"the command starts no vLLM server: {shlex.join(words)[:200]}")


def parse_options(tokens: Sequence[str]) -> tuple[list[str], list[Option]]:
    """The positional words of a command line, and its options."""
    positional: list[str] = []
    options: list[Option] = []
    index = 0
    while index < len(tokens):
        word = tokens[index]
        index += 1
        if not word.startswith("-"):
            positional.append(word)
            continue
        name, equals, value = word.lstrip("-").partition("=")
        following = []
        while not equals and index < len(tokens) and _is_value(tokens[index]):
            following.append(tokens[index])
            index += 1
        # -O3 and -cc.mode=none: one word with its value.
        short = re.match(r"(O|cc)(?=[\d.])", name)
        values = (value,) if equals else tuple(following)
        options.append(Option(short[1] if short else name.replace("_", "-"), (word, *following), values))
    return positional, options


def _is_value(word: str) -> bool:
    return not word.startswith("-") or _NUMBER.fullmatch(word) is not None


def _parse(tokens: Sequence[str]) -> _Flags:
    positional, options = parse_options(tokens)
    flags = _Flags(positional=positional)
    for option in options:
        name, values = option.name, option.values
        if name in _SIMULATOR["values"] and values:
            flags.values[name] = values[0]
            flags.positional += values[1:]
        elif name in _SIMULATOR["lists"]:
            flags.lists[name] = list(values)
        elif name in _SIMULATOR["switches"]:
            flags.switches.append(name)
            flags.positional += option.words[1:]
        else:
            flags.dropped.add(f"--{name}")
    return flags


def _fix_values(flags: _Flags, names: Sequence[str], context_lengths: Mapping[str, int]) -> None:
    length = flags.values.pop("max-model-len", None)
    try:
        longest = token_count(length or "0")
    except ValueError:  # auto
        longest = 0
    longest = longest if longest > 0 else next((context_lengths[name] for name in names if name in context_lengths), 0)
    if longest:
        flags.values["max-model-len"] = str(longest)
    flags.values.setdefault("max-num-seqs", str(_MAX_NUM_SEQS))
    flags.values.setdefault("max-waiting-queue-length", str(_LONGEST_QUEUE))
    flags.values.setdefault("max-request-body-size-mb", str(_LARGEST_BODY_MIB))
    if "block-size" in flags.values:
        requested = int(flags.values["block-size"])
        nearest = min(_BLOCK_SIZES, key=lambda size: abs(size - requested))
        if nearest != requested:
            flags.values["block-size"] = str(nearest)
            flags.changed.append(
                f"the simulated engine has KV-cache blocks of {nearest} tokens where --block-size asks for {requested}"
            )


def _apply_simulation(flags: _Flags, simulation: Simulation) -> None:
    """The planned behavior of this model's engine, used where the pod itself does not define it."""
    if "time_to_first_token_ms" in simulation:
        flags.values.setdefault("time-to-first-token", f"{simulation['time_to_first_token_ms']:g}ms")
    if "inter_token_latency_ms" in simulation:
        flags.values.setdefault("inter-token-latency", f"{simulation['inter_token_latency_ms']:g}ms")
    if simulation.get("block_size") in _BLOCK_SIZES:
        flags.values.setdefault("block-size", str(simulation["block_size"]))
    if simulation.get("kv_cache_blocks"):
        flags.values.setdefault("kv-cache-size", str(simulation["kv_cache_blocks"]))
        if "no-enable-prefix-caching" not in flags.switches and "enable-kvcache" not in flags.switches:
            flags.switches.append("enable-kvcache")
