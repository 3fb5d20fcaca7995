"""The definition of a rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RuleSeverity = Literal["error", "warning", "either"]

RuleBasis = Literal["project", "catalog", "arithmetic", "estimate", "unestablished", "live"]
"""What a rule without a public source rests on.

- `project`: a definition or a limit of this project.
- `catalog`: entries of the catalog, which name their own sources.
- `arithmetic`: the figures in the message.
- `estimate`: an estimate of this project, compared with measurements in docs/measurements.md.
- `unestablished`: no public source answers the question, which is what the rule warns of.
- `live`: the answers of Google Cloud's APIs or of the running stack.
"""


@dataclass(frozen=True)
class Rule:
    """One reason to refuse a stack or to warn about it.

    `id` is stable: messages, documents and acknowledgments refer to it, and a rule that is gone does not leave its id
    to another one. Most rules are errors; `either` is the severity of a rule that is an error or a warning depending on
    how certain it is. `source` names the public document or code that the rule follows; a rule without one states its
    `basis`.
    `acknowledgeable`: a stack could run with this error, and its owner has to decide; acknowledged in the stack file,
    it no longer refuses the stack.
    """

    id: str
    summary: str
    severity: RuleSeverity = "error"
    why: str = ""
    fix: str = ""
    source: str = ""
    basis: RuleBasis | None = None
    acknowledgeable: bool = False
