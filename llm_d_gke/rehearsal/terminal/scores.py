"""Reads a picker's log: which scores each request's endpoints got, and which endpoint the request was sent to.

Messages and fields are those of pkg/epp/scheduling in kubernetes-sigs/gateway-api-inference-extension v1.2.0 to v1.5.0
and in llm-d/llm-d-router; scores are logged from verbosity 4 on.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from string import ascii_lowercase
from typing import Any

from rich import box
from rich.table import Table

from llm_d_gke.wording import WIDTH

_REQUEST = "x-request-id"
_SCORE, _CHOSEN, _HANDLED = "Calculated score", "Completed running picker plugin successfully", "Request handled"


@dataclass
class Choice:
    """One request. `scores` are by scorer and then by endpoint, from 0 to 1 and without weights."""

    request: str
    model: str = ""
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    chosen: list[str] = field(default_factory=list)
    address: str = ""

    @property
    def endpoints(self) -> list[str]:
        return sorted({endpoint for values in self.scores.values() for endpoint in values})


def choices(lines: Iterable[str]) -> list[Choice]:
    """Requests in the order in which they came. Lines that are no JSON or of no request are skipped."""
    by_request: dict[str, Choice] = {}
    for entry in _entries(lines):
        request, message = entry.get(_REQUEST), entry.get("msg")
        if not isinstance(request, str):
            continue
        choice = by_request.setdefault(request, Choice(request))
        choice.model = str(entry.get("incomingModelName") or choice.model)
        if message == _SCORE:
            choice.scores.setdefault(_scorer(entry.get("plugin")), {})[_endpoint(entry.get("endpoint"))] = float(
                entry.get("score", 0)
            )
        elif message == _CHOSEN:
            # The result has many fields, which differ between versions; it names no other endpoint than the chosen.
            result = json.dumps(entry.get("result"))
            choice.chosen += [name for name in choice.endpoints if f'"{name}"' in result or f"/{name}" in result]
        elif message == _HANDLED:
            choice.address = str(entry.get("endpoint") or "")
    return [choice for choice in by_request.values() if choice.scores or choice.address]


def table(choice: Choice, weights: Mapping[str, float]) -> Table:
    """Endpoints with their scores and the weighted sum, the chosen one marked. Letters stand for scorers."""
    grid = Table(box=box.SIMPLE, title=f"{choice.request}  {choice.model}".rstrip(), title_justify="left")
    grid.add_column()
    # The mark, the sum and the spaces between columns take 16.
    grid.add_column("endpoint", overflow="fold", max_width=max(20, WIDTH - 16 - 8 * len(choice.scores)))
    caption = []
    for letter, scorer in zip(ascii_lowercase, choice.scores, strict=False):
        weight = weights.get(scorer)
        grid.add_column(letter, justify="right", no_wrap=True)
        caption.append(f"{letter}: {scorer}" if weight is None else f"{letter}: {scorer} x {weight:g}")
    grid.add_column("sum", justify="right")
    for endpoint in sorted(choice.endpoints, key=lambda name: -weighted(choice, name, weights)):
        mark = "*" if endpoint in choice.chosen else ""
        cells = [f"{values.get(endpoint, 0):.3f}" for values in choice.scores.values()]
        grid.add_row(mark, endpoint, *cells, f"{weighted(choice, endpoint, weights):.3f}")
    if choice.address:
        caption.append(f"*: chosen, sent to {choice.address}")
    grid.caption, grid.caption_justify = "\n".join(caption), "left"
    return grid


def weighted(choice: Choice, endpoint: str, weights: Mapping[str, float]) -> float:
    """The sum that the picker compares: scores count within 0 and 1."""
    return sum(
        min(1.0, max(0.0, values.get(endpoint, 0.0))) * weights.get(scorer, 1.0)
        for scorer, values in choice.scores.items()
    )


def weights_of(config: Mapping[str, Any]) -> dict[str, float]:
    """Weights of an EndpointPickerConfig, by the plugin's name."""
    return {
        str(plugin["pluginRef"]): float(plugin["weight"])
        for profile in config.get("schedulingProfiles", ())
        for plugin in profile.get("plugins", ())
        if plugin.get("weight") is not None
    }


def _entries(lines: Iterable[str]) -> Iterator[Mapping[str, Any]]:
    for line in lines:
        # `kubectl logs --prefix` and `make logs` put the pod's name in front.
        start = line.find("{")
        if start < 0:
            continue
        try:
            entry = json.loads(line[start:])
        except ValueError:
            continue
        if isinstance(entry, dict):
            yield entry


def _scorer(plugin: object) -> str:
    """`name/type` or an object with both; the name is how configurations refer to it."""
    if isinstance(plugin, Mapping):
        return str(plugin.get("Name") or plugin.get("name") or plugin.get("Type") or plugin.get("type") or "scorer")
    return str(plugin).partition("/")[0]


def _endpoint(value: object) -> str:
    if isinstance(value, Mapping):
        return str(value.get("name") or value.get("Name"))
    return str(value).rpartition("/")[2]
