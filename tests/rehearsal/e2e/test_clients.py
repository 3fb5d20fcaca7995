"""One client floods the only engine: what another one gets, with the real pickers of two releases."""

from __future__ import annotations

import statistics

import pytest

from .clients import BATCH, FLOODING, LOW, print_beside_rate, quiet_beside_rate
from .edge import CHANGES, STACK
from .live import options
from .project import Project


@pytest.mark.rehearsal
@pytest.mark.slow
@pytest.mark.parametrize("release", ["gaie-1.5", "llm-d-0.6"])
def test_a_flood_of_low_priority_does_not_starve_another_client(fresh: Project, release: str) -> None:
    settings = (f"models[0].maxNumSeqs={BATCH}", f"release={release}")
    fresh.run("up", STACK, *CHANGES, *options(settings))
    equal, even = quiet_beside_rate(fresh.paths(STACK))
    print_beside_rate(release, "priority 0", equal, even)
    # The running picker has known no priorities until now.
    fresh.run("up", STACK, *CHANGES, *options((*settings, f"gateway.priorities.{FLOODING}={LOW}")))
    quiet, flood = quiet_beside_rate(fresh.paths(STACK))
    print_beside_rate(release, f"priority {LOW}", quiet, flood)
    assert len(quiet) > 10
    assert [sample for sample in quiet if not sample.answered] == []
    seconds, before = (statistics.median(sample.seconds for sample in samples) for samples in (quiet, equal))
    assert seconds < before / 2
    # The engine stays busy with what it can answer of the flood. The rest is refused at once.
    assert {sample.status for sample in flood} == {200, 429}
    assert max(sample.seconds for sample in flood if sample.status == 429) < 2.0
