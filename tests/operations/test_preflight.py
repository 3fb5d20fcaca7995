"""Tests of the preflight run in a separate process.

Google's client libraries and Pulumi's SDK each register the Protocol Buffers file of google.rpc.Status under a name of
their own; in one process the second one fails. The program never loads both.
"""

from __future__ import annotations

import subprocess
import sys

from stackfile import PROJECT_ROOT


def test_the_preflight_asks_and_judges() -> None:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--color=no"]
    done = subprocess.run(
        [*command, "tests/operations/preflight/asked.py"],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
