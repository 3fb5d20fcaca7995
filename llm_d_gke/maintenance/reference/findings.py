"""docs/findings.md, the rules behind findings."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping

from llm_d_gke.planning.rules import SUBJECTS, Rule, RuleBasis, load_subject
from llm_d_gke.stackfile import PROJECT_ROOT

PAGE = PROJECT_ROOT / "docs" / "findings.md"
_FOLDERS = ("llm_d_gke/settings", "llm_d_gke/planning", "llm_d_gke/operations/preflight")
_SEVERITY = {
    "error": "Error: the stack is refused.",
    "warning": "Warning: it can be acknowledged.",
    "either": "Error, or a warning where the facts are not certain.",
}

_ACKNOWLEDGEABLE = "Error: the stack is refused, unless the stack file acknowledges this rule."

_BASIS: Mapping[RuleBasis, str] = {
    "project": "a definition or limit of this project",
    "catalog": "the entries of the catalog, which name their sources",
    "arithmetic": "the figures in the message",
    "estimate": "an estimate of this project ([measurements](measurements.md))",
    "unestablished": "no public source; the rule warns because none is known",
    "live": "what Google Cloud or the running stack answers",
}

_INTRODUCTION = """\
# Findings

What a stack file is refused for or warned about, by rule. Written by
`python -m llm_d_gke.maintenance.reference findings` from `llm_d_gke/planning/rules`.
A finding names the rule, the setting with its value, the reason, and what to write instead:

```text
LLMD-CONTEXT-LENGTH  llm-d:models[0].maxModelLen = 16384  (Pulumi.gpu.yaml, line 12)
  google/gemma-2b-it was trained for 8192 tokens; vLLM refuses more
  use 8192 or less
```

A warning that is known and accepted is acknowledged in the stack file. It then shows as acknowledged, with the reason.
An error cannot be acknowledged, except the few that say so below: the stack could run, and its owner has to decide.

```yaml
llm-d:acknowledge:
  - id: LLMD-TLS-NONE
    reason: reached through our VPN only
```
"""


def page() -> str:
    """All rules as Markdown, by subject."""
    where = _files_by_rule()
    lines = [_INTRODUCTION]
    for subject in map(load_subject, SUBJECTS):
        lines.append(f"## {subject.title}\n")
        for rule in subject.rules.values():
            lines += _section(rule, where)
    return "\n".join(lines).rstrip() + "\n"


def _section(rule: Rule, where: Mapping[str, list[str]]) -> Iterator[str]:
    yield f"### {rule.id}\n"
    yield f"{rule.summary}\n"
    yield f"- {_ACKNOWLEDGEABLE if rule.acknowledgeable else _SEVERITY[rule.severity]}"
    yield f"- Why: {rule.why}"
    yield f"- Fix: {rule.fix}"
    yield f"- Source: {rule.source or (_BASIS[rule.basis] if rule.basis else 'missing')}"
    yield f"- Checked in: {', '.join(f'`{path}`' for path in where[rule.id])}\n"


def _files_by_rule() -> Mapping[str, list[str]]:
    """Files of the program that contain the id of a rule."""
    files: dict[str, list[str]] = defaultdict(list)
    for path in sorted(path for folder in _FOLDERS for path in (PROJECT_ROOT / folder).rglob("*.py")):
        if path.parent.name != "rules":
            for identifier in sorted(set(re.findall(r"\"(LLMD-[A-Z0-9-]+)\"", path.read_text(encoding="utf-8")))):
                files[identifier].append(path.relative_to(PROJECT_ROOT).as_posix())
    return files
