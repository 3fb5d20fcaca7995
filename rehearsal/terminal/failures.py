"""Turns what may go wrong into a sentence. What nobody expected keeps its traceback: that is a defect to report."""

from __future__ import annotations

import errno

from pulumi import automation as auto

from rehearsal.control_plane.control_plane import ControlPlaneError
from rehearsal.errors import RehearsalError
from rehearsal.host.processes import ProcessError
from rehearsal.kube import KubeError
from rehearsal.toolchain.build import BuildError
from stackfile import StackFileError

_EXPECTED = (RehearsalError, StackFileError, ControlPlaneError, ProcessError, BuildError, KubeError)


def explain(error: BaseException) -> str | None:
    """One or two sentences for the person at the keyboard, or None for an error nobody foresaw."""
    if isinstance(error, _EXPECTED):
        return str(error)
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"the disk is full ({error.filename or 'no file named'}): free some space and run the command again"
    if isinstance(error, auto.ConcurrentUpdateError):
        return "another command works on this stack right now: wait for it to end"
    if isinstance(error, auto.CommandError):
        # What up, preview and destroy say is on the screen already; the smaller commands around them say nothing there.
        own = [line for line in str(error).partition(" stderr: ")[2].splitlines() if line.startswith("error: ")]
        return "\n".join(["Pulumi ended with an error; its diagnostics stand above", *own])
    return None
