"""Turns an expected failure into one or two sentences. An unexpected one keeps its traceback: it is a defect."""

from __future__ import annotations

import errno
import re

from pulumi import automation as auto

from llm_d_gke.kube import KubeError
from llm_d_gke.rehearsal.errors import RehearsalError
from llm_d_gke.resource_graph.rendering import DuplicateObjectError
from llm_d_gke.stackfile import StackFileError


def explain(error: BaseException) -> str | None:
    """Sentences for the person at the keyboard, None for an unexpected error."""
    if isinstance(error, RehearsalError | KubeError | StackFileError | DuplicateObjectError):
        return str(error)
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"the disk is full ({error.filename or 'no file named'}): free some space and run the command again"
    if isinstance(error, auto.ConcurrentUpdateError):
        return _locked(str(error))
    if isinstance(error, auto.CommandError):
        # up, preview and destroy print their diagnostics themselves; the smaller commands around them do not.
        own = [line for line in str(error).partition(" stderr: ")[2].splitlines() if line.startswith("error: ")]
        return "\n".join(["Pulumi ended with an error; see its diagnostics above", *own])
    return None


def _locked(printed: str) -> str:
    """Pulumi's own lock is that of a program besides the commands here, which hold a lock of their own before it."""
    holders = re.findall(r"created by (\S+) \(pid (\d+)\) at (\S+)", printed)
    owner = ", ".join(f"process {process} of {user}, since {began}" for user, process, began in holders)
    return (
        f"Pulumi is changing the state of this stack: {owner or 'a process that it does not name'}. Wait for it"
        " to end, then run this command again"
    )
