"""What a pattern asks of a stack, and names that lead to one model each."""

from __future__ import annotations

import re
from collections import Counter

from catalog.schema import Model
from planning.context import Findings, PlanContext
from settings import StackSettings
from settings.models import ModelSettings

# A header carries the name, trimmed, to the route that matches it.
_HEADER_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")


def check_scope(settings: StackSettings, findings: Findings) -> None:
    """Pattern and deployment against the number of models and replicas."""
    number = len(settings.models)
    if settings.pattern != "multi-model" and number > 1:
        findings.error(
            "LLMD-PATTERN-ONE-MODEL",
            "models",
            value=f"{number} models",
            rule=f"{settings.pattern} serves one model: without a model router a request could reach the wrong one",
            fix="keep one model per stack, or use pattern: multi-model",
        )
    if settings.pattern == "multi-model":
        _check_multi_model(settings, findings)
    if settings.pattern == "prefix-cache":
        _check_prefix_cache(settings, findings)
    _check_disaggregated(settings, findings)


def check_pattern(ctx: PlanContext, index: int, settings: ModelSettings, model: Model | None) -> None:
    """What a pattern asks of a model."""
    if ctx.settings.pattern == "mixture-of-experts" and model is not None and model.experts is None:
        ctx.findings.error(
            "LLMD-PATTERN-EXPERTS",
            "models",
            index,
            "id",
            value=settings.id,
            rule=f"{model.id} has no experts: mixture-of-experts has nothing to spread",
            fix="use pattern: single-replica, or a mixture of experts",
        )


def check_names(settings: StackSettings, findings: Findings) -> None:
    """Every name in requests, of a model, an alias or an adapter, leads to one model."""
    names = _names(settings)
    counts = Counter(name for _, name in names)
    first: set[str] = set()
    for path, name in names:
        # The first report of a name is enough, and a model's own name comes before what is added to it.
        if counts[name] > 1 and name not in first:
            first.add(name)
            place = _to_report(path, [place for place, other in names if other == name])
            own = place[2] == "servedName"
            findings.error(
                "LLMD-NAME-TWICE",
                *place,
                value=name,
                rule=f"{counts[name]} models have this name, and a request must lead to one of them",
                fix="give each its own servedName" if own else "give it a name of its own",
            )
        if settings.pattern == "multi-model" and not _HEADER_VALUE.fullmatch(name):
            findings.error(
                "LLMD-NAME-HEADER",
                *path,
                value=name,
                rule="the model router passes the name on in a header, which takes ASCII without blanks around it",
                fix="use letters, digits, dots, dashes and slashes",
            )


_Path = tuple[str | int, ...]


def _names(settings: StackSettings) -> list[tuple[_Path, str]]:
    found: list[tuple[_Path, str]] = []
    for index, model in enumerate(settings.models):
        found.append((("models", index, "servedName"), model.name))
        found += [(("models", index, "aliases", number), alias) for number, alias in enumerate(model.aliases)]
        found += [
            (("models", index, "adapters", number, "name"), adapter.name)
            for number, adapter in enumerate(model.adapters)
        ]
    found += [(("splits", index, "name"), split.name) for index, split in enumerate(settings.splits)]
    return found


def _to_report(first: _Path, places: list[_Path]) -> _Path:
    """Where to change a name that stands at several places: an addition rather than a model's own."""
    return next((place for place in places if place[2] != "servedName"), first)


def _check_multi_model(settings: StackSettings, findings: Findings) -> None:
    number = len(settings.models)
    if number < 2:
        findings.error(
            "LLMD-PATTERN-TWO-MODELS",
            "models",
            value="1 model",
            rule="multi-model puts a model router in front of several models, and there is one",
            fix="use pattern: single-replica, or add a model",
        )
    if settings.gateway.implementation != "gke":
        findings.error(
            "LLMD-PATTERN-GATEWAY",
            "gateway",
            "implementation",
            value=settings.gateway.implementation,
            rule="multi-model calls its router through an extension that only Google's load balancers have",
            fix="use implementation: gke, or one stack for each model",
        )


def _check_prefix_cache(settings: StackSettings, findings: Findings) -> None:
    for index, model in enumerate(settings.models):
        if model.replicas < 2:
            findings.error(
                "LLMD-PATTERN-PREFIX-REPLICAS",
                "models",
                index,
                "replicas",
                value=model.replicas,
                rule="prefix-cache chooses the replica that holds a prompt's prefix, and there is one replica only",
                fix="use 2 or more, or pattern: single-replica",
            )
    if settings.picker.scorers.prefix_cache == 0:
        findings.error(
            "LLMD-PATTERN-PREFIX-SCORER",
            "picker",
            "scorers",
            "prefixCache",
            value=0,
            rule="prefix-cache routes by prefix matches, and a weight of 0 ignores them",
            fix="give it a weight, or use preset: balanced or prefix without scorers",
        )


def _check_disaggregated(settings: StackSettings, findings: Findings) -> None:
    """Prefill servers exactly where the pattern has them."""
    if settings.pattern == "disaggregated":
        for index, model in enumerate(settings.models):
            if model.prefill is None:
                findings.error(
                    "LLMD-PREFILL-MISSING",
                    "models",
                    index,
                    "prefill",
                    value="(missing)",
                    rule="disaggregated computes prompts on prefill servers, and none are configured",
                    fix="add prefill: {replicas: 1}, or use pattern: single-replica",
                )
            if model.replicas < 1 and not settings.paused:
                findings.error(
                    "LLMD-DECODE-MISSING",
                    "models",
                    index,
                    "replicas",
                    value=model.replicas,
                    rule="requests arrive at decode servers, and there is none to answer them",
                    fix="use 1 or more, or llm-d:paused: true",
                )
        return
    given: list[tuple[str | int, ...]] = [
        ("models", index, "prefill") for index, model in enumerate(settings.models) if model.prefill is not None
    ]
    given += [("prefillAccelerator",)] if settings.prefill_accelerator is not None else []
    given += [("disaggregation",)] if settings.disaggregation is not None else []
    for path in given:
        findings.error(
            "LLMD-PREFILL-UNUSED",
            *path,
            value="given",
            rule=f"{settings.pattern} has no prefill servers: each of its servers computes prompts and answers",
            fix="remove it, or use pattern: disaggregated",
        )
