"""Implements the command `deletions`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from llm_d_gke import catalog
from llm_d_gke.cli.exits import DONE
from llm_d_gke.operations.upgrades.errors import UpgradeError
from llm_d_gke.planning.deletions import refuse_losses, steps_of_preview
from llm_d_gke.settings import StackSettings
from llm_d_gke.stackfile.assumptions import load_assumed


def judge_preview(stack: str, file: Path, changes: Mapping[str, str]) -> int:
    """Judge the output of `pulumi preview --json`. Raises RefusedError for a deletion that loses data."""
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
        # A warning may stand before the document.
        begin = 0 if text.startswith("{") else text.find("\n{") + 1
        document = json.loads(text[begin:])
        steps = steps_of_preview(document)
    except (ValueError, AttributeError, TypeError, KeyError):
        raise UpgradeError(f"{file} is not the output of `pulumi preview --json`") from None
    settings = StackSettings.model_validate(load_assumed(stack, changes).settings())
    acknowledged = refuse_losses(steps, catalog.load(), settings)
    for finding in acknowledged:
        print(finding)
    if not acknowledged:
        print(f"{len(steps)} steps: no kind, no volume claim and no data is deleted")
    return DONE
