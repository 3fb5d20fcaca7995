"""Implements the command `adopt-manifests`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from llm_d_gke import catalog
from llm_d_gke.catalog.catalog import Catalog
from llm_d_gke.cli.exits import DONE, REFUSED
from llm_d_gke.operations.adopt_manifests.documents import read_files
from llm_d_gke.operations.adopt_manifests.errors import AdoptError
from llm_d_gke.operations.adopt_manifests.servers import NotCarried
from llm_d_gke.operations.adopt_manifests.stack import Settings, stack_settings
from llm_d_gke.operations.size.command import check_stack_name
from llm_d_gke.planning import RefusedError, plan_config
from llm_d_gke.planning.findings import in_full, report
from llm_d_gke.planning.hardware_names import accelerators_named
from llm_d_gke.planning.serving.extra_args import flag_of
from llm_d_gke.planning.suggest import did_you_mean
from llm_d_gke.stackfile import NAMESPACE, PROJECT_ROOT, StackConfig
from llm_d_gke.stackfile.assumptions import assume_unset
from llm_d_gke.wording import wrapped


def adopt_files(
    paths: Sequence[Path], write: str | None = None, location: str | None = None, accelerator: str | None = None
) -> int:
    """Print or write the stack file, then what it does not carry over, then the findings of planning."""
    facts = catalog.load()
    chosen = None if accelerator is None else _accelerator(facts, accelerator)
    settings, not_carried = stack_settings(read_files(list(paths)), facts, location=location, accelerator=chosen)
    settings, planned = without_planned(settings)
    not_carried = [*not_carried, *planned]
    text = yaml.safe_dump({"config": {f"{NAMESPACE}:{key}": value for key, value in settings.items()}}, sort_keys=False)
    if write is None:
        print(text)
    else:
        path = PROJECT_ROOT / f"Pulumi.{check_stack_name(write)}.yaml"
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path.name}\n")
    _print_not_carried(not_carried)
    return _judge(write or "adopted", settings)


def _accelerator(facts: Catalog, text: str) -> str:
    """The one accelerator that a word means. Raises AdoptError, with the nearest."""
    match accelerators_named(text, facts):
        case [name]:
            return name
        case []:
            hint = did_you_mean(text, list(facts.accelerators))
        case several:
            hint = f"it may be {', '.join(several)}"
    raise AdoptError(f"--accelerator {text}: the catalog has no accelerator of this name; {hint}")


def without_planned(settings: Settings) -> tuple[Settings, list[NotCarried]]:
    """The settings without the arguments that the stack sets itself and planning would refuse, and those arguments."""
    models: list[dict[str, Any]] = [dict(model) for model in settings.get("models") or []]
    planned: list[NotCarried] = []
    for number, words in _planned_words({**settings, "models": models}).items():
        remaining: list[str] = []
        options: list[list[str]] = []
        taking = False
        for position, word in enumerate(models[number].pop("extraArgs")):
            # With its values.
            taking = position in words or (taking and not flag_of(word))
            if position in words:
                options.append([])
            (options[-1] if taking else remaining).append(word)
        model = str(models[number].get("id"))
        planned += [NotCarried(model, " ".join(option), "the stack sets it by itself") for option in options]
        models[number] |= {"extraArgs": remaining} if remaining else {}
    return {**settings, "models": models} if planned else settings, planned


def _planned_words(settings: Settings) -> dict[int, set[int]]:
    """Positions in `extraArgs` of each model that planning refuses because it renders the argument itself."""
    config = assume_unset(StackConfig(values={f"{NAMESPACE}:{key}": value for key, value in settings.items()}))
    words: dict[int, set[int]] = {}
    try:
        plan_config("adopted", config)
    except RefusedError as refused:
        for finding in refused.findings:
            match = re.search(r"models\[(\d+)\]\.extraArgs\[(\d+)\]$", finding.path)
            if finding.id == "LLMD-EXTRA-ARGS-PLANNED" and match:
                words.setdefault(int(match[1]), set()).add(int(match[2]))
    return words


def _print_not_carried(not_carried: Sequence[NotCarried]) -> None:
    if not not_carried:
        print("Everything is carried over.")
        return
    print("Not carried over:")
    for line in dict.fromkeys(map(str, not_carried)):
        print(wrapped(f"- {line}"))


def _judge(stack: str, settings: Settings) -> int:
    """Plan the stack, and print every finding."""
    config = assume_unset(StackConfig(values={f"{NAMESPACE}:{key}": value for key, value in settings.items()}))
    try:
        plan = plan_config(stack, config)
    except RefusedError as refused:
        print(f"\nThe stack file is refused as it is:\n\n{wrapped(in_full(refused.findings))}")
        return REFUSED
    print("\nThe stack can be planned." + ("" if not plan.warnings else "\n"))
    if plan.warnings:
        print(wrapped(report(plan.warnings)))
    return DONE
