"""Compares estimates of speed with published ones: `python -m llm_d_gke.maintenance.speed_check [fit | of ...]`.

Without an argument it writes the tables of docs/speed.md. With `fit` it fits the constants of the roofline and prints
them as catalog/engine.yaml holds them. With `of MODEL ACCELERATOR` and the options `--tensor-parallel`, `--prompt`,
`--output` and `--concurrency` it prints the estimate of one engine.
"""

from __future__ import annotations

import argparse
import sys

from llm_d_gke import catalog
from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.maintenance.speed_check.comparison import (
    by_accelerator,
    coefficients,
    details,
    method_table,
    outcomes,
    summary,
)
from llm_d_gke.maintenance.speed_check.fit import LIMITS, fit
from llm_d_gke.maintenance.speed_check.rows import load_rows
from llm_d_gke.planning.sizing.memory import EngineOptions, engine_run
from llm_d_gke.planning.sizing.speed import Load


def main(arguments: list[str]) -> int:
    """Print the tables, or the constants that fit best."""
    rows = load_rows()
    if arguments == ["fit"]:
        for kind in ("gpu", "turing", "tpu"):
            fitted_constants = fit(kind, rows, report=lambda line: print(line, file=sys.stderr))
            values = ", ".join(f"{name}: {fitted_constants.value(name):.3g}" for name in LIMITS)
            print(f"    {kind}: {{{values}}}  # request_seconds {fitted_constants.request_seconds:.3g}")
        return 0
    if arguments[:1] == ["of"]:
        return _of(arguments[1:])
    if arguments:
        print(f"unknown argument {arguments[0]}: use `fit`, `of`, or nothing for the tables", file=sys.stderr)
        return 2
    sections = {
        "Median / 90th percentile": summary,
        "By accelerator": by_accelerator,
        "Held-out errors (llm_d_gke/catalog/engine.yaml)": coefficients,
        "Every row": details,
    }
    compared = outcomes(rows)
    for title, lines in sections.items():
        print(f"### {title}\n")
        print("\n".join(lines(compared)) + "\n")
    return 0


def _of(arguments: list[str]) -> int:
    catalog_ = catalog.load()
    parser = argparse.ArgumentParser(prog="python -m llm_d_gke.maintenance.speed_check of")
    parser.add_argument("model", choices=sorted(catalog_.models), metavar="MODEL")
    parser.add_argument("accelerator", choices=sorted(catalog_.accelerators), metavar="ACCELERATOR")
    parser.add_argument("--tensor-parallel", type=int, default=1)
    parser.add_argument("--prompt", type=int, default=1024)
    parser.add_argument("--output", type=int, default=256)
    parser.add_argument("--concurrency", type=int, default=16)
    args = parser.parse_args(arguments)
    card = catalog_.accelerators[args.accelerator]
    run = engine_run(
        catalog_.models[args.model],
        card,
        load_engine().newest,
        EngineOptions(max_model_len=args.prompt + args.output, tensor_parallel=args.tensor_parallel),
    )
    if run is None:
        print(f"the memory of {args.accelerator} for {args.model} is not known", file=sys.stderr)
        return 1
    print("\n".join(method_table(run, card, Load(args.prompt, args.output, args.concurrency))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
