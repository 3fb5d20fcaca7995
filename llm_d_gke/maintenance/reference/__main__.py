"""Writes generated pages: `python -m llm_d_gke.maintenance.reference [--check] [PAGE...]`, all of them without a name.

With --check nothing is written; exit status 1 if a page is not what its data says.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from llm_d_gke.maintenance.reference import catalog_schemas, causes, findings, releases, settings, support, upgrades
from llm_d_gke.stackfile import PROJECT_ROOT

PAGES: Final[Mapping[str, Callable[[], Mapping[Path, str]]]] = {
    "causes": lambda: {causes.PAGE: causes.page()},
    "findings": lambda: {findings.PAGE: findings.page()},
    "releases": lambda: {releases.PAGE: releases.page()},
    "schemas": catalog_schemas.pages,
    "settings": settings.pages,
    "support": lambda: {support.PAGE: support.page()},
    "upgrades": lambda: {upgrades.PAGE: upgrades.page()},
}


def stale(name: str) -> dict[Path, str]:
    """Generated files of a page whose content is out of date, with their new text."""
    texts = PAGES[name]()
    return {path: text for path, text in texts.items() if not path.exists() or path.read_text("utf-8") != text}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m llm_d_gke.maintenance.reference", description=__doc__)
    parser.add_argument("pages", nargs="*", metavar="PAGE", help=f"{', '.join(PAGES)}; all by default")
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.pages if name not in PAGES]:
        parser.error(f"there is no page {unknown[0]}: use {', '.join(PAGES)}")
    changed = {path: text for name in options.pages or PAGES for path, text in stale(name).items()}
    for path, text in changed.items():
        print(f"{'old' if options.check else 'wrote'}: {path.relative_to(PROJECT_ROOT)}")
        if not options.check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return int(options.check and bool(changed))


if __name__ == "__main__":
    raise SystemExit(main())
