"""`python -m llm_d_gke.maintenance.conformance [--check | --run [--again] [--engines FOLDER] [--release NAME]]`."""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from llm_d_gke import catalog
from llm_d_gke.maintenance.conformance import record
from llm_d_gke.maintenance.conformance.page import PAGE, is_red, page
from llm_d_gke.maintenance.conformance.release_runs import runs_of
from llm_d_gke.rehearsal.toolchain.targets import cache_root

# Each takes about 1.5 GiB while it judges KServe's objects or parses for vLLM.
_PROCESSES: Final = 2


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m llm_d_gke.maintenance.conformance", description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say whether the page is current")
    parser.add_argument("--run", action="store_true", help="run the parts that a registry serves")
    parser.add_argument("--engines", type=Path, default=None, help="where engines are installed, 2 GB each")
    parser.add_argument("--without-engines", action="store_true", help="run no parser of vLLM")
    parser.add_argument("--release", action="append", default=None, help="run parts of this release only")
    parser.add_argument("--again", action="store_true", help="run parts again whose input has not changed")
    options = parser.parse_args(arguments)
    if options.run:
        folder = None if options.without_engines else options.engines or cache_root() / "engines"
        if options.again:
            record.forget()
        entries = catalog.load().releases.values()
        releases = [release for release in entries if options.release is None or release.name in options.release]
        # A process for each release: most of the time is a processor's, and the API server of each, like vLLM's parser,
        # gives back little of the memory that it takes.
        processes = min(_PROCESSES, len(os.sched_getaffinity(0)))
        with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
            for runs in pool.map(runs_of, [release.name for release in releases], [folder] * len(releases)):
                record.save(runs)
    text = page()
    if options.check:
        current = PAGE.exists() and PAGE.read_text(encoding="utf-8") == text
        print("docs/conformance.md is current" if current else "old: run python -m llm_d_gke.maintenance.conformance")
        return 0 if current else 1
    PAGE.write_text(text, encoding="utf-8")
    return 1 if is_red(text) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
