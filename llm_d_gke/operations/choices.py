"""Words that an option of several commands takes."""

from __future__ import annotations

from typing import Literal, TypeAlias

# Where a stack runs.
Target: TypeAlias = Literal["rehearsal", "gke"]
OutputFormat: TypeAlias = Literal["table", "json", "junit"]
