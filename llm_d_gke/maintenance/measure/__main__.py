"""Runs measurements: `python -m llm_d_gke.maintenance.measure [PART...]`, all parts without one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final

from llm_d_gke.maintenance.measure import lifecycle, program

PARTS: Final[dict[str, Callable[[], None]]] = {
    "plan": program.plan,
    "growth": program.growth,
    "fleet": program.fleet,
    "life": lifecycle.life,
}


def main(arguments: list[str]) -> int:
    unknown = [name for name in arguments if name not in PARTS]
    if unknown:
        print(f"there is no part {unknown[0]}: use {', '.join(PARTS)}", file=sys.stderr)
        return 2
    for name in arguments or PARTS:
        PARTS[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
