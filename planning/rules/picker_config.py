"""Rules about an EndpointPickerConfig in the stack file."""

from __future__ import annotations

from planning.rules.rule import Rule

RULES = (
    Rule(
        "LLMD-PICKER-CONFIG-ALONE",
        severity="error",
        summary="A setting of the picker has no effect beside picker.config.",
    ),
    Rule(
        "LLMD-PICKER-API-VERSION",
        severity="error",
        summary="The picker does not read this apiVersion.",
    ),
    Rule(
        "LLMD-PICKER-PLUGIN-UNKNOWN",
        severity="error",
        summary="The release's picker has no such plugin.",
    ),
    Rule(
        "LLMD-PICKER-PLUGIN-EXPERIMENTAL",
        severity="error",
        summary="The plugin is an experiment that has to be allowed.",
    ),
    Rule(
        "LLMD-PICKER-PLUGIN-DEPRECATED",
        severity="warning",
        summary="The plugin is deprecated.",
    ),
    Rule(
        "LLMD-PICKER-PLUGINS-CONFLICT",
        severity="error",
        summary="Two plugins exclude each other.",
    ),
    Rule(
        "LLMD-PICKER-PLUGIN-NAME",
        severity="error",
        summary="Two plugins have one name.",
    ),
    Rule(
        "LLMD-PICKER-CONFIG-SCHEMA",
        severity="error",
        summary="The configuration has a field or a value that the picker refuses.",
    ),
    Rule(
        "LLMD-PICKER-PLUGIN-PARAMETERS",
        severity="error",
        summary="A plugin's parameters have a field or a value that the picker refuses or ignores.",
    ),
    Rule(
        "LLMD-PICKER-METRICS-HTTPS",
        severity="error",
        summary="The picker asks engines for metrics in HTTP, and they answer HTTPS.",
    ),
    Rule(
        "LLMD-PICKER-METRICS-SCHEME",
        severity="error",
        summary="The picker asks engines for metrics in another scheme than they answer.",
    ),
    Rule(
        "LLMD-PICKER-BLOCK-SIZE",
        severity="error",
        summary="The picker's block size does not divide evenly into the engine's.",
    ),
    Rule(
        "LLMD-PICKER-FLOW-CONTROL-GATE",
        severity="warning",
        summary="Flow control is configured without its feature gate.",
    ),
    Rule(
        "LLMD-PICKER-PROFILE-HANDLERS",
        severity="error",
        summary="Two plugins handle scheduling profiles.",
    ),
    Rule(
        "LLMD-PICKER-PROFILES",
        severity="error",
        summary="The scheduling profiles do not fit their handler.",
    ),
    Rule(
        "LLMD-PICKER-FEATURE-GATE",
        severity="error",
        summary="The picker has no such feature gate.",
    ),
    Rule(
        "LLMD-PICKER-PROFILE-NAME",
        severity="error",
        summary="Two scheduling profiles have one name.",
    ),
    Rule(
        "LLMD-PICKER-PROFILE-PICKERS",
        severity="error",
        summary="A scheduling profile has two plugins that pick.",
    ),
    Rule(
        "LLMD-PICKER-PROFILE-MISSING",
        severity="error",
        summary="A plugin runs a scheduling profile that does not exist.",
    ),
    Rule(
        "LLMD-PICKER-PLUGIN-REFERENCE",
        severity="error",
        summary="A reference names a plugin that does not exist.",
    ),
    Rule(
        "LLMD-PICKER-PROFILE-PLUGIN",
        severity="error",
        summary="A scheduling profile calls a plugin that does not exist.",
    ),
    Rule(
        "LLMD-PICKER-PROFILE-KIND",
        severity="error",
        summary="A scheduling profile calls a plugin that does nothing there.",
    ),
    Rule(
        "LLMD-KV-EVENTS-SOURCE",
        severity="error",
        summary="The precise index learns of no replicas.",
    ),
    Rule(
        "LLMD-KV-EVENTS-PORT",
        severity="error",
        summary="The precise index listens where no engine publishes.",
    ),
    Rule("LLMD-PICKER-PARAMETER-UNUSED", severity="warning", summary="A plugin's parameter has no effect."),
)
