"""Implements the command `eject`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from llm_d_gke.cli.exits import DONE, REFUSED
from llm_d_gke.operations.eject.write import ejected_files, write
from llm_d_gke.planning import plan_config
from llm_d_gke.resource_graph.stack_program import record_stack
from llm_d_gke.stackfile.assumptions import load_assumed
from llm_d_gke.wording import count


def eject_stack(stack: str, changes: Mapping[str, str], out: Path) -> int:
    """Write the folder `out`, which must be empty or missing. Raises RefusedError and NotEjectableError."""
    if out.exists() and any(out.iterdir()):
        print(
            f"{out} is not empty: name a new folder, since files of an earlier stack would be applied too",
            file=sys.stderr,
        )
        return REFUSED
    configuration = load_assumed(stack, changes)
    plan = plan_config(stack, configuration)
    files = ejected_files(record_stack(stack, configuration), plan)
    write(files, out)
    print(f"wrote {count(len(files), 'file')} to {out}: begin with {out / 'README.md'}")
    return DONE
