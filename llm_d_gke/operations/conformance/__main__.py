"""`python -m llm_d_gke.operations.conformance [--check | --run [--again] [--engines FOLDER] [--release NAME]]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from llm_d_gke import catalog
from llm_d_gke.operations.conformance import record
from llm_d_gke.operations.conformance.api_server import api_server
from llm_d_gke.operations.conformance.page import PAGE, is_red, page
from llm_d_gke.operations.conformance.rendered import plans_of
from llm_d_gke.rehearsal.toolchain.targets import cache_root


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m llm_d_gke.operations.conformance", description=__doc__)
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
        for release in releases:
            # One server per release: it releases little of the memory that KServe's large schemas take.
            record.save([*record.run(release, plans_of(release.name), lambda: api_server(_report), folder, _report)])
    text = page()
    if options.check:
        current = PAGE.exists() and PAGE.read_text(encoding="utf-8") == text
        print("docs/conformance.md is current" if current else "old: run python -m llm_d_gke.operations.conformance")
        return 0 if current else 1
    PAGE.write_text(text, encoding="utf-8")
    return 1 if is_red(text) else 0


def _report(text: str) -> None:
    print(f"  {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
