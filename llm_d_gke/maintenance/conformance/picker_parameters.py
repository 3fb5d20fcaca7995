"""Gives every parameter of a picker's plugins right and wrong values, and compares the real picker with the planner.

`python -m llm_d_gke.maintenance.conformance.picker_parameters` runs the pickers that are pinned here, one start
for each value, and writes picker_parameters.yaml, which docs/conformance.md shows.
"""

from __future__ import annotations

import json
import sys
import tempfile
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from llm_d_gke import catalog
from llm_d_gke.catalog.pickers import Picker, Plugin
from llm_d_gke.cli.markdown import table
from llm_d_gke.cli.text import print_step
from llm_d_gke.maintenance.conformance import programs, stored
from llm_d_gke.maintenance.conformance.names import pickers_of
from llm_d_gke.maintenance.conformance.rendered import Rendered
from llm_d_gke.planning.picker_config.check import is_unchecked
from llm_d_gke.planning.picker_config.parameters import Group, is_reference, parameters_of, read_parameters
from llm_d_gke.rehearsal.toolchain.build import Report

FILE = Path(__file__).with_name("picker_parameters.yaml")
_COUNTS: Final = ("plugins", "parameters", "values", "refused by both")
_QUEUE: Final = {"type": "queue-scorer"}
_PROFILES: Final = [{"name": "default", "plugins": [{"pluginRef": "queue-scorer"}]}]
# One value of each JSON type, and numbers at the edges of ranges.
_VALUES: Final[tuple[Any, ...]] = (True, "text", "", "5m", 7, 0, -1, 0.5, 1.5, 2**40, [], ["a"], {}, {"another": 1})
# Parameters without which a plugin's others are not looked at.
_NEEDED: Final[Mapping[str, Mapping[str, Any]]] = {
    "ByLabel": {"validValues": ["a"]},
    "Normalization": {"adaptiveRange": {}},
    "Reporter": {"attributes": [{"key": {"name": "tokens"}, "expression": "1"}]},
}
# Plugins that need more than parameters when they start.
LEFT_OUT: Final = {
    "SocketTokens": "tokenizer, which dials a tokenizer server",
    "SpeculativeScorer": "precise-prefix-cache-scorer of v0.7.1, which does so too",
}


@dataclass(frozen=True)
class Probe:
    """Parameters of one plugin, of which one has an unusual value."""

    plugin: str
    path: str
    value: Any
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class Difference:
    """A value that only one of both takes, with what the other says."""

    plugin: str
    path: str
    value: Any
    taken_by: Literal["planner", "picker"]
    other_says: str


def probes(plugin: Plugin) -> Iterator[Probe]:
    """Each parameter with values of every type, and a parameter of another name."""
    shape = parameters_of(plugin)
    if not shape.model_fields or plugin.parameters in LEFT_OUT:
        return
    base = example(shape)
    yield Probe(plugin.type, "", "least parameters", base)
    for path, field in _fields(shape):
        if is_reference(field):
            continue  # names another plugin, which the planner looks for elsewhere
        for value in _VALUES:
            yield Probe(plugin.type, ".".join(path), value, _with(base, path, value))


def example(shape: type[Group]) -> dict[str, Any]:
    """The least parameters that a shape takes."""
    least = {name: _example(field.annotation) for name, field in shape.model_fields.items() if field.is_required()}
    return {**least, **_NEEDED.get(shape.__name__, {})}


def _example(kind: Any) -> Any:
    if isinstance(kind, type) and issubclass(kind, Group):
        return example(kind)
    origin = get_origin(kind)
    if origin is Literal:
        return get_args(kind)[0]
    if origin is tuple:
        return [_example(get_args(kind)[0])]
    return {str: "a", int: 1, float: 1.0, bool: True}.get(kind, "a")


def _fields(shape: type[Group], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], FieldInfo]]:
    for name, field in shape.model_fields.items():
        path = (*above, name)
        yield path, field
        for inner in _groups(field.annotation):
            yield from _fields(inner, path)


def _groups(kind: Any) -> Iterator[type[Group]]:
    if isinstance(kind, type) and issubclass(kind, Group):
        yield kind
    elif get_origin(kind) in (Union, types.UnionType):
        for inner in get_args(kind):
            yield from _groups(inner)


def _with(tree: Mapping[str, Any], path: Sequence[str], value: Any) -> dict[str, Any]:
    key, *rest = path
    if not rest:
        return {**tree, key: value}
    below = tree.get(key)
    return {**tree, key: _with(below if isinstance(below, Mapping) else {}, rest, value)}


def refusal_here(picker: Picker, plugin: Plugin, parameters: Mapping[str, Any]) -> str | None:
    """Why the planner says that the picker does not start with parameters; None where it does not say so.

    It refuses unknown names also of pickers that ignore them, and says that they do.
    """
    try:
        read_parameters(plugin, parameters)
    except ValidationError as error:
        for detail in error.errors():
            ignored = detail["type"] == "extra_forbidden" and picker.unknown_parameters == "ignored"
            if not ignored and not is_unchecked(picker, plugin, detail):
                return str(detail["msg"])
    return None


def configuration(api: str, plugin_type: Plugin, probe: Probe) -> dict[str, Any]:
    plugin = {"type": probe.plugin, "parameters": dict(probe.parameters)}
    needed = [{"type": plugin_type.needs.plugin}] if plugin_type.needs is not None else []
    return {
        "apiVersion": api,
        "kind": "EndpointPickerConfig",
        "plugins": [_QUEUE, *needed, plugin],
        "schedulingProfiles": _PROFILES,
    }


def compared(
    build: str, image: str, api: str, executable: Path, report: Report
) -> tuple[dict[str, int], list[Difference]]:
    """How many plugins, parameters and values were tried, and where planner and picker differ."""
    picker = catalog.load().pickers[build]
    differences: list[Difference] = []
    counts = dict.fromkeys(_COUNTS, 0)
    with tempfile.TemporaryDirectory(prefix="conformance-") as folder:
        for plugin in picker.plugins.values():
            tried = list(probes(plugin))
            if not tried:
                continue
            first = Rendered(("--pool-name=all", "--config-file=config"), configuration(api, plugin, tried[0]))
            if (problem := programs.refusal(executable, image, first, Path(folder))) is not None:
                differences.append(Difference(plugin.type, "", "least parameters", "planner", problem))
                continue
            counts["plugins"] += 1
            counts["parameters"] += len({probe.path for probe in tried if probe.path})
            for probe in tried:
                counts["values"] += 1
                planner_refusal = refusal_here(picker, plugin, probe.parameters)
                rendering = Rendered(("--pool-name=all", "--config-file=config"), configuration(api, plugin, probe))
                picker_refusal = programs.refusal(executable, image, rendering, Path(folder))
                counts["refused by both"] += planner_refusal is not None and picker_refusal is not None
                if (planner_refusal is None) is not (picker_refusal is None):
                    taken_by: Literal["planner", "picker"] = "planner" if planner_refusal is None else "picker"
                    differences.append(
                        Difference(
                            plugin.type, probe.path, probe.value, taken_by, picker_refusal or planner_refusal or ""
                        )
                    )
            report(f"{build}: {plugin.type}, {len(tried)} values")
    return counts, differences


def lines() -> Iterator[str]:
    """The table of docs/conformance.md, and what planner and picker still judge differently."""
    results: dict[str, Any] = stored.read(FILE) or {}
    head = ("plugins with parameters", "parameters", "values", "refused by both")
    rows = [
        (build, *(result["counts"][name] for name in _COUNTS), len(result["differences"]), result["date"])
        for build, result in results.items()
    ]
    yield from table(("picker", *head, "judged differently", "date"), rows)
    yield ""
    for build, result in results.items():
        for plugin, path, value, taken_by, says in result["differences"]:
            other = "picker" if taken_by == "planner" else "planner"
            label = f"`{path}: {json.dumps(value)}`" if path else str(value)
            yield f"- {build}, {plugin}, {label}: the {other} refuses it ({_short(says)})"


def _short(text: str) -> str:
    return " ".join(text.split())[-120:].replace("|", "/")


def pinned_pickers() -> Iterator[tuple[str, str, str]]:
    """Build, image and API version of the configuration of every picker that can be built here, each once."""
    builds: dict[str, tuple[str, str, str]] = {}
    for release in catalog.load().releases.values():
        for picker in pickers_of(release):
            if programs.is_pinned(picker.image):
                builds.setdefault(picker.build, (picker.build, picker.image, picker.config_api))
    yield from builds.values()


def main(arguments: list[str]) -> int:
    for build, image, api in pinned_pickers():
        if arguments and build not in arguments:
            continue
        executable = programs.binary(image, print_step)
        assert executable is not None, build
        counts, differences = compared(build, image, api, executable, print_step)
        results = stored.read(FILE) or {}
        results[build] = {
            "date": stored.today(),
            "counts": counts,
            "differences": [
                [difference.plugin, difference.path, difference.value, difference.taken_by, difference.other_says]
                for difference in differences
            ],
        }
        stored.write(FILE, "Values of the parameters of pickers' plugins.", results)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
