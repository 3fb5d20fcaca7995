"""`python -m rehearsal COMMAND`, as it was before the packages had one name. `bin/llmd` has all commands."""

from __future__ import annotations

import runpy

if __name__ == "__main__":
    runpy.run_module("llm_d_gke.rehearsal", run_name="__main__")
