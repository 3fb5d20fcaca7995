"""Runs inference-perf, which has its own Python environment, against an address."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from llm_d_gke.operations.bench.result import BenchError

# inference-perf asks for Python 3.12 and runs on 3.11 without that check; `make bench-env` installs it so.
TOOL: Final = "inference-perf 0.7.0"
PYTHON: Final = "LLMD_BENCH_PYTHON"
_ENVIRONMENT: Final = Path(__file__).resolve().parents[3] / ".venv-bench" / "bin" / "python"
_MAKES_TOKENIZER: Final = Path(__file__).with_name("tokenizer_program.py")


def find_python() -> Path:
    """The Python of the load generator's environment. Raises BenchError where there is none."""
    python = Path(os.environ.get(PYTHON) or _ENVIRONMENT)
    if not python.exists():
        raise BenchError(f"the load generator is not installed ({python} does not exist): run make bench-env")
    return python


def make_tokenizer(python: Path, folder: Path) -> str:
    """A small tokenizer, which needs no Hub. Its tokens are not the model's: lengths are then approximate."""
    done = subprocess.run(
        [str(python), str(_MAKES_TOKENIZER), str(folder)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BenchError(f"the tokenizer could not be written: {done.stderr.strip().splitlines()[-1]}")
    return str(folder)


def run_tool(python: Path, configuration: Mapping[str, Any], folder: Path, *, offline: bool) -> None:
    """Run inference-perf. Its output goes to `inference-perf.log` in the folder."""
    file, log = folder / "inference-perf.yaml", folder / "inference-perf.log"
    file.write_text(yaml.safe_dump(dict(configuration), sort_keys=False), encoding="utf-8")
    variables = os.environ | ({"HF_HUB_OFFLINE": "1"} if offline else {})
    with log.open("w", encoding="utf-8") as out:
        command = [str(python), "-c", "from inference_perf import main_cli; main_cli()", "-c", str(file)]
        done = subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, env=variables, check=False)
    if done.returncode:
        raise BenchError(f"inference-perf ended with {done.returncode}: see {log}")
