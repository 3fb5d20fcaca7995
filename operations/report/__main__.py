"""Reports of a stack file: `python -m operations.report STACK [--out FILE.html|.md|.json] [-c path=value ...]`.

Without `--out` the terminal gets the table. `--compare BEFORE.json AFTER.json` tells in Markdown what changed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from operations.report.facts import StackFacts
from operations.report.markdown import markdown
from operations.report.page import page
from operations.report.read import read
from operations.report.terminal import summary
from stackfile import PROJECT_ROOT, StackFileError


def as_json(facts: StackFacts) -> str:
    return json.dumps(facts.as_json(), indent=1, ensure_ascii=False) + "\n"


WRITERS: Mapping[str, Callable[[StackFacts], str]] = {".html": page, ".md": markdown, ".json": as_json}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m operations.report", description=__doc__.partition("\n\n")[0])
    parser.add_argument("stack", help="name of a stack file Pulumi.<stack>.yaml, here or in examples/")
    parser.add_argument("--out", type=Path, help="file to write: .html, .md or .json")
    parser.add_argument("-c", "--config", action="append", default=[], metavar="PATH=VALUE", help="change a setting")
    given = parser.parse_args(arguments)
    if given.out is not None and given.out.suffix not in WRITERS:
        parser.error(f"--out {given.out}: the ending says what to write, one of {', '.join(WRITERS)}")
    overrides = dict(change.partition("=")[::2] for change in given.config)
    try:
        facts = read(PROJECT_ROOT, given.stack, overrides)
    except StackFileError as error:
        print(error, file=sys.stderr)
        return 2
    if given.out is None:
        print(summary(facts))
        return 0
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(WRITERS[given.out.suffix](facts), encoding="utf-8")
    print(given.out)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
