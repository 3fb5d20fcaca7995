"""How the planned objects are recorded beside the checks."""

from __future__ import annotations

import subprocess
import sys
import threading

from llm_d_gke.operations.verify.run import start_method

ASK = "from llm_d_gke.operations.verify.run import start_method; print(start_method())"


def test_only_a_process_without_threads_is_forked() -> None:
    """A copy of one whose gRPC has run, as after each step of an upgrade, may wait forever."""
    done = subprocess.run([sys.executable, "-c", ASK], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "fork"
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait)
    thread.start()
    try:
        assert start_method() == "spawn"
    finally:
        ended.set()
        thread.join()
