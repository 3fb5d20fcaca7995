"""Names in requests: each leads to one model."""

from __future__ import annotations

import re
from collections import Counter

from llm_d_gke.planning.context import Findings
from llm_d_gke.planning.patterns import pattern_of
from llm_d_gke.settings import StackSettings

# A header carries the name, trimmed, to the route that matches it.
_HEADER_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")


def check_names(settings: StackSettings, findings: Findings) -> None:
    """Every name in requests, of a model, an alias or an adapter, leads to one model."""
    names = _names(settings)
    counts = Counter(name for _, name in names)
    first: set[str] = set()
    for path, name in names:
        # The first report of a name is enough, and a model's own name comes before what is added to it.
        if counts[name] > 1 and name not in first:
            first.add(name)
            same_path = _to_report(path, [same_path for same_path, other in names if other == name])
            own = same_path[2] == "servedName"
            within = len({same[:2] for same, other in names if other == name}) == 1
            findings.error(
                "LLMD-NAME-TWICE",
                *same_path,
                value=name,
                rule="the model has this name already, from its id, servedName, aliases or adapters"
                if within
                else f"{counts[name]} models have this name, so a request with it would be ambiguous",
                fix="give each its own servedName" if own else "use a unique name",
            )
        if pattern_of(settings).routes_by_model and not _HEADER_VALUE.fullmatch(name):
            findings.error(
                "LLMD-NAME-HEADER",
                *path,
                value=name,
                rule="the model router passes the name on in a header, which takes ASCII without blanks around it",
                fix="use letters, digits, dots, dashes and slashes",
            )


_Path = tuple[str | int, ...]


def _names(settings: StackSettings) -> list[tuple[_Path, str]]:
    names: list[tuple[_Path, str]] = []
    for index, model in enumerate(settings.models):
        names.append((("models", index, "servedName"), model.name))
        names += [(("models", index, "aliases", number), alias) for number, alias in enumerate(model.aliases)]
        names += [
            (("models", index, "adapters", number, "name"), adapter.name)
            for number, adapter in enumerate(model.adapters)
        ]
    names += [(("splits", index, "name"), split.name) for index, split in enumerate(settings.splits)]
    return names


def _to_report(first: _Path, paths: list[_Path]) -> _Path:
    """Where to change a name with several uses: an addition rather than a model's own."""
    return next((path for path in paths if path[2] != "servedName"), first)
