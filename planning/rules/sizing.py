"""Rules about memory, load and prices."""

from __future__ import annotations

from planning.rules.rule import Rule

RULES = (
    Rule(
        "LLMD-LOAD-OBJECTIVE",
        severity="warning",
        summary="One request alone is slower than the objective.",
        why="More replicas do not make a single request faster.",
        fix="Use a faster accelerator, or another objective.",
    ),
    Rule(
        "LLMD-LOAD-LENGTH",
        severity="error",
        summary="The expected requests are longer than maxModelLen.",
        why="vLLM refuses a request that is longer than its context.",
        fix="State shorter requests, or raise maxModelLen.",
    ),
    Rule(
        "LLMD-LOAD-REPLICAS",
        severity="warning",
        summary="The stated load takes more replicas.",
        why="The estimate of speed says that the replicas do not serve the load.",
        fix="Use more replicas, a faster accelerator, or state a smaller load.",
    ),
    Rule(
        "LLMD-MEMORY-REPORTED",
        severity="warning",
        summary="A published report shows this model failing with this share of memory.",
        why="Somebody published a start with this model and share of memory that failed.",
        fix="Use the share named.",
        source="catalog/engine.yaml",
    ),
    Rule(
        "LLMD-MEMORY",
        severity="either",
        summary="The model does not fit the accelerator's memory, or barely.",
        why="vLLM ends at start when weights, activations and one request do not fit.",
        fix="Use a value that the message proposes.",
        source="docs/measurements.md",
    ),
    Rule(
        "LLMD-MEMORY-UNKNOWN",
        severity="warning",
        summary="Nobody published how much memory vLLM sees on this accelerator.",
        why="No published log shows how much memory vLLM sees on this accelerator.",
        fix="Watch the first start.",
    ),
    Rule(
        "LLMD-PRICE-NAME",
        severity="error",
        summary="A price is given for something the catalog does not know.",
        why="A price of something that the stack does not buy is never used.",
        fix="Take the name from the catalog.",
    ),
    Rule(
        "LLMD-PRICE-EMPTY",
        severity="error",
        summary="An entry of prices has no price.",
        why="An entry without a price changes nothing.",
        fix="Add a price, or remove the entry.",
    ),
    Rule(
        "LLMD-LOAD-ONE-MEASURE",
        severity="error",
        summary="The load is given as concurrency and as a rate.",
        why="Both state the same load.",
        fix="Keep one.",
    ),
    Rule(
        "LLMD-BUDGET",
        severity="error",
        summary="The stack may cost more than its budget.",
        why="The autoscaler may grow every pool to its largest size.",
        fix="Lower `nodes.max`, or raise the budget.",
    ),
    Rule(
        "LLMD-BUDGET-UNKNOWN",
        severity="warning",
        summary="A price is unknown, so the budget is not checked.",
        why="Without the price the ceiling cannot be checked.",
        fix="Give the price under `prices`.",
    ),
)
