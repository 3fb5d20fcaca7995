"""`python -m llm_d_gke.maintenance.upstream RELEASE [--source NAME=FOLDER]... [--write]`

Prints what upstream's sources say against an entry of catalog/releases.yaml: flags that a part does not know or has
deprecated, plugins, labels. `--write` renews llm_d_gke/catalog/upstream.yaml from all releases.
"""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Iterable
from pathlib import Path

from llm_d_gke import catalog
from llm_d_gke.maintenance.conformance.compare import DIFFERS, Cell, cells_of
from llm_d_gke.maintenance.conformance.rendered import plans_of
from llm_d_gke.maintenance.upstream.parts import Folders
from llm_d_gke.maintenance.upstream.record import read_release, renew


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make adopt", description=__doc__)
    parser.add_argument("release", nargs="?", help="name in llm_d_gke/catalog/releases.yaml")
    parser.add_argument("--source", action="append", default=[], metavar="NAME=FOLDER", help="a source tree at hand")
    parser.add_argument("--write", action="store_true", help="renew llm_d_gke/catalog/upstream.yaml")
    args = parser.parse_args(arguments)
    folders = Folders({name: Path(folder) for name, _, folder in (text.partition("=") for text in args.source)})
    if args.write:
        return renew(catalog.load(), folders, datetime.datetime.now(tz=datetime.UTC).date())
    releases = catalog.load().releases
    if args.release not in releases:
        print(f"no release {args.release!r}: use one of {', '.join(releases)}", file=sys.stderr)
        return 2
    release = releases[args.release]
    return print_cells(cells_of(release, plans_of(release.name), read_release(release, folders)))


def print_cells(cells: Iterable[Cell]) -> int:
    """Print each comparison with its differences. Return 1 if there is any difference, otherwise 0."""
    differs = False
    for cell in cells:
        differs = differs or cell.result == DIFFERS
        print(f"{cell.result.strip('*'):<27}{' '.join((cell.part, cell.version))}")
        for line in cell.lines:
            print(f"{'':<27}{line}")
    return int(differs)


if __name__ == "__main__":
    sys.exit(main())
