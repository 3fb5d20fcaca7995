"""Judgments by group: how far the figures are off, and how many calls were wrong."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from operations.logs_check.judgment import Judgment

ALL = "all"


def summarize(judgments: Sequence[Judgment]) -> dict[str, dict[str, Any]]:
    """A summary of each group and of all. Errors are absolute relative ones; None where no row states the figure."""
    groups = sorted({each.group for each in judgments})
    found = {group: _group([each for each in judgments if each.group == group]) for group in groups}
    return {**found, ALL: _group(judgments)}


def _group(judgments: Sequence[Judgment]) -> dict[str, Any]:
    judged = [each for each in judgments if each.call != "not known"]
    return {
        "rows": len(judgments),
        "notKnown": len(judgments) - len(judged),
        "fits": sum(each.call == "fits" for each in judged),
        "marginal": sum(each.call == "marginal" for each in judged),
        "refused": sum(each.call == "refused" for each in judged),
        "right": sum(each.right is True for each in judged),
        "wrongFits": sum(each.wrong == "wrong fits" for each in judged),
        "wrongRefused": sum(each.wrong == "wrong refused" for each in judged),
        "weights": _errors(judged, "weightsGib"),
        "available": _errors(judged, "availableGib"),
        "kvTokens": _errors(judged, "kvTokens"),
    }


def _errors(judgments: Sequence[Judgment], figure: str) -> dict[str, float] | None:
    found = sorted(abs(each.errors[figure]) for each in judgments if figure in each.errors)
    if not found:
        return None
    return {
        "rows": len(found),
        "median": round(statistics.median(found), 5),
        "p90": round(found[min(len(found) - 1, -(-9 * len(found) // 10) - 1)], 5),
        "worst": round(found[-1], 5),
    }


def table(summary: dict[str, dict[str, Any]]) -> str:
    """The summary as a Markdown table."""
    lines = [
        "| group | rows | not known | fits | marginal | refused | wrong fits | wrong refused "
        "| weights median / worst | KV tokens median / 90 % / worst |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, group in summary.items():
        weights, tokens = group["weights"], group["kvTokens"]
        cells = [
            name,
            *(
                str(group[key])
                for key in ("rows", "notKnown", "fits", "marginal", "refused", "wrongFits", "wrongRefused")
            ),
            f"{weights['median']:.2%} / {weights['worst']:.2%}" if weights else "-",
            f"{tokens['median']:.2%} / {tokens['p90']:.2%} / {tokens['worst']:.2%}" if tokens else "-",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
