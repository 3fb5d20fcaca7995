"""`python -m llm_d_gke.maintenance.fuzz [--examples N] [--seed N]`: plan random stacks.

Ends with 1 at the first that crashes.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from itertools import islice

from llm_d_gke import catalog
from llm_d_gke.maintenance.fuzz.features import featured
from llm_d_gke.maintenance.fuzz.run import fuzz, outcome
from llm_d_gke.maintenance.fuzz.stacks import KINDS


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m llm_d_gke.maintenance.fuzz", description=__doc__)
    parser.add_argument("--examples", type=int, default=10_000, help="stacks in all (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other stacks (default: %(default)s)")
    options = parser.parse_args()
    began = time.perf_counter()
    for name, strategy in KINDS.items():
        counts = fuzz(strategy, options.examples // len(KINDS), options.seed)
        print(f"{name}: {counts['plan']} planned, {counts['findings']} refused with findings", flush=True)
    for release in catalog.load().releases:
        stacks = islice(featured(release, options.seed), options.examples // 20)
        counts = Counter(outcome(values) for values in stacks)
        print(
            f"settings of {release}: {counts['plan']} planned, {counts['findings']} refused with findings", flush=True
        )
    print(f"{time.perf_counter() - began:.0f} s; nothing else happened")


if __name__ == "__main__":
    main()
