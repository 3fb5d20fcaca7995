"""Checks of cluster settings that depend on more than one value."""

from __future__ import annotations

import pytest

from tests.stacks import existing_cluster, plan_of

_FIRST = {"start": "2026-01-03T02:00:00Z"}


@pytest.mark.parametrize(
    ("end", "recurrence"),
    [
        ("06", "FREQ=DAILY"),
        ("06", "FREQ=DAILY;INTERVAL=2"),
        ("06", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"),
        ("08", "FREQ=WEEKLY;BYDAY=SA,SU"),
        ("14", "FREQ=WEEKLY;BYDAY=SA"),
        # Not counted, so not refused.
        ("06", "FREQ=MONTHLY;BYDAY=SA"),
        ("06", "FREQ=WEEKLY;BYDAY=SA;COUNT=3"),
    ],
)
def test_windows_with_48_hours_in_any_32_days_are_planned_as_they_are(end: str, recurrence: str) -> None:
    window = _FIRST | {"end": f"2026-01-03T{end}:00:00Z", "recurrence": recurrence}
    planned = plan_of("gpu", {"cluster.maintenanceWindow": window}).cluster.maintenance
    assert planned is not None
    assert planned.recurrence == recurrence


def test_an_existing_cluster_is_reached_as_its_owner_lets_it() -> None:
    """Whose address its own list of ranges lets in; the stack has none of its own."""
    plan = plan_of("gpu", existing_cluster() | {"cluster.controlPlane": {"access": "authorized-networks"}})
    assert not plan.cluster.dns_endpoint
    assert "--dns-endpoint" not in plan.get_credentials
    assert "LLMD-EXISTING-IGNORED" not in {warning.id for warning in plan.warnings}
