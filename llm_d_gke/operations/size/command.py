"""Prints the comparison of hardware, and writes a stack file for one row."""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from rich.table import Table

from llm_d_gke.catalog import Catalog, Model
from llm_d_gke.catalog import load as load_catalog
from llm_d_gke.cli.drawing import drawn
from llm_d_gke.cli.exits import DONE, REFUSED
from llm_d_gke.operations.size.load import Load, SizeError, parse_load
from llm_d_gke.operations.size.options import Option, Refusal, compare_hardware
from llm_d_gke.planning.findings import Findings, errors_in
from llm_d_gke.planning.hardware_names import accelerators_named
from llm_d_gke.planning.serving.custom_models import with_own_models
from llm_d_gke.planning.setting_errors.validation import from_validation
from llm_d_gke.planning.suggest import nearest
from llm_d_gke.settings import StackSettings
from llm_d_gke.stackfile import NAMESPACE, PROJECT_ROOT
from llm_d_gke.stackfile.model_files import HUB, model_files
from llm_d_gke.wording import wrapped

# Purchase options with a column; more of them would not fit into 80 columns.
_WAYS = ("on-demand", "spot")
_MARKS = {"~": "memory is marginal", "!": "the host has little memory"}
_STACK_NAME = re.compile(r"[a-z][a-z0-9-]{0,19}")
_NO_ROOM = "the model does not fit into the memory of one host"
_NOT_COMPARED = (
    "Not compared: replicas of several hosts (a larger topology of a TPU slice, pipelineParallel) and parts of a GPU."
)
_OWN_MODEL = (
    "A model that the catalog lacks is compared by its config.json: CONFIG=path/to/config.json, or CONFIG=hub"
    " (--config-json)."
)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What to compare. `config` describes a model that the catalog lacks: the path of its config.json, or `hub`."""

    location: str | None
    accelerator: str | None
    max_model_len: int | None
    config: str | None


def print_sizes(model_id: str, load_text: str, choice: Choice, write: str | None) -> int:
    """Print one row per machine, cheapest first; with `write` also write a stack file for the first row that fits."""
    if write is not None:
        check_stack_name(write)
    catalog, load = load_catalog(), parse_load(load_text)
    config, accelerator = choice.config, choice.accelerator
    if config is not None:
        config = config if config == HUB else str(Path(config).resolve())
        catalog = with_described(catalog, model_id, config)
    model = find_model(catalog, model_id)
    chosen = None if accelerator is None else _chosen(catalog, accelerator)
    options, refusals = compare_hardware(catalog, model, load, choice.location, choice.max_model_len, config, chosen)
    absent = None if chosen is None or options or refusals else _absence(catalog, chosen, choice.location)
    if options and write is not None:
        option = cheapest_that_fits(options)
        path = write_stack(write, option.settings, option, "make size")
        print(f"wrote {path.name} for {row_of(option, options)}.")
        if config not in (None, HUB) and not Path(config).is_relative_to(PROJECT_ROOT):
            print(
                wrapped(f"{config} is outside of the project's folder: copy it into that, and set config to the copy")
            )
        print(f"next: make report STACK={write}\n")
    print(sizes_text(model, load, options, refusals, chosen_place=choice.location is not None, absent=absent))
    return DONE if options else REFUSED


def _chosen(catalog: Catalog, text: str) -> list[str]:
    """The accelerators of a list such as `nvidia-l4,tpu`. Raises SizeError for a word that names none."""
    chosen: list[str] = []
    for word in re.split(r"[,\s]+", text.strip(", ")):
        named = accelerators_named(word, catalog)
        if not named:
            raise SizeError(_unknown("accelerator", word, list(catalog.accelerators)))
        chosen += named
    return chosen


def _absence(catalog: Catalog, chosen: Sequence[str], location: str | None) -> str:
    """Why there is no row at all: where the accelerators are."""
    places = (f"{name} is in {', '.join(catalog.accelerators[name].zones)}" for name in chosen)
    return f"No such accelerator is in {location}: {'; '.join(places)}."


def cheapest_that_fits(options: Sequence[Option]) -> Option:
    """The cheapest option whose host and accelerators hold the model surely, or that comes next to it."""
    return min(options, key=lambda option: (option.has_small_host, option.is_marginal))


def row_of(option: Option, options: Sequence[Option]) -> str:
    """Which row of the table an option is, in words."""
    bought = option.settings["accelerator"].get("provisioning")
    name = f"{option.hardware.machine.name} ({option.hardware.replica}{f', {bought}' if bought else ''})"
    avoided = [mark for mark in options[0].marks if mark not in option.marks]
    if avoided:
        where = " or ".join(_MARKS[mark] for mark in avoided)
        name = f"{name},\nthe cheapest row without {' and '.join(avoided)}: where {where}, a start may fail"
    else:
        name = f"{name}, the first row"
    if not option.is_marginal:
        return name
    return f"{name}.\nIts memory is marginal (~), as in every {'such ' if avoided else ''}row: a start may fail"


def with_described(catalog: Catalog, model_id: str, config: str) -> Catalog:
    """The catalog with the model that a config.json describes. Raises SizeError with what is wrong with the file."""
    values = {
        "location": "us-central1-a",
        "accelerator": {"type": "nvidia-l4"},
        "models": [{"id": model_id, "config": config}],
    }
    try:
        settings = StackSettings.model_validate(values)
    except ValidationError as error:
        raise SizeError("; ".join(f"{finding.value}: {finding.rule}" for finding in from_validation(error))) from error
    findings = Findings()
    described = with_own_models(catalog, settings, model_files(values), findings)
    if described.find_model(model_id) is None or errors_in(findings):
        # Without its file the model would not be compared at all.
        fixes = (finding.fix.partition(", or remove config")[0] for finding in findings)
        raise SizeError(
            "\n".join(f"{finding.value}: {finding.rule}\n  {fix}" for finding, fix in zip(findings, fixes, strict=True))
        )
    return described


def find_model(catalog: Catalog, model_id: str, own_model: str = _OWN_MODEL) -> Model:
    """A model of the catalog. Raises SizeError with the nearest names, and what to do with a model of one's own."""
    model = catalog.find_model(model_id)
    if model is None:
        raise SizeError(f"{_unknown('model', model_id, list(catalog.models))} {own_model}")
    return model


def _unknown(kind: str, name: str, names: Sequence[str]) -> str:
    lower = {entry.lower(): entry for entry in names}
    near = [lower[entry] for entry in difflib.get_close_matches(name.lower(), lower, n=3, cutoff=0.5)]
    # Of a short name, such as l4, the full one contains it.
    near = near or [entry for entry in (nearest(name, names),) if entry]
    hint = f"Did you mean {', '.join(near)}?" if near else f"`make catalog KIND={kind}s` lists what it has."
    return f"the catalog has no {kind} {name!r}. {hint}"


def sizes_text(
    model: Model,
    load: Load,
    options: Sequence[Option],
    refusals: Sequence[Refusal],
    *,
    chosen_place: bool = False,
    absent: str | None = None,
) -> str:
    """The table, the reasons against the other machines, and how far to trust the figures; 80 columns wide.

    `absent` says why nothing was compared, where the table is empty.
    """
    head = drawn(f"{model.id}, {load}")
    if not options:
        nothing = wrapped(absent or "No machine of the catalog serves this.")
        return "\n".join([head, "", nothing, wrapped(_NOT_COMPARED), *_reasons(refusals)])
    notes = [*_notes(options, chosen_place=chosen_place), wrapped(_NOT_COMPARED)]
    return "\n".join([head, "", drawn(_table(options)), "", *notes, *_reasons(refusals)]).rstrip()


def _table(options: Sequence[Option]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("machine", "replica"):
        table.add_column(name, no_wrap=True)
    for name in ("rep", "nodes", *_WAYS, "first", "each", "$/M"):
        table.add_column(name, justify="right", no_wrap=True)
    for option in options:
        speed = option.capacity.at_load
        assert speed is not None
        table.add_row(
            option.hardware.machine.name,
            option.hardware.replica + (f" {option.marks}" if option.marks else ""),
            str(option.replicas),
            str(option.nodes),
            *(_dollars(option, way) for way in _WAYS),
            _duration(speed.time_to_first_token),
            _duration(speed.time_per_output_token),
            "-" if option.per_million_tokens is None else f"{option.per_million_tokens:.2f}",
        )
    return table


def _dollars(option: Option, way: str) -> str:
    if way not in option.monthly_usd:
        return "-"
    return f"{option.monthly_usd[way]:,.0f}{'+' if way in option.lower_bounds else ''}"


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _notes(options: Sequence[Option], *, chosen_place: bool) -> list[str]:
    """Notes on reading the table."""
    zones = list(dict.fromkeys(option.hardware.zone for option in options))
    measured = {option.hardware.accelerator.title for option in options if option.capacity.measured}
    error = max(option.capacity.error for option in options)
    elsewhere = "" if all(option.capacity.measured for option in options) else ", elsewhere an order of magnitude"
    trust = (
        f"within {error:.0%} on {', '.join(sorted(measured))}{elsewhere}"
        if measured
        else "an order of magnitude, for none was held against a measurement of such a model on these accelerators"
    )
    another = "" if chosen_place else " LOCATION=europe-west4 (--location) chooses a zone, a region, or all of europe."
    return [
        wrapped(
            "Dollars a month (730 h) for the whole stack while every replica runs, for each purchase option of the"
            " accelerators; - where no price is known, + at least, where a part has none; `make report` has flex-start"
            " and reserved as well. Cheapest first, by the on-demand price, or where there is none by the lowest known"
            " price. rep: replicas. ~: memory is marginal. !: the host has little memory for the engine's processes."
            " first: time to first token (TTFT), each: time per output token (TPOT). $/M: dollars per million tokens."
            f" Speeds are estimates: {trust}."
        ),
        wrapped(f"Zones: {', '.join(zones)}.{another}"),
    ]


def _reasons(refusals: Sequence[Refusal]) -> list[str]:
    """What cannot serve the model, by reason: accelerators, with the machine types that have them."""
    by_reason: defaultdict[str, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for refusal in refusals:
        by_reason[_short(refusal.reason)][refusal.hardware.replica].append(refusal.hardware.machine.name)
    if not by_reason:
        return []
    lines = []
    for reason, machines in by_reason.items():
        listed = [
            f"{replica} ({names[0] if len(names) == 1 else f'{len(names)} machine types'})"
            for replica, names in machines.items()
        ]
        lines.append(wrapped(f"  {', '.join(listed)}: {reason}"))
    return ["", "Not possible:", *lines]


def _short(reason: str) -> str:
    return _NO_ROOM if "KV cache" in reason or "GiB" in reason else reason


def check_stack_name(name: str) -> str:
    """The name of a stack that has no file yet. Raises SizeError for any other."""
    if not _STACK_NAME.fullmatch(name):
        raise SizeError(
            f"{name!r} is no name of a stack: it has up to 20 lower-case letters, digits and hyphens, such as chat-dev"
        )
    if (PROJECT_ROOT / f"Pulumi.{name}.yaml").exists():
        raise SizeError(f"Pulumi.{name}.yaml exists already: choose another name, or remove it")
    return name


def write_stack(stack: str, settings: Mapping[str, Any], option: Option, command: str) -> Path:
    """Write `Pulumi.<stack>.yaml` into the project's folder. Raises SizeError if there is one already.

    `command` is what the user ran; the file's first line names it.
    """
    path = PROJECT_ROOT / f"Pulumi.{check_stack_name(stack)}.yaml"
    settings = {**settings, "models": [_in_project(model) for model in settings["models"]]}
    config = {f"{NAMESPACE}:{key}": value for key, value in settings.items()}
    head = f"# Written by `{command}`: {option.hardware.accelerator.title} in {option.hardware.zone}.\n"
    path.write_text(head + yaml.safe_dump({"config": config}, sort_keys=False), encoding="utf-8")
    return path


def _in_project(model: Mapping[str, Any]) -> Mapping[str, Any]:
    """A model with the path of its config.json from the project's folder: other checkouts have it there, too."""
    path = Path(model.get("config", HUB))
    return {**model, "config": str(path.relative_to(PROJECT_ROOT))} if path.is_relative_to(PROJECT_ROOT) else model
