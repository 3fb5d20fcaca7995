"""Implements the commands `logs-check` and `logs-read`."""

from __future__ import annotations

import codecs
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from llm_d_gke.cli.exits import DONE, REFUSED
from llm_d_gke.cli.files import write_file
from llm_d_gke.operations.logs_check.judgment import judge_rows
from llm_d_gke.operations.logs_check.reader import read_log
from llm_d_gke.operations.logs_check.summary import summarize, table
from llm_d_gke.wording import wrapped


def check_rows(file: Path, out: Path | None) -> int:
    """Judge a list of starts, or an object with them as `rows`. `out` gets each judgment and the summary."""
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        log = f" A log of vLLM is made into rows by `bin/llmd logs-read {file}`." if file.suffix != ".json" else ""
        return _refused(f"{file} is not JSON: an error in line {error.lineno}, column {error.colno}.{log}")
    except (OSError, ValueError) as error:
        return _refused(f"{file} cannot be read: {error}")
    rows = document.get("rows") if isinstance(document, dict) else document
    if not isinstance(rows, list):
        return _refused(f"{file} holds no list of rows, which begins with [")
    judgments = judge_rows(rows, file.parent)
    summary = summarize(judgments)
    if out is not None:
        _write(out, {"rows": [judgment.as_json() for judgment in judgments], "summary": summary})
    lines = [table(summary)] + [
        f"{judgment.id}: {judgment.wrong} ({judgment.reason or judgment.limit})"
        for judgment in judgments
        if judgment.wrong is not None
    ]
    print("\n".join(lines).encode("utf-8", errors="backslashreplace").decode("utf-8"))
    return DONE


def read_start(log: Path, added: Iterable[str], out: Path | None) -> int:
    """Write the row of one start-up log of vLLM. `added` are FIELD=VALUE of facts that the log lacks."""
    try:
        content = log.read_bytes()
        # What PowerShell redirects to a file is UTF-16.
        encoding = "utf-16" if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
        row = read_log(content.decode(encoding, errors="replace"))
    except (OSError, ValueError) as error:
        return _refused(f"{log} cannot be read: {error}")
    if not row:
        return _refused(
            f"{log} has none of the lines that vLLM writes when it starts, such as Model loading took, Available KV"
            " cache memory or GPU KV cache size. Give the whole log of the engine's container"
        )
    row = {"id": log.stem, **row}
    for assignment in added:
        name, _, value = assignment.partition("=")
        try:
            row[name] = json.loads(value)
        except ValueError:
            row[name] = value
    if out is None:
        print(json.dumps([row], indent=1, ensure_ascii=False))
    else:
        _write(out, [row])
    return DONE


def _refused(sentence: str) -> int:
    print(wrapped(sentence), file=sys.stderr)
    return REFUSED


def _write(path: Path, document: Any) -> None:
    """Write JSON. Half a surrogate pair in a name has no bytes: it is written as JSON escapes it."""
    text = json.dumps(document, indent=1, ensure_ascii=False)
    write_file(path, text + "\n")
