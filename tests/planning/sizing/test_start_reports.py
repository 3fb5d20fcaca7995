"""One report about a start holds for a mistake: none is a part of what another one refuses already."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable
from typing import Any

import pytest

from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.catalog.engine_reports import StartReport
from llm_d_gke.catalog.versions import version_numbers

_TEXTS = frozenset({"seen", "source", "instead", "ends"})

Implies = Callable[[Any, Any], bool]


def _among(wider: tuple[str, ...], narrower: tuple[str, ...]) -> bool:
    return bool(narrower) and set(narrower) <= set(wider)


def _within(wider: tuple[str, ...], narrower: tuple[str, ...]) -> bool:
    return set(wider) <= set(narrower)


# Whether a condition holds wherever a narrower one does. Conditions without an entry have to be equal.
_IMPLIES: dict[str, Implies] = {
    "since": lambda wider, narrower: version_numbers(wider) <= version_numbers(narrower),
    "before": lambda wider, narrower: narrower is not None and version_numbers(wider) >= version_numbers(narrower),
    "models": lambda wider, narrower: bool(narrower) and all(name.startswith(wider) for name in narrower),
    "kv_cache": lambda wider, narrower: narrower is not None and narrower.startswith(wider),
    "above": lambda wider, narrower: (
        wider == narrower or (isinstance(wider, int) and isinstance(narrower, int) and narrower >= wider)
    ),
    **dict.fromkeys(("architectures", "accelerators", "values", "reasoning"), _among),
    **dict.fromkeys(("beside", "unless", "except_values", "except_architectures"), _within),
    **dict.fromkeys(("guessed", "tensor", "devices", "rank", "stages", "share", "capability_from"), operator.le),
    **dict.fromkeys(("capability_below", "most_devices"), operator.ge),
}


def _implies(field: str, wider: object, narrower: object) -> bool:
    compare: Implies = _IMPLIES.get(field, operator.eq)
    return compare(wider, narrower)


def covers(report: StartReport, other: StartReport) -> bool:
    """Whether `report` is about the same setting as `other`, ends the engine, and holds wherever `other` does."""
    same = (report.option, report.variable, report.block) == (other.option, other.variable, other.block)
    return (
        same
        and report.ends
        and all(
            field in other.model_fields_set | {"since"}
            and _implies(field, getattr(report, field), getattr(other, field))
            for field in report.model_fields_set - _TEXTS
        )
    )


def test_no_report_is_covered_by_another() -> None:
    covered = [
        f"{report.option or report.variable or 'id'}: {report.seen} | {other.seen}"
        for report, other in itertools.permutations(load_engine().start_reports, 2)
        if covers(report, other)
    ]
    assert covered == []


@pytest.mark.parametrize(
    ("wider", "narrower", "covered"),
    [
        ({"values": ("a", "b"), "since": "0.17"}, {"values": ("a",), "since": "0.19"}, True),
        ({"values": ("a",), "since": "0.19"}, {"values": ("a",), "since": "0.17"}, False),
        ({"before": "0.20"}, {"before": "0.19", "recurrent": True}, True),
        ({"before": "0.20"}, {"recurrent": True}, False),
        ({"recurrent": True}, {}, False),
        ({"unless": ("--x",)}, {"unless": ("--x", "--y")}, True),
        ({"beside": ("--x",)}, {"beside": ("--y",)}, False),
        ({"above": 8}, {"above": 16}, True),
        ({"option": "--other"}, {}, False),
        ({"ends": False}, {}, False),
    ],
)
def test_the_wider_one_of_two_covers_the_other(wider: Any, narrower: Any, covered: bool) -> None:
    texts = {"seen": "it ended", "source": "vLLM 0.32.0", "option": "--x", "ends": True}
    assert covers(StartReport(**texts | wider), StartReport(**texts | narrower)) is covered
