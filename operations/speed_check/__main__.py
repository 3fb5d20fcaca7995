"""Compares the estimates of speed with published measurements: `python -m operations.speed_check [fit]`.

Without an argument it writes the tables of docs/speed.md. With `fit` it fits the constants of the roofline and prints
them as catalog/engine.yaml holds them. The columns of aiconfigurator need the optional requirements-speed.txt.
"""

from __future__ import annotations

import sys

from operations.speed_check.comparison import by_accelerator, coefficients, details, summary
from operations.speed_check.fit import LIMITS, fit
from operations.speed_check.rows import load_rows


def main(arguments: list[str]) -> int:
    """Print the tables, or the constants that fit best."""
    rows = load_rows()
    if arguments == ["fit"]:
        for kind in ("gpu", "turing", "tpu"):
            found = fit(kind, rows, report=lambda line: print(line, file=sys.stderr))
            values = ", ".join(f"{name}: {found.value(name):.3g}" for name in LIMITS)
            print(f"    {kind}: {{{values}}}  # request_seconds {found.request_seconds:.3g}")
        return 0
    if arguments:
        print(f"unknown argument {arguments[0]}: use `fit`, or nothing for the tables", file=sys.stderr)
        return 2
    sections = {
        "Median / 90th percentile": summary,
        "By accelerator": by_accelerator,
        "Earned (catalog/engine.yaml)": coefficients,
        "Every row": details,
    }
    for title, lines in sections.items():
        print(f"### {title}\n")
        print("\n".join(lines(rows)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
