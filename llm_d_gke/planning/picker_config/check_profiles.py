"""Profiles, their handler, feature gates, and every name by which one plugin calls another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from llm_d_gke.catalog.pickers import Picker
from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.picker_config.document import Document, PluginEntry, Profile, WholeProfile
from llm_d_gke.planning.picker_config.parameters import is_reference, read_parameters

Path = tuple[str | int, ...]
ROOT: Path = ("picker", "config")

# Plugins that a picker creates by default, so that a profile may refer to them without a definition.
_BUILT_IN = frozenset(
    {
        "max-score-picker",
        "single-profile-handler",
        "openai-parser",
        "utilization-detector",
        "metrics-data-source",
        "core-metrics-extractor",
        "global-strict-fairness-policy",
        "fcfs-ordering-policy",
        "static-usage-limit-policy",
        "approx-prefix-cache-producer",
        "inflight-load-producer",
        "predicted-latency-producer",
        "token-producer",
        "session-id-producer",
        "mm-embeddings-cache-producer",
    }
)

# Pickers of this form stop at the first picker of a profile while they fill in weights
# (pkg/epp/config/loader/defaults.go of gateway-api-inference-extension v1.2.0; fixed in v1.3.0).
_WEIGHTS_IN_ORDER = "v1.2"
# Kinds that a profile runs.
_SCHEDULING = frozenset({"filter", "scorer", "picker"})


def check_gates(ctx: PlanContext, picker: Picker, document: Document) -> None:
    """Feature gates by name; v0.10 also takes `name=false`."""
    for index, gate in enumerate(document.feature_gates):
        name, _, value = gate.partition("=")
        if name not in picker.feature_gates or (value and picker.document != "v0.10"):
            ctx.error(
                "LLMD-PICKER-FEATURE-GATE",
                f"picker.config.featureGates[{index}]",
                case="unknown",
                value=gate,
                gates=", ".join(picker.feature_gates),
            )
        if picker.document == "v1.4" and gate == "dataLayer" and getattr(document, "data", None) is None:
            ctx.error("LLMD-PICKER-FEATURE-GATE", f"picker.config.featureGates[{index}]", case="data-layer", value=gate)
    on = any(gate in ("flowControl", "flowControl=true") for gate in document.feature_gates)
    _check_moved(ctx, picker, document)
    section = getattr(document, "flow_control", None)
    # The saturation detector counts without the gate, too (pkg/epp/config/loader/configloader.go of llm-d-router).
    if section is not None and not on and section.model_fields_set != {"saturation_detector"}:
        ctx.warning("LLMD-PICKER-FLOW-CONTROL-GATE", "picker.config.flowControl", value="given")


def _check_moved(ctx: PlanContext, picker: Picker, document: Document) -> None:
    """Fields that llm-d's router took at the top level until v0.10."""
    if picker.document != "v0.10":
        return
    for field, name, place in (
        ("saturation_detector", "saturationDetector", "flowControl.saturationDetector"),
        ("parser", "parser", "requestHandler.parsers"),
    ):
        if getattr(document, field, None) is not None:
            ctx.warning("LLMD-PICKER-FIELD-MOVED", *ROOT, name, value="given", place=place)


def check_profiles(ctx: PlanContext, picker: Picker, document: Document) -> None:
    """Check the plugins of each profile, and the profile handler."""
    kinds = {entry.called: frozenset(picker.plugins[entry.type].kinds) for entry in document.plugins}
    names: set[str] = set()
    for number, profile in enumerate(document.scheduling_profiles):
        path: Path = (*ROOT, "schedulingProfiles", number)
        if profile.name in names:
            ctx.error("LLMD-PICKER-PROFILE-NAME", *path, "name")
        names.add(profile.name)
        _check_profile(ctx, picker, profile, kinds, path)
    if not document.scheduling_profiles:
        _check_only_profile(ctx, picker, document)
    _check_handler(ctx, picker, document)


def _check_profile(
    ctx: PlanContext, picker: Picker, profile: Profile | WholeProfile, kinds: Mapping[str, frozenset[str]], path: Path
) -> None:
    """Check the plugins of one profile, whose place is `path`. `kinds` are those of the document's plugins, by name."""
    pickers: list[Path] = []
    for index, entry in enumerate(profile.plugins):
        entry_path: Path = (*path, "plugins", index, "pluginRef")
        if entry.plugin_ref not in kinds:
            ctx.error(
                "LLMD-PICKER-PROFILE-PLUGIN",
                *entry_path,
                value=entry.plugin_ref,
                plugins=", ".join(kinds) or "(there is none)",
            )
            continue
        roles = kinds[entry.plugin_ref]
        if not roles & _SCHEDULING:
            ctx.warning("LLMD-PICKER-PROFILE-KIND", *entry_path, value=entry.plugin_ref, kind=min(roles))
        if "scorer" in roles and pickers and entry.weight is None and picker.document == _WEIGHTS_IN_ORDER:
            ctx.error("LLMD-PICKER-SCORER-WEIGHT", *path, "plugins", index, "weight")
        if "picker" in roles:
            pickers.append(entry_path)
    for entry_path in pickers[1:]:
        ctx.error(
            "LLMD-PICKER-PROFILE-PICKERS", *entry_path, case="profile", value="a second picker", profile="a profile"
        )


def _check_only_profile(ctx: PlanContext, picker: Picker, document: Document) -> None:
    """Without profiles a picker runs one, of all filters, scorers and pickers (pkg/epp/config/loader/defaults.go)."""
    pickers = [index for index, entry in enumerate(document.plugins) if "picker" in picker.plugins[entry.type].kinds]
    for index in pickers[1:]:
        ctx.error(
            "LLMD-PICKER-PROFILE-PICKERS",
            f"picker.config.plugins[{index}].type",
            case="default-profile",
            profile="without schedulingProfiles all plugins make up one profile, which",
        )


def _check_handler(ctx: PlanContext, picker: Picker, document: Document) -> None:
    handlers = [
        (index, entry)
        for index, entry in enumerate(document.plugins)
        if "profile-handler" in picker.plugins[entry.type].kinds
    ]
    number = len(document.scheduling_profiles)
    for index, _ in handlers[1:]:
        ctx.error("LLMD-PICKER-PROFILE-HANDLERS", f"picker.config.plugins[{index}].type", handler=handlers[0][1].type)
    single = bool(handlers) and handlers[0][1].type == "single-profile-handler"
    if number > 1 and (single or not handlers):
        stable = [
            p.type
            for p in picker.plugins.values()
            if "profile-handler" in p.kinds and p.stability != "alpha" and p.deprecated is None
        ]
        multi_profile = [kind for kind in stable if kind != "single-profile-handler"]
        ctx.error(
            "LLMD-PICKER-PROFILES",
            "picker.config.schedulingProfiles",
            value=f"{number} profiles",
            rule="single-profile-handler runs one profile"
            if single
            else "without a profile handler for several profiles the picker cannot choose between them",
            fix=f"keep one profile, or use {' or '.join(multi_profile)}" if multi_profile else "keep one profile",
        )
    elif handlers and not single:
        _check_stages(ctx, document, *handlers[0])


def stages_of(picker: Picker, document: Document) -> list[str]:
    """Names of the profiles that the configured handler runs. Empty where it runs all, or its parameters are wrong."""
    for entry in document.plugins:
        if "profile-handler" in picker.plugins[entry.type].kinds:
            try:
                return _stages(read_parameters(picker.plugins[entry.type], entry.parameters))
            except ValueError:
                return []  # what is wrong with them is reported with the plugin
    return []


def _check_stages(ctx: PlanContext, document: Document, index: int, handler: PluginEntry) -> None:
    """Profiles that a handler runs by name."""
    names = {profile.name for profile in document.scheduling_profiles}
    for field in stages_of(ctx.picker, document):
        if field not in names:
            ctx.error(
                "LLMD-PICKER-PROFILE-MISSING",
                f"picker.config.plugins[{index}].parameters",
                value=field,
                handler=handler.type,
                names=", ".join(sorted(names)) or "(there is none)",
            )


def _stages(parameters: BaseModel) -> list[str]:
    """Names of profiles in a handler's parameters; a stage without a decider does not run."""
    values = parameters.model_dump()
    if "profiles" in values:
        deciders = values["deciders"]
        extra = [values["profiles"][stage] for stage in ("prefill", "encode") if deciders[stage]]
        return [values["profiles"]["decode"], *extra]
    return [values[key] for key in ("decodeProfile", "prefillProfile") if key in values]


def check_references(ctx: PlanContext, picker: Picker, document: Document) -> None:
    """Every name by which parameters and sections call a plugin, against those that there are."""
    names = {entry.called for entry in document.plugins} | {kind for kind in _BUILT_IN if picker.has(kind)}
    for path, name in all_references(picker, document):
        if name not in names:
            ctx.error("LLMD-PICKER-PLUGIN-REFERENCE", *path, case="named", value=name, names=", ".join(sorted(names)))


def all_references(picker: Picker, document: Document) -> list[tuple[Path, str]]:
    """Paths and names of all plugins that parameters and sections call. Profiles are not among them."""
    references: list[tuple[Path, str]] = []
    for index, entry in enumerate(document.plugins):
        try:
            parameters = read_parameters(picker.plugins[entry.type], entry.parameters)
        except ValueError:
            continue
        references += [((*ROOT, "plugins", index, "parameters", *at), name) for at, name in _references(parameters)]
    for field in type(document).model_fields:
        if field not in ("plugins", "scheduling_profiles"):
            section = getattr(document, field)
            at_section = type(document).model_fields[field].alias or field
            references += [((*ROOT, at_section, *at), name) for at, name in _references(section)]
    return references


def _references(value: Any) -> Iterator[tuple[Path, str]]:
    """Paths and names of all references that were given, not those that are defaults."""
    if isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from (((index, *path), name) for path, name in _references(item))
    elif isinstance(value, BaseModel):
        for field in value.model_fields_set:
            info, inner = type(value).model_fields[field], getattr(value, field)
            key = info.alias or field
            if isinstance(inner, str) and is_reference(info):
                yield (key,), inner
            else:
                yield from (((key, *path), name) for path, name in _references(inner))
