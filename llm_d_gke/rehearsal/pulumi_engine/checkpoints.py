"""The checkpoint of a stack in the file backend."""

from __future__ import annotations

import json
import shutil
from pathlib import Path


def restore_checkpoint(checkpoint: Path) -> None:
    """Replace a checkpoint that a kill left half written by the one before, which Pulumi keeps beside it.

    Resources created in between are in no recorded state, as after any kill.
    """
    before = checkpoint.with_name(f"{checkpoint.name}.bak")
    if checkpoint.exists() and not _is_json(checkpoint) and before.exists() and _is_json(before):
        shutil.copy2(before, checkpoint)


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return False
    return True
