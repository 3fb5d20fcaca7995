"""Brings a stack up twice in an existing cluster.

`python -m llm_d_gke.maintenance.interruptions.existing_cluster STACK P=V ...`: the changes P=V name the cluster and its
network (`cluster.existing`, `network.existing`). Between both `up` a destroy leaves the cluster and the CRDs that a
destroy keeps, which the second `up` has to take over. Prints seconds, a chat request's status, and what each destroy
left. Exit status 1 if something other than CRDs is left, and the APIServices
that the API server makes of them, or the second destroy leaves more than the first.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from llm_d_gke.cli.markdown import print_head, print_row
from llm_d_gke.cli.options import overrides
from llm_d_gke.maintenance.interruptions.remains import cluster_objects, remains
from llm_d_gke.maintenance.interruptions.run import BrokenOffError, Operation, clear
from llm_d_gke.maintenance.measure.traffic import Request, ask_in_turn
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.pulumi_engine.configuration import load
from llm_d_gke.rehearsal.terminal.status import reachable
from llm_d_gke.stackfile import PROJECT_ROOT

_LEFT_BY_DESIGN = ("cluster: CustomResourceDefinition ", "cluster: APIService ")


def bring_up_twice(paths: StackPaths, changes: Mapping[str, str]) -> bool:
    """Whether both rounds worked, and left the same. Raises BrokenOffError where an operation failed."""
    model = load(PROJECT_ROOT, paths.stack, dict(changes)).settings()["models"][0]
    Operation("prepare", paths, changes).succeed()
    before = cluster_objects(paths)
    left: list[list[str]] = []
    print_head("", "up", "chat", "destroy", "left")
    for title in ("first", "second"):
        seconds = [_timed("up", paths, changes)]
        request = Request(reachable(paths), str(model.get("servedName") or model["id"]), "Hello")
        [answer] = ask_in_turn([request])
        seconds.append(_timed("destroy", paths, changes))
        left.append(remains(paths, before))
        remaining = "; ".join(left[-1]) or "nothing"
        print_row(title, f"{seconds[0]:.0f} s", answer.status, f"{seconds[1]:.0f} s", remaining)
        if not answer.answered:
            return False
    return left[0] == left[1] and all(line.startswith(_LEFT_BY_DESIGN) for line in left[0])


def _timed(operation: str, paths: StackPaths, changes: Mapping[str, str]) -> float:
    began = time.monotonic()
    Operation(operation, paths, changes).succeed()
    return time.monotonic() - began


def main() -> None:
    changes = overrides(sys.argv[2:])
    with tempfile.TemporaryDirectory() as folder:
        paths = StackPaths(sys.argv[1], Path(folder))
        try:
            done = bring_up_twice(paths, changes)
        except BrokenOffError as error:
            raise SystemExit(str(error)) from None
        finally:
            clear(paths)
    raise SystemExit(not done)


if __name__ == "__main__":
    main()
