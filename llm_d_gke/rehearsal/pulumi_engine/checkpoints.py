"""Files of Pulumi's file backend that a kill left half written."""

from __future__ import annotations

import json
import shutil
from pathlib import Path


def restore_state(backend: Path, stack: str) -> None:
    """Make the state of a stack readable again after a kill in the middle of a write.

    Its checkpoint is replaced by the one before, which Pulumi keeps beside it. Resources created in between are in no
    recorded state, as after any kill.

    Attributes of a file are written in place beside it (`setAttrs` of gocloud.dev/blob/fileblob), and a file whose
    attributes are cut short cannot be read ("failed to load checkpoint: EOF"). Without any it can.
    """
    for attributes in backend.rglob("*.attrs"):
        if not _is_json(attributes):
            attributes.unlink(missing_ok=True)
    checkpoint = backend / ".pulumi" / "stacks" / "llm-d" / f"{stack}.json"
    before = checkpoint.with_name(f"{checkpoint.name}.bak")
    if checkpoint.exists() and not _is_json(checkpoint) and before.exists() and _is_json(before):
        shutil.copy2(before, checkpoint)


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return False
    return True
