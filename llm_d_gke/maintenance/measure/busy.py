"""Runs the end-to-end tests on a busy machine: `python -m llm_d_gke.maintenance.measure.busy [RUNS] [-- PYTEST...]`.

Two processes that only loop keep the cores busy all the while; RUNS is 10 unless given. Prints for each run what
passed and failed, its minutes and the machine's load at its end. Exit status 1 if a test failed in any of them.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from llm_d_gke.cli.markdown import print_head, print_row
from llm_d_gke.stackfile import PROJECT_ROOT

_TESTS: Final = ("tests/rehearsal/e2e", "-n", "2", "--dist", "loadscope", "--no-loadscope-reorder")
_BURNERS: Final = 2


@contextlib.contextmanager
def burning(processes: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Keeps a core busy for each process until the block ends."""
    burners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield burners
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def run_tests(arguments: tuple[str, ...], log: Path) -> tuple[int, list[str]]:
    """How many tests passed, and the names of those that did not; `log` takes what pytest prints.

    Raises RuntimeError if pytest could not run them.
    """
    with tempfile.TemporaryDirectory() as folder, log.open("w", encoding="utf-8") as output:
        results = Path(folder, "results.xml")
        argv = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--junitxml={results}", *arguments]
        subprocess.run(argv, cwd=PROJECT_ROOT, check=False, stdout=output, stderr=subprocess.STDOUT)
        if not results.exists():
            raise RuntimeError(f"pytest ran no test: {log} has its words")
        cases = list(ET.parse(results).getroot().iter("testcase"))  # noqa: S314 - pytest wrote it a moment ago
    bad = [case for case in cases if case.find("failure") is not None or case.find("error") is not None]
    skipped = sum(case.find("skipped") is not None for case in cases)
    return len(cases) - len(bad) - skipped, [f"{case.get('classname')}::{case.get('name')}" for case in bad]


def main(arguments: list[str]) -> int:
    runs = int(arguments[0]) if arguments and arguments[0] != "--" else 10
    tests = tuple(arguments[arguments.index("--") + 1 :]) if "--" in arguments else _TESTS
    failed = False
    print_head("run", "passed", "failed", "minutes", "load")
    with burning(_BURNERS):
        for number in range(1, runs + 1):
            began = time.monotonic()
            log = Path(tempfile.gettempdir(), f"llm-d-busy-{number}.log")
            passed, bad = run_tests(tests, log)
            minutes = (time.monotonic() - began) / 60
            print_row(number, passed, ", ".join(bad) or 0, f"{minutes:.1f}", f"{os.getloadavg()[0]:.0f}")
            sys.stdout.flush()
            failed = failed or bool(bad)
            if not bad:
                log.unlink()
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
