"""Records a program in a subprocess, so that neither its modules nor its settings stay in this process."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from llm_d_gke.resource_graph.model import Graph
from llm_d_gke.resource_graph.recorder import record
from llm_d_gke.stackfile import PROJECT_ROOT


class ProgramError(Exception):
    """A program recorded in its own process raised; the message is the exception's, `details` its traceback."""

    def __init__(self, message: str, details: str) -> None:
        super().__init__(message)
        self.details = details


@dataclass(frozen=True, kw_only=True)
class _Order:
    program: Path
    project: str
    stack: str
    config: Mapping[str, str]
    secret_keys: tuple[str, ...]
    preview: bool


@dataclass(frozen=True)
class _Failure:
    message: str
    details: str


def record_in_subprocess(
    program: Path,
    *,
    project: str = "llm-d",
    stack: str,
    config: Mapping[str, str] | None = None,
    secret_keys: Iterable[str] = (),
    preview: bool = True,
    environment: Mapping[str, str] | None = None,
    timeout: float = 120,
) -> Graph:
    """As `record`, for a program's folder or file, in a fresh interpreter; answers are `plausible` ones.

    `environment` is added to this process's environment. The program's output goes to its standard error. Raises
    ProgramError, or subprocess.TimeoutExpired after `timeout` seconds.
    """
    order = _Order(
        program=program.resolve(),
        project=project,
        stack=stack,
        config=dict(config or {}),
        secret_keys=tuple(secret_keys),
        preview=preview,
    )
    variables = os.environ | dict(environment or {})
    variables["PYTHONPATH"] = os.pathsep.join(filter(None, [str(PROJECT_ROOT), variables.get("PYTHONPATH")]))
    with tempfile.TemporaryDirectory(prefix="recording-") as folder:
        result = Path(folder) / "graph"
        # The order is sent through a pipe: configuration holds secrets, and a command line is readable by every user.
        completed = subprocess.run(
            [sys.executable, "-m", "llm_d_gke.resource_graph", str(result)],
            input=pickle.dumps(order),
            stdout=sys.__stderr__,
            env=variables,
            timeout=timeout,
            check=False,
        )
        if not result.exists():
            raise ProgramError(f"{program} ended with exit code {completed.returncode} before it was recorded", "")
        outcome: Graph | _Failure = pickle.loads(result.read_bytes())  # noqa: S301 - written by the process just run
    if isinstance(outcome, _Failure):
        raise ProgramError(outcome.message, outcome.details)
    return outcome


def serve(order: bytes, result: Path) -> None:
    """The child of `record_in_subprocess`: record the ordered program and write the graph, or the error."""
    parsed_order: _Order = pickle.loads(order)  # noqa: S301 - written by the process that started this one
    outcome: Graph | _Failure
    try:
        outcome = record(
            parsed_order.program,
            project=parsed_order.project,
            stack=parsed_order.stack,
            config=parsed_order.config,
            secret_keys=parsed_order.secret_keys,
            preview=parsed_order.preview,
        )
    except Exception as error:
        outcome = _Failure(f"{type(error).__name__}: {error}", traceback.format_exc())
    result.write_bytes(pickle.dumps(outcome))
