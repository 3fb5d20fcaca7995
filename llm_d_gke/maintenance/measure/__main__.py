"""Runs measurements: `python -m llm_d_gke.maintenance.measure [PART...]`, all parts without one.

`python -m llm_d_gke.maintenance.measure imports CHECKOUT` compares the import of the program with that of another
checkout.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from llm_d_gke.maintenance.measure import edge, faults, lifecycle, priorities, program, routing, scaling

PARTS: Final[dict[str, Callable[[], None]]] = {
    "plan": program.plan,
    "preview": program.preview,
    "growth": program.growth,
    "fleet": program.fleet,
    "second-stack": program.second_stack,
    "life": lifecycle.life,
    "switches": lifecycle.switches,
    "prefix": routing.prefix,
    "throughput": routing.throughput,
    "picker": routing.picker,
    "failure": routing.failure,
    "scaling": scaling.scaling,
    "zero": scaling.zero,
    "windows": scaling.windows,
    "edge": edge.edge,
    "faults": faults.faults,
    "priorities": priorities.priorities,
    "shedding": priorities.shedding,
}


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["imports"] and len(arguments) == 2:
        program.imports(Path(arguments[1]).resolve())
        return 0
    unknown = [name for name in arguments if name not in PARTS]
    if unknown:
        print(f"there is no part {unknown[0]}: use {', '.join(PARTS)}, or imports CHECKOUT", file=sys.stderr)
        return 2
    for name in arguments or PARTS:
        PARTS[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
