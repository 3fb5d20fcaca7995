"""Exit statuses, the same for every command, and the errors that end one."""

from __future__ import annotations

DONE = 0
FAILED = 1
# A stack file that cannot work, or a command line that cannot be read: nothing was done.
REFUSED = 2
# `verify` and `diagnose`: a stack that runs does not do what its plan promises.
UNMET = 2
# `preflight` without Google credentials: only the needs were listed.
NO_CREDENTIALS = 3
INTERRUPTED = 130
# The program that read the output ended first, as `head` does: the status that a shell gives for SIGPIPE.
CLOSED_PIPE = 141


class CommandError(Exception):
    """What prevents a command, with the correction: printed without a traceback. `status` is the exit status."""

    status = FAILED


class RefusedInputError(CommandError):
    """What a person wrote cannot be used; nothing was done."""

    status = REFUSED
