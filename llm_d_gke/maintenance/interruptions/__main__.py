"""Kills `up` and `destroy` of a rehearsed stack at random moments: `python -m llm_d_gke.maintenance.interruptions`.

Each moment starts from nothing. After the kill one `destroy` has to end, and to leave nothing: no resource in Pulumi's
state, none in the simulated Google Cloud, no object, process or file of the cluster. Takes about a minute a moment on a
busy machine: `--first` and `--count` run a part of the moments.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from llm_d_gke.cli.markdown import print_head, print_row
from llm_d_gke.cli.options import overrides
from llm_d_gke.maintenance.interruptions.moments import moments
from llm_d_gke.maintenance.interruptions.run import Outcome, clear, durations, interrupt
from llm_d_gke.rehearsal.paths import StackPaths


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stack", default="gpu")
    parser.add_argument("--moments", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first moment of this run")
    parser.add_argument("--count", type=int, default=None, help="number of moments of this run; by default all")
    parser.add_argument("-c", dest="changes", action="append", default=[], metavar="PATH=VALUE")
    parser.add_argument("--durations", help="seconds of up and destroy, as 29,22; by default they are measured first")
    options = parser.parse_args()
    changes = overrides(options.changes)
    chosen = list(moments(options.moments, options.seed))[options.first :][: options.count]
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory() as folder:
        paths = StackPaths(options.stack, Path(folder))
        try:
            stated = (
                dict(zip(("up", "destroy"), map(float, (options.durations or "").split(",")), strict=True))
                if options.durations
                else None
            )
            seconds = stated or durations(paths, changes)
            print(f"without a kill: up {seconds['up']:.1f} s, destroy {seconds['destroy']:.1f} s")
            print_head("moment", "killed", "who", "after", "resources then", "left after destroy")
            for moment in chosen:
                outcomes.append(interrupt(moment, paths, seconds, changes))
                print_row(*_cells(outcomes[-1]))
        finally:
            clear(paths)
    killed = [outcome for outcome in outcomes if outcome.killed]
    survived = sum(outcome.survived for outcome in killed)
    print(f"\n{survived} of {len(killed)} interruptions survived, {len(outcomes) - len(killed)} came too late")
    raise SystemExit(survived != len(killed))


def _cells(outcome: Outcome) -> tuple[object, ...]:
    moment = outcome.moment
    return (
        moment.number,
        moment.operation if outcome.killed else f"{moment.operation}, which had ended",
        moment.victim,
        f"{outcome.seconds:.1f} s ({moment.share:.0%})",
        outcome.resources,
        "; ".join(outcome.remains) or "nothing",
    )


if __name__ == "__main__":
    main()
