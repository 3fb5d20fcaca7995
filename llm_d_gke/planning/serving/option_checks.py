"""Options in `extraArgs` that vLLM's parser does not take, or takes differently from how they read."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.catalog.engine_tables import facts_of, is_later
from llm_d_gke.planning.engine_support.option_values import repeated, wrong_values
from llm_d_gke.planning.engine_support.options import (
    abbreviations,
    is_of_another_version,
    replaced_objects,
    unknown_options,
)
from llm_d_gke.planning.engine_support.owned import owned_options
from llm_d_gke.planning.findings import without_secrets
from llm_d_gke.planning.served_model import ServedModel
from llm_d_gke.planning.serving.extra_args import in_settings
from llm_d_gke.planning.serving.unknown_names import warn_disagreeing
from llm_d_gke.planning.setting_errors.values import flow

_NOT_HERE = "remove it: only other versions of vLLM have it"


def check_options(served: ServedModel) -> None:
    """Findings about names and values of the options."""
    _check_names(served)
    _check_values(served)


def _check_names(served: ServedModel) -> None:
    settings = served.settings
    version = served.version
    for position, name, near in unknown_options(version, settings.extra_args):
        argument = settings.extra_args[position]
        named = without_secrets(argument, ()) if " " in argument else name
        if is_later(version) and name not in load_engine().dropped_options:
            warn_disagreeing(served, "extraArgs", position, value=named, lacking=facts_of(version))
            continue
        served.error(
            "LLMD-ENGINE-OPTION", "extraArgs", position, name=named, fix=_option_fix(served, name, argument, near)
        )
    for position, name, full in abbreviations(version, settings.extra_args):
        served.error(
            "LLMD-ENGINE-OPTION-SHORT",
            "extraArgs",
            position,
            value=without_secrets(settings.extra_args[position], ()),
            name=name,
            full=full,
            fix=_NOT_HERE if is_of_another_version(name) else in_settings(served, full) or f"write {full}",
        )


def _check_values(served: ServedModel) -> None:
    model, outline, arguments = served.model, served.outline, served.settings.extra_args
    text_alone = not model.vision_language if model is not None else outline is not None and outline.text_alone
    _refuse_values(served, arguments, text_alone=text_alone)
    if (cache := served.settings.kv_cache_dtype) is not None:
        _refuse_values(served, ("--kv-cache-dtype", cache), setting="kvCacheDtype")
    for position, name in repeated(arguments):
        served.warning(
            "LLMD-ENGINE-TWICE", "extraArgs", position, value=without_secrets(arguments[position], ()), name=name
        )
    for position, name in replaced_objects(arguments):
        served.error(
            "LLMD-ENGINE-PARTS", "extraArgs", position, value=without_secrets(arguments[position], ()), name=name
        )


def _refuse_values(
    served: ServedModel, arguments: Sequence[str], *, text_alone: bool = False, setting: str | None = None
) -> None:
    """Findings about values in `extraArgs`, or of the setting that stands for the arguments."""
    version = served.version
    judged = wrong_values(version, arguments, text_alone=text_alone)
    certain = wrong_values(version, arguments, text_alone=text_alone, closed=False) if is_later(version) else judged
    for wrong in judged:
        if wrong.option in owned_options() and setting is None:
            # Refused with any value.
            continue
        path = ("extraArgs", wrong.position) if setting is None else (setting,)
        value = without_secrets(arguments[-1 if setting else wrong.position], ())
        if wrong in certain:
            served.error("LLMD-ENGINE-VALUE", *path, value=value, reason=wrong.reason, fix=wrong.fix)
        else:
            warn_disagreeing(served, *path, value=value, lacking=facts_of(version))


def _option_fix(served: ServedModel, name: str, argument: str, near: str | None) -> str:
    if (instead := load_engine().instead_of.get(name)) is not None:
        return in_settings(served, re.split("[ =.]", instead)[0]) or f"use {instead}"
    if is_of_another_version(name):
        return _NOT_HERE
    if near is None:
        return "remove it, or see vllm serve --help of that version"
    # By its right name, an option of the planner would be refused next.
    if (instead := in_settings(served, near)) is not None:
        return instead
    if re.search(r"\s", argument.strip()) and argument.split()[0] == near:
        words = shlex.split(argument)
        wrong = wrong_values(served.version, words)
        return (
            f"write option and value as two elements: {flow(words)}"
            if not wrong
            else (f"write option and value as two elements, where {wrong[0].reason}: {wrong[0].fix}")
        )
    if argument.startswith("--disable-") and near.removeprefix("--enable-") == argument.removeprefix("--disable-"):
        return f"remove it: this version has {near} instead, and what it enables is off without it"
    return f"use {near}"
