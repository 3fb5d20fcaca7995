"""Rules about credentials."""

from __future__ import annotations

from planning.rules.rule import Rule

RULES = (
    Rule(
        "LLMD-SECRET-PLAIN",
        severity="error",
        summary="A secret stands in the stack file in plain text.",
    ),
    Rule(
        "LLMD-TOKEN-FORM",
        severity="error",
        summary="The value is not a Hugging Face token.",
    ),
    Rule(
        "LLMD-REGISTRY-RED-HAT",
        severity="error",
        summary="The image needs an account of the registry.",
    ),
    Rule(
        "LLMD-REGISTRY-ISTIO",
        severity="error",
        summary="Istio's images need an account of the registry.",
    ),
    Rule(
        "LLMD-REGISTRY-ISTIO-SECRET",
        severity="error",
        summary="The pull secret does not exist in Istio's namespace.",
    ),
    Rule("LLMD-TOKEN-ONE-WAY", severity="error", summary="The Hugging Face token is given in several ways."),
    Rule("LLMD-REGISTRY-ONE-WAY", severity="error", summary="The pull secret is given in two ways."),
    Rule("LLMD-REGISTRY-PARTS", severity="error", summary="A part of the pull secret is missing."),
)
