"""Exit statuses, the same for every command."""

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
