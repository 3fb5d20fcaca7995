"""The definition of a rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RuleSeverity = Literal["error", "warning", "either"]


@dataclass(frozen=True)
class Rule:
    """One reason to refuse a stack or to warn about it.

    `id` is stable: messages, documents and acknowledgments refer to it, and a rule that is gone does not leave its id
    to another one. `either` is the severity of a rule that is an error or a warning depending on how certain it is.
    `source` names the public document or code that the rule follows. `acknowledgeable`: a stack could run with this
    error, and its owner has to decide; acknowledged in the stack file, it no longer refuses the stack.
    """

    id: str
    severity: RuleSeverity
    summary: str
    why: str = ""
    fix: str = ""
    source: str = ""
    acknowledgeable: bool = False
