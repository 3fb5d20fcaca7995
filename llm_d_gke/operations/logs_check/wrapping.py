"""Takes a log out of what it was collected in: JSON of Cloud Logging, of Docker, of a JSON formatter, or of `gcloud`.

Prefixes of `kubectl logs --prefix`, of containers and of clocks stay: the lines are searched, not parsed from their
beginning.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

# Where collectors put the line that a program printed; the first that is there counts.
_MESSAGES = ("textPayload", "message", "msg", "log", "MESSAGE", "line", "text")
_PAYLOADS = ("jsonPayload", "json_payload", "fields")
_TIMES = ("timestamp", "time", "ts", "@timestamp", "receiveTimestamp")

# What an API server prints before it loads a model, by the versions that print it.
_BEGINNINGS = (
    re.compile(r"vLLM API server version|█ +version v?\d"),
    re.compile(r"non-default args: \{|args: Namespace\("),
    re.compile(r"Initializing an? (?:V\d )?LLM engine"),
)
_FIGURES = re.compile(
    r"[Mm]odel loading took|[Ll]oading model weights took|Available KV cache memory|KV cache size:|Init model \| hbm"
    r"|out of memory|RESOURCE_EXHAUSTED|failed to start|must be divisible|is not supported"
)
# Two servers of one start print their banner within this many characters of each other.
_SAME_START = 20_000


def plain(text: str) -> str:
    """The lines as the program printed them, in their order."""
    document = _document(text)
    if document is not None:
        return "\n".join(_sorted(document))
    lines: list[str] = []
    entries: list[Mapping[str, Any]] = []
    for line in text.splitlines():
        entry = _entry(line)
        if entry is None:
            lines.append(line)
        else:
            entries.append(entry)
            lines.append(_message(entry) or "")
    if entries and len(entries) == len([line for line in text.splitlines() if line.strip()]):
        return "\n".join(_sorted(entries))
    return "\n".join(lines)


def last_start(text: str) -> str:
    """The last start in the log of a container that restarted. The whole text if it has at most one start."""
    for pattern in _BEGINNINGS:
        positions = [match.start() for match in pattern.finditer(text)]
        if len(positions) < 2:
            if positions:
                return text
            continue
        begins = [positions[0]]
        begins += [
            later
            for earlier, later in itertools.pairwise(positions)
            if later - earlier > _SAME_START or _FIGURES.search(text, earlier, later)
        ]
        # The line itself began earlier, with its prefix.
        starts = [text.rfind("\n", 0, begin) + 1 for begin in begins]
        ends = [*starts[1:], len(text)]
        parts = [text[start:end] for start, end in zip(starts, ends, strict=True)]
        return next((part for part in reversed(parts) if _FIGURES.search(part)), text)
    return text


def _document(text: str) -> list[Mapping[str, Any]] | None:
    """A file that is one JSON list of entries, as `gcloud logging read --format=json` writes it."""
    if not text.lstrip().startswith("["):
        return None
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    entries = [entry for entry in document if isinstance(entry, Mapping)] if isinstance(document, list) else []
    return entries if entries and any(_message(entry) for entry in entries) else None


def _entry(line: str) -> Mapping[str, Any] | None:
    begin = line.find("{")
    # Behind a prefix of kubectl the object is what remains of the line.
    if begin < 0 or not line.rstrip().endswith("}") or (begin > 0 and line[begin - 1] not in " \t]"):
        return None
    try:
        entry = json.loads(line[begin:])
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, Mapping) and _message(entry) is not None else None


def _message(entry: Mapping[str, Any]) -> str | None:
    for name in _MESSAGES:
        if isinstance(entry.get(name), str):
            return str(entry[name]).rstrip("\n")
    for name in _PAYLOADS:
        inner = entry.get(name)
        if isinstance(inner, Mapping) and (message := _message(inner)) is not None:
            return message
    return None


def _sorted(entries: list[Mapping[str, Any]]) -> Iterator[str]:
    """Messages by time. Cloud Logging gives the newest first."""
    times = [next((str(entry[name]) for name in _TIMES if entry.get(name) is not None), "") for entry in entries]
    order = sorted(range(len(entries)), key=lambda index: times[index]) if all(times) else range(len(entries))
    return (_message(entries[index]) or "" for index in order)
