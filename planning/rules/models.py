"""Rules about models, their weights and their engine."""

from __future__ import annotations

from planning.rules.rule import Rule

RULES = (
    Rule(
        "LLMD-IMAGE-COMMAND",
        severity="error",
        summary="The engine image does not start with the release's command.",
    ),
    Rule(
        "LLMD-CONFIG-WEIGHTS",
        severity="warning",
        summary="The files' size and the computed size of the weights differ.",
    ),
    Rule(
        "LLMD-CONFIG-UNREADABLE",
        severity="error",
        summary="The model's config.json cannot be read.",
    ),
    Rule(
        "LLMD-CONFIG-ARCHITECTURE",
        severity="warning",
        summary="The memory of the model's architecture cannot be computed.",
    ),
    Rule(
        "LLMD-IMAGE-WEIGHTS",
        severity="error",
        summary="The engine image holds no weights.",
    ),
    Rule(
        "LLMD-IMAGE-VOLUME",
        severity="error",
        summary="The GKE version cannot mount images as volumes.",
    ),
    Rule(
        "LLMD-ADAPTER-SOURCE",
        severity="error",
        summary="Adapters come from the Hub, and the model's weights do not.",
    ),
    Rule(
        "LLMD-ADAPTER-BASE",
        severity="error",
        summary="The adapter is its base model's own repository.",
    ),
    Rule(
        "LLMD-MODEL-UNKNOWN",
        severity="warning",
        summary="The catalog does not know the model.",
    ),
    Rule(
        "LLMD-ENGINE-TLS-ARGS",
        severity="error",
        summary="An engine argument turns on HTTPS behind the planner's back.",
    ),
    Rule(
        "LLMD-DTYPE-BFLOAT16",
        severity="error",
        summary="The accelerator has no bfloat16.",
    ),
    Rule(
        "LLMD-KV-CACHE-FP8",
        severity="error",
        summary="The accelerator has no fp8 units for the KV cache.",
    ),
    Rule(
        "LLMD-CONTEXT-LENGTH",
        severity="error",
        summary="maxModelLen is longer than the model was trained for.",
    ),
    Rule(
        "LLMD-GATED-TOKEN",
        severity="error",
        summary="The model is gated, and no token is given.",
    ),
    Rule(
        "LLMD-QUANTIZATION-MXFP4",
        severity="error",
        summary="The accelerator cannot run MXFP4 weights.",
    ),
    Rule(
        "LLMD-QUANTIZATION-FP8",
        severity="warning",
        summary="The accelerator computes fp8 weights in 16 bits.",
    ),
    Rule("LLMD-IMAGE-FORM", severity="error", summary="The text is not the name of a container image."),
    Rule("LLMD-IMAGE-TAG", severity="error", summary="The image has neither tag nor digest."),
    Rule("LLMD-IMAGE-MOVES", severity="warning", summary="The image's tag moves from build to build."),
    Rule("LLMD-EXTRA-ARGS-ALLOWED", severity="error", summary="extraArgs are given without allowExtraArgs."),
    Rule("LLMD-EXTRA-ARGS-PLANNED", severity="error", summary="An argument in extraArgs is the planner's own."),
    Rule("LLMD-MODEL-ORGANIZATION", severity="error", summary="The model id has no organization."),
    Rule("LLMD-MODEL-CASE", severity="warning", summary="The model id differs from the Hub's in upper and lower case."),
    Rule("LLMD-ENV-ALLOWED", severity="error", summary="Variables of the engine are given without allowExtraArgs."),
)
