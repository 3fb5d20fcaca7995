"""Rules about memory, load and prices."""

from __future__ import annotations

from planning.rules.rule import Rule

RULES = (
    Rule(
        "LLMD-LOAD-OBJECTIVE",
        severity="warning",
        summary="One request alone is slower than the objective.",
    ),
    Rule(
        "LLMD-LOAD-LENGTH",
        severity="error",
        summary="The expected requests are longer than maxModelLen.",
    ),
    Rule(
        "LLMD-LOAD-REPLICAS",
        severity="warning",
        summary="The stated load takes more replicas.",
    ),
    Rule(
        "LLMD-MEMORY-REPORTED",
        severity="warning",
        summary="A published report shows this model failing with this share of memory.",
    ),
    Rule(
        "LLMD-MEMORY",
        severity="either",
        summary="The model does not fit the accelerator's memory, or barely.",
    ),
    Rule(
        "LLMD-MEMORY-UNKNOWN",
        severity="warning",
        summary="Nobody published how much memory vLLM sees on this accelerator.",
    ),
    Rule(
        "LLMD-PRICE-NAME",
        severity="error",
        summary="A price is given for something the catalog does not know.",
    ),
    Rule("LLMD-PRICE-EMPTY", severity="error", summary="An entry of prices has no price."),
    Rule("LLMD-LOAD-ONE-MEASURE", severity="error", summary="The load is given as concurrency and as a rate."),
    Rule("LLMD-BUDGET", severity="error", summary="The stack may cost more than its budget."),
    Rule("LLMD-BUDGET-UNKNOWN", severity="warning", summary="A price is unknown, so the budget is not checked."),
)
