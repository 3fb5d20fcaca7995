"""Parts of a user's picker configuration that the picker accepts and that change no decision.

Sources: pkg/epp/config/loader (defaults.go, configloader.go) of kubernetes-sigs/gateway-api-inference-extension v1.2.0,
v1.4.0 and v1.5.0, and of llm-d/llm-d-router, branch release-0.10, read 2026-11-29. All of them put the filters, scorers
and pickers that are listed into a default profile where the configuration has no profile, run a plugin only where a
profile or a section names it, and read weights of scorers only.
"""

from __future__ import annotations

from collections.abc import Iterator

from llm_d_gke.catalog.pickers import Picker
from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.picker_config.build import METRICS, PREFIX_DECIDER
from llm_d_gke.planning.picker_config.check_profiles import ROOT, Path, all_references, stages_of
from llm_d_gke.planning.picker_config.document import DataLayer, Document, DocumentV14, DocumentV15, RouterDataLayer
from llm_d_gke.planning.picker_config.parameters import read_parameters

# Kinds that profiles name.
_IN_PROFILES = frozenset({"filter", "scorer", "picker"})
# Kinds that do nothing unless a profile or a section names them.
_ON_REQUEST = _IN_PROFILES | {"saturation-detector", "fairness-policy", "ordering-policy", "usage-limit-policy"}
# Policies and the detector that a picker uses by default, under these names.
_BY_DEFAULT = frozenset(
    {
        "utilization-detector",
        "global-strict-fairness-policy",
        "fcfs-ordering-policy",
        "static-usage-limit-policy",
    }
)
# Scorers that read only the metrics of engines.
_OF_METRICS = frozenset(
    {
        "queue-scorer",
        "kv-cache-utilization-scorer",
        "running-requests-size-scorer",
        "lora-affinity-scorer",
        "load-aware-scorer",
    }
)


def check_effect(ctx: PlanContext, picker: Picker, document: Document) -> None:
    """Profiles without a scorer, plugins that nothing runs, weights that nothing reads, scorers without their data."""
    _check_scorers(ctx, picker, document)
    _check_unused(ctx, picker, document)
    _check_decider(ctx, picker, document)
    _check_weights(ctx, picker, document)
    _check_metrics(ctx, document)
    _check_detector(ctx, picker, document)
    _check_predictions(ctx, picker, document)


def _kinds(picker: Picker, document: Document) -> dict[str, frozenset[str]]:
    """Kinds of the configured plugins by name."""
    return {entry.called: frozenset(picker.plugins[entry.type].kinds) for entry in document.plugins}


def _profiles(picker: Picker, document: Document) -> Iterator[tuple[Path, str, list[tuple[str, float]]]]:
    """Path, name, and plugins with their weights of every profile that runs, the default one included."""
    kinds = _kinds(picker, document)
    if not document.scheduling_profiles:
        yield ROOT, "default", [(name, 1) for name, roles in kinds.items() if roles & _IN_PROFILES]
    for number, profile in enumerate(document.scheduling_profiles):
        entries = [
            (entry.plugin_ref, 1 if entry.weight is None else float(entry.weight))
            for entry in profile.plugins
            if entry.plugin_ref in kinds
        ]
        yield (*ROOT, "schedulingProfiles", number), profile.name, entries


def _check_scorers(ctx: PlanContext, picker: Picker, document: Document) -> None:
    kinds = _kinds(picker, document)
    types = {entry.called: entry.type for entry in document.plugins}
    # A picker that is listed and is in no profile replaces the default one.
    listed = [entry.type for entry in document.plugins if "picker" in kinds[entry.called]]
    for path, name, entries in _profiles(picker, document):
        chosen = [types[called] for called, _ in entries if "picker" in kinds[called]] or listed
        weights = [weight for called, weight in entries if "scorer" in kinds[called]]
        if any(weights) or "random-picker" in chosen:
            continue
        ctx.warning(
            "LLMD-PICKER-PROFILE-SCORERS",
            *path,
            case="default-profile" if path == ROOT else "zero" if weights else "profile",
            value="{}" if path == ROOT else f"profile {name}",
            name=name,
        )


def _check_unused(ctx: PlanContext, picker: Picker, document: Document) -> None:
    kinds = _kinds(picker, document)
    named = {name for _, name in all_references(picker, document)}
    if document.scheduling_profiles:
        profiles = [[entry.plugin_ref for entry in profile.plugins] for profile in document.scheduling_profiles]
        in_profiles = {name for entries in profiles for name in entries}
        # A reference to no plugin is refused, and it may mean any of those that are left over.
        named |= in_profiles if in_profiles <= kinds.keys() else in_profiles | kinds.keys()
        # Profiles without a picker take one that is listed.
        chosen_elsewhere = all(any("picker" in kinds.get(name, ()) for name in entries) for entries in profiles)
    else:
        named |= {name for name, roles in kinds.items() if roles & _IN_PROFILES}
        chosen_elsewhere = True
    for index, entry in enumerate(document.plugins):
        roles = kinds[entry.called]
        if (
            entry.called in named | _BY_DEFAULT
            or not roles <= _ON_REQUEST
            or ("picker" in roles and not chosen_elsewhere)
        ):
            continue
        place = "profile" if roles & _IN_PROFILES else "section of flowControl"
        if "saturation-detector" in roles:
            place = "saturationDetector"
        ctx.warning(
            "LLMD-PICKER-PLUGIN-UNUSED",
            f"picker.config.plugins[{index}]",
            case="profile" if place == "profile" else "section",
            value=entry.called,
            place=place,
            roles=" and ".join(sorted(roles)),
        )
    stages = stages_of(picker, document)
    for number, profile in enumerate(document.scheduling_profiles if stages else ()):
        if profile.name not in stages:
            ctx.warning(
                "LLMD-PICKER-PROFILE-UNUSED",
                f"picker.config.schedulingProfiles[{number}].name",
                case="handler",
                stages=", ".join(stages),
            )


def _check_decider(ctx: PlanContext, picker: Picker, document: Document) -> None:
    """A decider of prefill that never decides for it."""
    for index, entry in enumerate(document.plugins):
        if entry.type != PREFIX_DECIDER:
            continue
        try:
            parameters = read_parameters(picker.plugins[entry.type], entry.parameters)
        except ValueError:
            continue  # what is wrong with them is reported with the plugin
        if parameters.model_dump()["nonCachedTokens"] == 0:
            ctx.warning(
                "LLMD-PICKER-PROFILE-UNUSED",
                f"picker.config.plugins[{index}].parameters",
                case="decider",
                value=entry.called,
            )


def _check_weights(ctx: PlanContext, picker: Picker, document: Document) -> None:
    kinds = _kinds(picker, document)
    for number, profile in enumerate(document.scheduling_profiles):
        scorers = [entry for entry in profile.plugins if "scorer" in kinds.get(entry.plugin_ref, ())]
        # Of a profile whose scorers all have weight 0 its own warning says so.
        scores = any(entry.weight is None or entry.weight for entry in scorers)
        for index, entry in enumerate(profile.plugins):
            roles = kinds.get(entry.plugin_ref)
            if roles is None or entry.weight is None or ("scorer" in roles and (entry.weight or not scores)):
                continue
            ctx.warning(
                "LLMD-PICKER-WEIGHT-UNUSED",
                f"picker.config.schedulingProfiles[{number}].plugins[{index}].weight",
                case="zero" if "scorer" in roles else "no-scorer",
                value=f"{entry.weight:g}",
                plugin=entry.plugin_ref,
                kind=min(roles),
            )


def _check_metrics(ctx: PlanContext, document: Document) -> None:
    """A data section takes the place of the default source of metrics."""
    section, key = _replacing_section(document)
    if section is None:
        return
    types = {entry.called: entry.type for entry in document.plugins}
    if any(types.get(s.plugin_ref, s.plugin_ref) == METRICS and s.extractors for s in section.sources):
        return
    blind = sorted({entry.type for entry in document.plugins} & _OF_METRICS)
    if blind:
        ctx.warning(
            "LLMD-PICKER-METRICS-NONE",
            *ROOT,
            key,
            value="no source of metrics",
            blind=", ".join(blind),
            key=key,
            metrics=METRICS,
        )


def _replacing_section(document: Document) -> tuple[DataLayer | None, str]:
    """The section whose sources replace the default ones, with its key."""
    gates = {gate.removesuffix("=true") for gate in document.feature_gates}
    if isinstance(document, DocumentV15) and "enableLegacyMetrics" not in gates:
        return document.data_layer, "dataLayer"
    if isinstance(document, DocumentV14) and "dataLayer" in gates:
        return document.data, "data"
    section = getattr(document, "data_layer", None)
    if isinstance(section, RouterDataLayer) and not section.inject_defaults:
        return section, "dataLayer"
    return None, ""


def _check_detector(ctx: PlanContext, picker: Picker, document: Document) -> None:
    """A saturation detector that was seen not to hold requests back."""
    reference = getattr(document, "saturation_detector", None)
    name = getattr(reference, "plugin_ref", None)
    for entry in document.plugins:
        seen = picker.plugins[entry.type].as_detector
        if entry.called == name and seen is not None:
            ctx.warning(
                "LLMD-PICKER-DETECTOR-LATE",
                "picker.config.saturationDetector.pluginRef",
                value=name,
                seen=seen.seen,
                source=seen.source,
                fix=seen.fix,
            )


def _check_predictions(ctx: PlanContext, picker: Picker, document: Document) -> None:
    """Plugins that work with predictions of latency: no stack has the servers that make them."""
    predicting = [index for index, entry in enumerate(document.plugins) if picker.plugins[entry.type].predictions]
    if predicting:
        types = [document.plugins[index].type for index in predicting]
        path = f"picker.config.plugins[{predicting[0]}].type"
        ctx.warning("LLMD-PICKER-PREDICTOR-MISSING", path, value=types[0], plugins=", ".join(types))
