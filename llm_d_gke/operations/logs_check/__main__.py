"""Judge the memory verdict on logged starts: `python -m llm_d_gke.operations.logs_check ROWS.json --out RESULT.json`.

`--read LOG` writes the row of one start-up log of vLLM instead; `--add FIELD=VALUE` adds facts missing in the log.
"""

from __future__ import annotations

import argparse
import codecs
import json
import sys
from pathlib import Path
from typing import Any

from llm_d_gke.operations.logs_check.judgment import judge_rows
from llm_d_gke.operations.logs_check.reader import read_log
from llm_d_gke.operations.logs_check.summary import summarize, table


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m llm_d_gke.operations.logs_check", description=__doc__.partition("\n\n")[0]
    )
    parser.add_argument(
        "rows", type=Path, nargs="?", help="JSON file: a list of starts, or an object with them as rows"
    )
    parser.add_argument("--out", type=Path, help="file for the judgment of each row and the summary")
    parser.add_argument("--read", type=Path, metavar="LOG", help="start-up log of vLLM to write as a row")
    parser.add_argument("--add", action="append", default=[], metavar="FIELD=VALUE", help="a field that the log lacks")
    args = parser.parse_args(arguments)
    try:
        if args.read is not None:
            return _read(args.read, args.add, args.out)
        if args.rows is None:
            parser.error("give a file of rows, or a log after --read")
        document = json.loads(args.rows.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        print(f"{args.read or args.rows} cannot be read: {error}", file=sys.stderr)
        return 2
    rows = document.get("rows") if isinstance(document, dict) else document
    if not isinstance(rows, list):
        print(f"{args.rows} holds no list of rows", file=sys.stderr)
        return 2
    judgments = judge_rows(rows, args.rows.parent)
    summary = summarize(judgments)
    if args.out is not None:
        _write(args.out, {"rows": [judgment.as_json() for judgment in judgments], "summary": summary})
    print(table(summary))
    for judgment in judgments:
        if judgment.wrong is not None:
            print(f"{judgment.id}: {judgment.wrong} ({judgment.reason or judgment.limit})")
    return 0


def _read(log: Path, added: list[str], out: Path | None) -> int:
    content = log.read_bytes()
    # What PowerShell redirects to a file is UTF-16.
    encoding = "utf-16" if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    row = {"id": log.stem, **read_log(content.decode(encoding, errors="replace"))}
    for assignment in added:
        name, _, value = assignment.partition("=")
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
