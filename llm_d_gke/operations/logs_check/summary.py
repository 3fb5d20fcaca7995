"""Judgments by group: how far the figures are off, and how many calls were wrong."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from llm_d_gke.cli import markdown
from llm_d_gke.operations.logs_check.judgment import Judgment

ALL = "all"
# Counts of a group, with their titles in the table.
_COUNTS = {
    "rows": "rows",
    "notKnown": "not known",
    "fits": "fits",
    "marginal": "marginal",
    "refused": "refused",
    "wrongFits": "wrong fits",
    "wrongRefused": "wrong refused",
}


def summarize(judgments: Sequence[Judgment]) -> dict[str, dict[str, Any]]:
    """A summary of each group and of all. Errors are absolute relative ones; None where no row states the figure."""
    groups = sorted({judgment.group for judgment in judgments})
    by_group = {group: _group([judgment for judgment in judgments if judgment.group == group]) for group in groups}
    return {**by_group, ALL: _group(judgments)}


def _group(judgments: Sequence[Judgment]) -> dict[str, Any]:
    judged = [judgment for judgment in judgments if judgment.call != "not known"]
    return {
        "rows": len(judgments),
        "notKnown": len(judgments) - len(judged),
        "fits": sum(judgment.call == "fits" for judgment in judged),
        "marginal": sum(judgment.call == "marginal" for judgment in judged),
        "refused": sum(judgment.call == "refused" for judgment in judged),
        "right": sum(judgment.right is True for judgment in judged),
        "wrongFits": sum(judgment.wrong == "wrong fits" for judgment in judged),
        "wrongRefused": sum(judgment.wrong == "wrong refused" for judgment in judged),
        "weights": _errors(judged, "weightsGib"),
        "available": _errors(judged, "availableGib"),
        "kvTokens": _errors(judged, "kvTokens"),
    }


def _errors(judgments: Sequence[Judgment], figure: str) -> dict[str, float] | None:
    sizes = sorted(abs(judgment.errors[figure]) for judgment in judgments if figure in judgment.errors)
    if not sizes:
        return None
    return {
        "rows": len(sizes),
        "median": round(statistics.median(sizes), 5),
        "p90": round(sizes[min(len(sizes) - 1, -(-9 * len(sizes) // 10) - 1)], 5),
        "worst": round(sizes[-1], 5),
    }


def table(summary: dict[str, dict[str, Any]]) -> str:
    rows = [
        (
            name,
            *(group[key] for key in _COUNTS),
            _quantiles(group["weights"], "median", "worst"),
            _quantiles(group["kvTokens"], "median", "p90", "worst"),
        )
        for name, group in summary.items()
    ]
    errors = ("weights median / worst", "KV tokens median / 90 % / worst")
    return "\n".join(markdown.table(("group", *_COUNTS.values(), *errors), rows))


def _quantiles(errors: dict[str, float] | None, *names: str) -> str:
    return " / ".join(f"{errors[name]:.2%}" for name in names) if errors else "-"
