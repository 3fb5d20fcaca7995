"""Checks a user's picker configuration for parts that the picker would refuse or ignore."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from llm_d_gke.catalog.pickers import Picker, Plugin
from llm_d_gke.planning.alternatives import releases_with_picker
from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.picker_config.check_effect import check_effect
from llm_d_gke.planning.picker_config.check_profiles import check_gates, check_profiles, check_references
from llm_d_gke.planning.picker_config.document import DOCUMENTS, Document, PluginEntry
from llm_d_gke.planning.picker_config.parameters import parameters_of, read_parameters
from llm_d_gke.planning.setting_errors.values import problem

ROOT = ("picker", "config")
# Pickers of llm-d read it; what read another one came before them.
_NEWEST_API = "llm-d.ai/v1alpha1"
# Pydantic's names of problems with values that have the right type.
_RANGES = frozenset(
    {
        "greater_than",
        "greater_than_equal",
        "less_than",
        "less_than_equal",
        "literal_error",
        "string_pattern_mismatch",
        "string_too_short",
    }
)


def written_config(ctx: PlanContext) -> Mapping[str, Any] | None:
    """The user's configuration with apiVersion and kind added, or None."""
    written = ctx.settings.picker.config
    if written is None:
        return None
    return {"apiVersion": ctx.release.picker.config_api, "kind": "EndpointPickerConfig", **written}


def queues_requests(ctx: PlanContext) -> bool:
    """Whether the picker is to hold requests that no replica can take."""
    config = ctx.settings.picker.config
    if config is None:
        return ctx.settings.picker.flow_control
    gates = config.get("featureGates")
    return isinstance(gates, list) and any(gate in ("flowControl", "flowControl=true") for gate in gates)


def parsed_config(ctx: PlanContext) -> Document | None:
    """The user's own configuration as the picker decodes it. None where there is none, or where that fails."""
    written = written_config(ctx)
    if written is None:
        return None
    try:
        return _document_type(ctx).model_validate_json(json.dumps(written))
    except ValidationError:
        return None


def check_config(ctx: PlanContext) -> None:
    """Check the structure of the document, plugins with their parameters, and references between plugins."""
    written = written_config(ctx)
    if written is None:
        return
    _check_beside(ctx)
    document = _check_document(ctx, written)
    if document is None:
        return
    picker = ctx.picker
    plugins = [_check_plugin(ctx, picker, index, entry) for index, entry in enumerate(document.plugins)]
    _check_names(ctx, document)
    if all(plugins):
        _check_conflicts(ctx, document)
        _check_lacking(ctx, document)
        check_gates(ctx, picker, document)
        check_profiles(ctx, picker, document)
        check_references(ctx, picker, document)
        check_effect(ctx, picker, document)


def _document_type(ctx: PlanContext) -> type[Document]:
    return DOCUMENTS[ctx.picker.document]


def _check_beside(ctx: PlanContext) -> None:
    """Settings that conflict with a user's configuration, because they would change the generated one."""
    settings_keys = {"preset": "preset", "scorers": "scorers", "prefix_routing": "prefixRouting"}
    settings_keys |= {"flow_control": "flowControl", "max_concurrency": "maxConcurrency"}
    fields = ctx.settings.picker.model_fields_set
    # A preset fills the weights in.
    for field in [name for name in settings_keys if name in fields and not (name == "scorers" and "preset" in fields)]:
        ctx.error(
            "LLMD-PICKER-CONFIG-ALONE",
            "picker",
            settings_keys[field],
            value=getattr(ctx.settings.picker, field) if field not in ("scorers", "flow_control") else "given",
            root=".".join(ROOT),
        )


def _check_document(ctx: PlanContext, written: Mapping[str, Any]) -> Document | None:
    api = ctx.release.picker.config_api
    if written["apiVersion"] != api:
        ctx.error("LLMD-PICKER-API-VERSION", "picker.config.apiVersion", value=written["apiVersion"], api=api)
    try:
        return _document_type(ctx).model_validate_json(json.dumps(written))
    except ValidationError as error:
        for detail in _without_branches(error):
            ctx.error(
                "LLMD-PICKER-CONFIG-SCHEMA",
                *ROOT,
                *detail["loc"],
                value=_value(detail),
                problem=_problem(detail, "the configuration"),
                consequence=_consequence(ctx, detail),
                fix=_fix(detail, _document_type(ctx)),
            )
        return None


def _other_plugin(ctx: PlanContext, picker: Picker, name: str) -> str:
    """A release that has this plugin; in place of earlier ones, what this picker calls it now."""
    names = releases_with_picker(ctx.catalog, lambda other: other.has(name))
    apis = {ctx.catalog.releases[release].picker.config_api for release in names}
    is_own_api = ctx.release.picker.config_api in apis
    are_earlier = ctx.release.picker.config_api == _NEWEST_API and not is_own_api
    close = difflib.get_close_matches(name, picker.plugins, n=3, cutoff=0.7 if names else 0.6)
    if not names or (are_earlier and close):
        return f"use one of {', '.join(close or picker.plugins)}"
    fix = f"use release {' or '.join(names)}"
    if "apiVersion" in (ctx.settings.picker.config or {}) and not is_own_api:
        fix += f", with apiVersion {' or '.join(sorted(apis))}"
    return fix


def _check_plugin(ctx: PlanContext, picker: Picker, index: int, entry: PluginEntry) -> bool:
    """One plugin, without the others. False where the picker does not know it."""
    plugin = picker.plugins.get(entry.type)
    if plugin is None:
        fix = _other_plugin(ctx, picker, entry.type)
        ctx.error("LLMD-PICKER-PLUGIN-UNKNOWN", f"picker.config.plugins[{index}].type", fix=fix)
        return False
    if plugin.stability == "alpha" and not ctx.settings.picker.allow_experimental_plugins:
        ctx.error(
            "LLMD-PICKER-PLUGIN-EXPERIMENTAL",
            f"picker.config.plugins[{index}].type",
            experimental_flag=picker.experimental_flag,
        )
    if plugin.deprecated is not None:
        ctx.warning(
            "LLMD-PICKER-PLUGIN-DEPRECATED",
            f"picker.config.plugins[{index}].type",
            removed_in=plugin.deprecated.removed_in,
            use=plugin.deprecated.use,
        )
    _check_parameters(ctx, picker, plugin, index, entry.parameters or {})
    return True


def _check_parameters(
    ctx: PlanContext, picker: Picker, plugin: Plugin, index: int, parameters: Mapping[str, Any]
) -> None:
    shape = parameters_of(plugin)
    try:
        read_parameters(plugin, parameters)
        _check_unused(ctx, plugin, index, parameters)
    except ValidationError as error:
        for detail in _without_branches(error):
            if is_unchecked(picker, plugin, detail):
                ctx.warning(
                    "LLMD-PICKER-PARAMETER-RANGE",
                    f"picker.config.plugins[{index}].parameters",
                    *detail["loc"],
                    value=_value(detail),
                    problem=_problem(detail, plugin.type),
                    fix=_fix(detail, shape),
                )
                continue
            unknown = detail["type"] == "extra_forbidden"
            # Parameters of a plugin without parameters are never decoded.
            ignored = unknown and (picker.unknown_parameters == "ignored" or not shape.model_fields)
            then = "ignores it silently" if ignored else "does not start with it"
            ctx.error(
                "LLMD-PICKER-PLUGIN-PARAMETERS",
                f"picker.config.plugins[{index}].parameters",
                *detail["loc"],
                value=_value(detail),
                problem=_problem(detail, plugin.type),
                then=then,
                fix=_fix(detail, shape),
            )


def is_unchecked(picker: Picker, plugin: Plugin, detail: ErrorDetails) -> bool:
    """Whether a value has the right type and the picker was seen not to check its range."""
    path = ".".join(str(part) for part in detail["loc"])
    # One of several texts was expected, and this is none.
    if detail["type"] == "literal_error" and not isinstance(detail["input"], str):
        return False
    return detail["type"] in _RANGES and path in picker.unchecked.get(plugin.type, ())


def _check_unused(ctx: PlanContext, plugin: Plugin, index: int, parameters: Mapping[str, Any]) -> None:
    """Parameters that change nothing, although the picker accepts them."""
    tuned = plugin.tuned if parameters.get("autoTune", True) else ()
    for name in (name for name in parameters if name in (*plugin.unused, *tuned)):
        ctx.warning(
            "LLMD-PICKER-PARAMETER-UNUSED",
            f"picker.config.plugins[{index}].parameters",
            name,
            case="tuned" if name in tuned else "unused",
            value=parameters[name],
            name=name,
        )


def _check_conflicts(ctx: PlanContext, document: Document) -> None:
    kinds = {entry.type for entry in document.plugins}
    for index, entry in enumerate(document.plugins):
        for other in kinds & set(ctx.picker.plugins[entry.type].conflicts):
            ctx.error("LLMD-PICKER-PLUGINS-CONFLICT", f"picker.config.plugins[{index}].type", other=other)


def _check_lacking(ctx: PlanContext, document: Document) -> None:
    """Plugins without which the picker was observed to exit."""
    kinds = {entry.type for entry in document.plugins}
    for index, entry in enumerate(document.plugins):
        needs = ctx.picker.plugins[entry.type].needs
        if needs is not None and needs.plugin not in kinds and needs.unless not in (entry.parameters or {}):
            ctx.error(
                "LLMD-PICKER-PLUGIN-REFERENCE",
                f"picker.config.plugins[{index}].parameters",
                needs.unless,
                case="needed",
                value=f"{needs.plugin} (default)",
                user=entry.type,
                plugin=needs.plugin,
                parameter=needs.unless,
            )
        lacking = ctx.picker.plugins[entry.type].lacking
        if lacking is not None and lacking.plugin not in kinds:
            ctx.warning(
                "LLMD-PICKER-PLUGIN-ALONE",
                f"picker.config.plugins[{index}].type",
                plugin=lacking.plugin,
                seen=lacking.seen,
                source=lacking.source,
            )


def _check_names(ctx: PlanContext, document: Document) -> None:
    names: set[str] = set()
    for index, entry in enumerate(document.plugins):
        if entry.called in names:
            ctx.error(
                "LLMD-PICKER-PLUGIN-NAME",
                f"picker.config.plugins[{index}]",
                "name" if entry.name else "type",
                value=entry.called,
            )
        names.add(entry.called)


def _consequence(ctx: PlanContext, detail: ErrorDetails) -> str:
    """The consequence of an invalid part of the document."""
    if detail["loc"][-1] == "weight" and detail["type"] == "greater_than_equal":
        return f"{ctx.picker.title} starts with it, and then prefers the replicas that score worst"
    return f"{ctx.picker.title} refuses unknown and wrong fields and does not start"


def _problem(detail: ErrorDetails, owner: str) -> str:
    match detail["type"]:
        case "extra_forbidden":
            return f"{owner} has no such field"
        case "missing":
            return f"{owner} needs this field"
        case "value_error":
            return str(detail.get("ctx", {}).get("error", detail["msg"]))
        case _:
            return problem(detail["type"], detail.get("ctx", {}))


# Types of which a value may be one, as pydantic adds them to the path of an error.
_BRANCHES = ("int", "float", "str", "bool")


def _without_branches(error: ValidationError) -> list[ErrorDetails]:
    """The errors by their paths in the document. Where a value may be of several types, only the last one is kept."""
    by_path: dict[tuple[int | str, ...], ErrorDetails] = {}
    for detail in error.errors():
        path = detail["loc"][:-1] if detail["loc"] and detail["loc"][-1] in _BRANCHES else detail["loc"]
        by_path[path] = {**detail, "loc": path}
    return list(by_path.values())


# Values that would pass, by the beginning of pydantic's types of errors.
_SAMPLES = {
    "int": "2",
    "float": "2",
    "bool": "true",
    "tuple": "[...]",
    "list": "[...]",
    "dict": "{...}",
    "model": "{...}",
}


def _fix(detail: ErrorDetails, shape: type[Any]) -> str:
    if detail["type"] == "missing":
        return "add it"
    if (choices := detail.get("ctx", {}).get("expected")) is not None:
        return f"use {choices}"
    if detail["type"] != "extra_forbidden":
        sample = _SAMPLES.get(detail["type"].partition("_")[0])
        return f"give a value such as {sample}" if sample else "give a value of that kind"
    if len(detail["loc"]) > 1:
        return "check the spelling, or remove it"
    fields = [field.alias or name for name, field in shape.model_fields.items()]
    return f"use one of {', '.join(fields)}" if fields else "remove it"


def _value(detail: ErrorDetails) -> str:
    if detail["type"] == "missing":
        return "(missing)"
    text = detail["input"] if isinstance(detail["input"], str) else json.dumps(detail["input"])
    return text if len(text) <= 80 else text[:77] + "..."
