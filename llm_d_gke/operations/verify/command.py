"""`llmd verify`."""

from __future__ import annotations

from collections.abc import Mapping

from llm_d_gke.cli.exits import DONE, UNMET
from llm_d_gke.operations.live_stack.find import open_stack
from llm_d_gke.operations.live_stack.stack import Place
from llm_d_gke.operations.verify.format import Format
from llm_d_gke.operations.verify.output import as_json, as_junit, line, summary
from llm_d_gke.operations.verify.result import Checked
from llm_d_gke.operations.verify.run import verify

# A load balancer of Google takes about so long to learn its first backends; the rehearsed one a second or two.
_PATIENCE = {"gke": 180.0, "rehearsal": 15.0}


def run_verify(
    stack: str,
    changes: Mapping[str, str],
    *,
    place: Place | None,
    form: Format,
    requests: int,
    headers: Mapping[str, str],
) -> int:
    """Check a running stack and print the results. Exit status 2 if a check failed."""

    def report(check: Checked) -> None:
        if form is Format.TABLE:
            print(line(check), flush=True)

    with open_stack(stack, changes, place) as live:
        if form is Format.TABLE:
            print(f"verify {live.looked_at}\n", flush=True)
        result = verify(live, patience=_PATIENCE[live.place], requests=requests, headers=headers, report=report)
    if form is Format.TABLE:
        print(f"\n{summary(result)}")
    else:
        print(as_json(result) if form is Format.JSON else as_junit(result))
    return UNMET if result.failed else DONE
