"""A start-up log of vLLM as a row: settings from its arguments and its configuration, figures from its memory lines.

Known are the lines of vLLM 0.6 to 0.32: of the V0 engine, of V1, of Model Runner V2, and of tpu-inference. Colors,
names of processes and of containers before a line, and lines that a terminal cut off do no harm. Of several starts in
one log the last counts.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.operations.logs_check.lines import NUMBER, load_lines
from llm_d_gke.operations.logs_check.machine import machine, sequences
from llm_d_gke.operations.logs_check.row import UNDER_WINDOWS
from llm_d_gke.operations.logs_check.wrapping import last_start, plain
from llm_d_gke.planning.sizing.speculation import WITHOUT_LAYERS

_SECOND_RUNNER = "0.22"  # since which there are two model runners
# Where the share of memory is printed, the plainest first: by the profile, and where CUDA graphs are taken off it.
_SHARES = (
    r"[Dd]esired GPU memory utilization (?:is )?\({number}",
    r"x gpu_memory_utilization \({number}\)",
    r"The current --gpu-memory-utilization={number} is equivalent",
    r"increase --gpu-memory-utilization from {number} to",
)
_COLORS = re.compile(r"(?:\x1b|\^\[)\[[0-9;]*m")


def read_log(text: str) -> dict[str, Any]:
    """The row of one start. Fields that the log does not state are left out."""
    text = last_start(_COLORS.sub("", plain(text)))
    lines = load_lines()
    row: dict[str, Any] = {}
    version = _first(lines.versions, text)
    # Builds from a checkout without tags call themselves so.
    if version is not None and not version.startswith(("0.1.dev", "0.0.")):
        row["version"] = version.rstrip(".")
    row |= _configured(text)
    row |= _arguments(text)
    memory = re.search(rf"on device[^(\n]*\({NUMBER}/{NUMBER} GiB\)", text) or re.search(
        rf"total_gpu_memory \({NUMBER} ?GiB\)", text
    )
    if memory is not None:
        row["memory_gib"] = _value(memory[memory.lastindex or 1])
        if memory.lastindex == 2:
            row["freeGib"] = _value(memory[1])
    share = _first((pattern.format(number=NUMBER) for pattern in _SHARES), text)
    if share is not None:
        row.setdefault("gpuMemoryUtilization", _value(share))
    # The class of the scheduler prints its own default first, and then the engine what it takes.
    batches = re.findall(r"enabled with max_num_batched_tokens=(\d+)", text)
    batches = batches[-1:] or re.findall(r"max_num_batched_tokens[=:] ?(\d+)", text)[:1]
    if batches:
        row.setdefault("maxNumBatchedTokens", int(batches[0]))
    for fields, choose in ((lines.largest, max), (lines.smallest, min)):
        for name, patterns in fields.items():
            values = [_value(match) for pattern in patterns for match in re.findall(pattern, text)]
            if values:
                row[name] = choose(values)
    in_use = re.findall(r"[Cc]urrent kv cache memory in use is (\d+) bytes", text)
    if in_use:
        row.setdefault("availableGib", round(min(map(int, in_use)) / 2**30, 2))
    guesses = re.search(r"num_spec_tokens=(\d+)", text)
    if guesses is not None:
        row.setdefault("speculativeTokens", int(guesses[1]))
    devices = row.get("tensorParallel")
    for name, pattern in lines.of_all_devices.items():
        total = re.search(pattern, text)
        if total is not None:
            row.setdefault(name, round(_value(total[1]) / (devices if isinstance(devices, int) else 1), 4))
    for name, value in machine(text).items():
        row.setdefault(name, value)
    if "maxNumSeqs" not in row and (captured := sequences(text)) is not None:
        row["maxNumSeqs"] = captured
    if re.search(r"Directly load the compiled graph\(s\)|Directly load AOT compilation", text):
        row["compiled"] = True
    if "Using FlashInfer for top-p & top-k sampling" in text:
        row["flashinferSampler"] = True
    if "Using V2 Model Runner" in text:
        row["modelRunner"] = 2
    elif "[gpu_model_runner.py:" in text and "version" in row and load_engine().has(row["version"], _SECOND_RUNNER):
        row["modelRunner"] = 1
    if re.search(r"num_gpu_blocks_override['\"]?[:=] ?\d", text):
        # Their number was given, and says nothing about memory.
        row = {name: value for name, value in row.items() if name not in ("kvTokens", "kvBlocks", "concurrency")}
    if "WSL is detected" in text:
        # Windows takes part of the card, of which no log states how much.
        row["group"] = UNDER_WINDOWS
    return row | _outcome(text)


def _first(patterns: Iterable[str], text: str) -> str | None:
    """The group of the first pattern that matches."""
    return next((match[1] for pattern in patterns if (match := re.search(pattern, text)) is not None), None)


def _outcome(text: str) -> dict[str, Any]:
    failure = _first(load_lines().failures, text)
    if "Application startup complete" in text:
        return {"ran": True}
    if failure is not None:
        return {"ran": False, "reason": failure.strip()[:300]}
    # Without a server nothing says that requests are taken: the engine is the last to report.
    return {"ran": True} if re.search(r"init engine \(profile[^\n]*took", text) else {}


def _arguments(text: str) -> dict[str, Any]:
    """Arguments that differ from their defaults; before vLLM 0.9.2 all of them, as a Namespace."""
    match = re.search(r"non-default args: (\{[^\n]*)", text)
    if match is not None:
        literal = _literal(match[1])
        if literal is None:
            literal = _argument_values(match[1], r"'{name}': ")
    else:
        namespace = re.search(r"args: Namespace\(([^\n]*)", text)
        if namespace is None:
            return {}
        literal = _argument_values(namespace[1], r"\b{name}=")
    arguments: dict[str, Any] = {}
    for name, field in load_lines().arguments.items():
        value = literal.get(name)
        if value is not None and value != "auto":
            arguments.setdefault(field, value)
    if literal.get("enable_lora"):
        arguments.setdefault("maxLoras", 1)
    else:
        arguments.pop("maxLoras", None)
    speculative = literal.get("speculative_config")
    if isinstance(speculative, str):
        try:
            speculative = json.loads(speculative)
        except ValueError:
            speculative = None
    if isinstance(speculative, Mapping) and isinstance(speculative.get("num_speculative_tokens"), int):
        arguments["speculativeTokens"] = speculative["num_speculative_tokens"]
        method, model = speculative.get("method"), speculative.get("model")
        if method == "draft_model" and isinstance(model, str):
            arguments["draftModel"] = model
        elif method in WITHOUT_LAYERS:
            arguments["draftModel"] = method
    limits = literal.get("limit_mm_per_prompt")
    if isinstance(limits, Mapping):
        # Models that take images alone name no videos.
        if limits.get("image") == limits.get("video", 0) == 0:
            arguments["textOnly"] = True
        elif limits.get("video") == 0:
            arguments["video"] = False
    if literal.get("mm_encoder_tp_mode") == "data":
        arguments["wholeTower"] = True
    processor = literal.get("mm_processor_kwargs")
    if isinstance(processor, Mapping) and isinstance(processor.get("max_pixels"), int):
        arguments["imagePixels"] = processor["max_pixels"]
    return arguments


def _literal(text: str) -> Mapping[str, Any] | None:
    """A dictionary as Python writes it; None where it is cut off, or holds objects."""
    try:
        literal = ast.literal_eval(text[: text.rfind("}") + 1])
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    return literal if isinstance(literal, Mapping) else None


def _argument_values(text: str, before: str) -> dict[str, Any]:
    """Plain values of the arguments that a row has, one by one."""
    values: dict[str, Any] = {}
    for name in (*load_lines().arguments, "speculative_config", "enable_lora"):
        match = re.search(before.format(name=name) + r"('[^'\n]*'|\{[^{}\n]*\}|[^,)}\s]+)", text)
        if match is None:
            continue
        try:
            values[name] = ast.literal_eval(match[1])
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
    return values


def _configured(text: str) -> dict[str, Any]:
    line = re.search(r"Initializing an? (?:V\d )?LLM engine[^\n]*with config: ([^\n]*)", text)
    settings: dict[str, Any] = {}
    for name, field in load_lines().configured.items():
        match = re.search(rf"(?:^|[ ,]){name}=('[^']*'|[^,\s]+)", line[1]) if line is not None else None
        if match is None:
            continue
        value = match[1].strip("'").removeprefix("torch.")
        if value in ("None", "auto"):
            continue
        settings[field] = {"True": True, "False": False}.get(value, int(value) if value.isdigit() else value)
    return settings


def _value(text: str) -> float:
    number = float(text.replace(",", ""))
    return int(number) if number == int(number) and "." not in text else number
