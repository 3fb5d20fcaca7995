"""Judge the memory verdict on logged starts: `python -m operations.logs_check ROWS.json --out RESULT.json`.

`--read LOG` writes the row of one start-up log of vLLM instead; `--add FIELD=VALUE` completes what no log says.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from operations.logs_check.judgment import judge_rows
from operations.logs_check.reader import read_log
from operations.logs_check.summary import summarize, table


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m operations.logs_check", description=__doc__.partition("\n\n")[0])
    parser.add_argument(
        "rows", type=Path, nargs="?", help="JSON file: a list of starts, or an object with them as rows"
    )
    parser.add_argument("--out", type=Path, help="file for the judgment of each row and the summary")
    parser.add_argument("--read", type=Path, metavar="LOG", help="start-up log of vLLM to write as a row")
    parser.add_argument("--add", action="append", default=[], metavar="FIELD=VALUE", help="a field that the log lacks")
    given = parser.parse_args(arguments)
    try:
        if given.read is not None:
            return _read(given.read, given.add, given.out)
        if given.rows is None:
            parser.error("give a file of rows, or a log after --read")
        document = json.loads(given.rows.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        print(f"{given.read or given.rows} cannot be read: {error}", file=sys.stderr)
        return 2
    rows = document.get("rows") if isinstance(document, dict) else document
    if not isinstance(rows, list):
        print(f"{given.rows} holds no list of rows", file=sys.stderr)
        return 2
    judgments = judge_rows(rows, given.rows.parent)
    summary = summarize(judgments)
    if given.out is not None:
        _write(given.out, {"rows": [each.as_json() for each in judgments], "summary": summary})
    print(table(summary))
    for each in judgments:
        if each.wrong is not None:
            print(f"{each.id}: {each.wrong} ({each.limit})")
    return 0


def _read(log: Path, added: list[str], out: Path | None) -> int:
    row = {"id": log.stem, **read_log(log.read_text(encoding="utf-8", errors="replace"))}
    for each in added:
        name, _, value = each.partition("=")
        try:
            row[name] = json.loads(value)
        except ValueError:
            row[name] = value
    if out is not None:
        _write(out, [row])
    else:
        print(json.dumps([row], indent=1, ensure_ascii=False))
    return 0


def _write(path: Path, document: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
