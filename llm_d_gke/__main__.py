"""`python -m llm_d_gke COMMAND`: the whole command line. `bin/llmd COMMAND` is the same."""

from __future__ import annotations

import gc
import signal

# Until a command handles Ctrl-C, it ends the process in silence, also in the middle of an import. A shell's
# background job ignores it.
if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

# Imports and the catalog make many objects that stay. Looking for garbage among them is a tenth of a short command.
if __name__ == "__main__":
    gc.set_threshold(50_000)

from llm_d_gke.cli.run import leave, run_app
from llm_d_gke.operations.cli.app import build_app

if __name__ == "__main__":
    leave(run_app(build_app()))
