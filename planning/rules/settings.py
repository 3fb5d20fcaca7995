"""Rules about single settings: spelling, types, ranges and choices."""

from __future__ import annotations

from planning.rules.rule import Rule

RULES = (
    Rule("LLMD-SETTING-UNKNOWN", severity="error", summary="There is no setting of this name."),
    Rule("LLMD-SETTING-MISSING", severity="error", summary="A required setting is missing."),
    Rule("LLMD-SETTING-CHOICE", severity="error", summary="The value is not one of the choices."),
    Rule("LLMD-SETTING-KIND", severity="error", summary="The group of settings does not say which kind it is."),
    Rule("LLMD-SETTING-TYPE", severity="error", summary="The value is of the wrong type."),
    Rule("LLMD-SETTING-RANGE", severity="error", summary="The value is too small, too large, too short or too long."),
    Rule("LLMD-SETTING-FORM", severity="error", summary="The text does not have the form that this setting needs."),
    Rule("LLMD-SETTING-QUOTED", severity="warning", summary="A number or a flag is in quotes."),
)
