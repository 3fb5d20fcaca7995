"""Windows of KEDA: their starts and ends alternate."""

from __future__ import annotations

import pytest

from llm_d_gke.planning.findings import Findings
from llm_d_gke.planning.serving.scaling_windows import check_windows
from llm_d_gke.settings.autoscaling import AutoscalingSettings


def rules(start: str, end: str) -> list[str]:
    findings = Findings()
    settings = AutoscalingSettings.model_validate(
        {"minimum": 1, "maximum": 4, "windows": [{"start": start, "end": end, "timeZone": "UTC", "replicas": 3}]}
    )
    check_windows(settings, ("windows",), findings)
    return [finding.rule for finding in findings]


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("0 7 * * 1-5", "0 19 * * 1-5"),
        ("0 22 * * *", "0 6 * * *"),
        ("0 7 * * 1", "0 19 * * 5"),
        ("0 6 * * 6", "0 0 * * 0"),
        ("0 22 * * 1-5", "0 6 * * 2-6"),
        ("0 0 1 * *", "0 0 15 * *"),
    ],
)
def test_starts_and_ends_that_alternate_are_accepted(start: str, end: str) -> None:
    assert rules(start, end) == []


@pytest.mark.parametrize(
    ("start", "end", "period"),
    [
        ("30 6 * * 1-5", "10 22 * * *", "from Friday 22:10 to Saturday 22:10"),
        ("0 7 * * *", "0 19 * * 1-5", "from Saturday 07:00 to Sunday 07:00"),
    ],
)
def test_one_that_lasts_or_does_not_open_is_named(start: str, end: str, period: str) -> None:
    [rule] = rules(start, end)
    assert period in rule
