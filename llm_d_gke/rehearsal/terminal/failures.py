"""Turns an expected failure into one or two sentences. An unexpected one keeps its traceback: it is a defect."""

from __future__ import annotations

import errno

from pulumi import automation as auto

from llm_d_gke.kube import KubeError
from llm_d_gke.rehearsal.errors import BusyError, RehearsalError
from llm_d_gke.resource_graph.rendering import DuplicateObjectError
from llm_d_gke.stackfile import StackFileError


def explain(error: BaseException) -> str | None:
    """Sentences for the person at the keyboard, None for an unexpected error."""
    if isinstance(error, RehearsalError | KubeError | StackFileError | DuplicateObjectError):
        return str(error)
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"the disk is full ({error.filename or 'no file named'}): free some space and run the command again"
    if isinstance(error, auto.ConcurrentUpdateError):
        return str(BusyError())
    if isinstance(error, auto.CommandError):
        # up, preview and destroy print their diagnostics themselves; the smaller commands around them do not.
        own = [line for line in str(error).partition(" stderr: ")[2].splitlines() if line.startswith("error: ")]
        return "\n".join(["Pulumi ended with an error; see its diagnostics above", *own])
    return None
