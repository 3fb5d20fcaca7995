"""Value types of a diagnosis."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Cause:
    """One cause. `subject` is the affected object, `evidence` the text that identified the cause.

    `waits`: nothing is wrong yet, and the thing to do is to wait.
    """

    id: str
    subject: str
    cause: str
    evidence: str
    fix: str
    pitfalls: tuple[int, ...] = ()
    waits: bool = False


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """`causes` begins with the root cause, if there is one. `unreadable` are kinds that could not be listed.

    `changed`: settings of the stack file that differ from the last up, which may be what began it. `paused`: the stack
    file asks for no model server. `halfway`: where requests go while an up is unfinished.
    """

    stack: str
    looked_at: str
    causes: tuple[Cause, ...]
    unreadable: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    paused: bool = False
    halfway: tuple[str, ...] = ()

    @property
    def has_causes(self) -> bool:
        return bool(self.causes)
