"""Runs the jobs of a workflow file: each `run:` step by bash as on GitHub, each `uses:` step by a replacement."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llm_d_gke.catalog.reading import read_yaml

from .expressions import evaluate, substitute, value_of

Contexts = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Step:
    """A step that ran. `replaced` is empty for a step of the file's own commands."""

    job: str
    name: str
    status: int
    output: str
    replaced: str = ""


@dataclass
class Job:
    """One job of a matrix: its folder, its variables, and what its steps have put out so far."""

    name: str
    workspace: Path
    contexts: Contexts
    environment: dict[str, str]
    steps: list[Step] = field(default_factory=list)
    failed: bool = False

    @property
    def summary(self) -> str:
        return Path(self.environment["GITHUB_STEP_SUMMARY"]).read_text(encoding="utf-8")


# The replacement of an action: it gets the job and the step's `with`, and returns what it printed.
Action = Callable[[Job, Mapping[str, str]], str]


@dataclass(kw_only=True)
class Runner:
    """`actions` by name without version; the values say what stands in for each. `programs` comes first on PATH."""

    folder: Path
    github: Mapping[str, Any]
    variables: Mapping[str, str]
    actions: Mapping[str, tuple[str, Action]]
    programs: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    # Whether the reviewers of a GitHub environment approve a job in it, asked when the job could begin.
    approve: Callable[[str], bool] = lambda _environment: True

    def run(self, file: Path, *only: str) -> list[Job]:
        """Run the jobs of a workflow whose `if` holds, in the order of the file; `only` these if any are named.

        A job whose needed job failed or did not run does not run either. A matrix ends with its first failure where
        the file says so.
        """
        document = read_yaml(file)
        outputs: Contexts = {}
        jobs: list[Job] = []
        for name, definition in document["jobs"].items():
            needed = definition.get("needs") or []
            needed = [needed] if isinstance(needed, str) else needed
            contexts = self._contexts() | {"needs": {need: {"outputs": outputs.get(need)} for need in needed}}
            if (only and name not in only) or any(need not in outputs for need in needed):
                continue
            if not evaluate(str(definition.get("if", "true")), contexts):
                continue
            run = list(self._matrix(name, definition, contexts))
            jobs += run
            if run and not any(job.failed for job in run):
                values = definition.get("outputs") or {}
                outputs[name] = {key: substitute(value, run[0].contexts) for key, value in values.items()}
        return jobs

    def _matrix(self, name: str, definition: Mapping[str, Any], contexts: Contexts) -> Iterator[Job]:
        strategy = definition.get("strategy") or {}
        axes = strategy.get("matrix") or {}
        rows = [{key: value} for key, values in axes.items() for value in value_of(values, contexts)] or [{}]
        for number, row in enumerate(rows):
            job = self._job(name, definition, contexts | {"matrix": row}, number)
            yield job
            if job.failed and strategy.get("fail-fast", True):
                return

    def _job(self, name: str, definition: Mapping[str, Any], contexts: Contexts, number: int) -> Job:
        home = self.folder / f"{name}-{number}"
        workspace = home / "work"
        workspace.mkdir(parents=True)
        files = {key: home / key.lower() for key in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_ENV")}
        for file in files.values():
            file.touch()
        search = os.pathsep.join(filter(None, [str(self.programs or ""), os.environ["PATH"]]))
        environment = {
            "PATH": search,
            "HOME": str(home),
            "GITHUB_SHA": str(self.github["sha"]),
            "GITHUB_REPOSITORY": str(self.github["repository"]),
            "GITHUB_EVENT_NAME": str(self.github["event_name"]),
            "GITHUB_WORKSPACE": str(workspace),
            "CI": "true",
            **{key: str(file) for key, file in files.items()},
            **self.environment,
        }
        job = Job(name, workspace, contexts | {"steps": {}}, environment)
        job.environment |= _texts(definition.get("env"), job.contexts)
        reviewed = substitute(str(definition.get("environment", "")), job.contexts)
        if reviewed and not self.approve(reviewed):
            job.failed = True
            return job
        for step in definition["steps"]:
            self._step(job, step)
        return job

    def _step(self, job: Job, step: Mapping[str, Any]) -> None:
        always = "always()" in str(step.get("if", ""))
        if (job.failed and not always) or not evaluate(str(step.get("if", "true")), job.contexts):
            return
        if "uses" in step:
            action = str(step["uses"]).partition("@")[0]
            title, perform = self.actions[action]
            arguments = _texts(step.get("with"), job.contexts)
            try:
                done = Step(job=job.name, name=action, status=0, output=perform(job, arguments), replaced=title)
            except subprocess.CalledProcessError as error:
                done = Step(job=job.name, name=action, status=1, output=str(error.output), replaced=title)
        else:
            done = self._run(job, step)
        job.steps.append(done)
        job.failed = job.failed or done.status != 0
        if "id" in step:
            job.contexts["steps"][step["id"]] = {"outputs": _outputs(Path(job.environment["GITHUB_OUTPUT"]))}

    def _run(self, job: Job, step: Mapping[str, Any]) -> Step:
        script = substitute(str(step["run"]), job.contexts)
        name = substitute(str(step.get("name", script.splitlines()[0])), job.contexts)
        environment = job.environment | _texts(step.get("env"), job.contexts)
        folder = job.workspace / str(step.get("working-directory", "."))
        # GitHub's default: bash -e, without pipefail.
        command = ["bash", "-e", "-c", script]
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            check=False,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        return Step(job=job.name, name=name, status=done.returncode, output=done.stdout)

    def _contexts(self) -> Contexts:
        return {"github": self.github, "vars": self.variables, "inputs": self.inputs, "needs": {}, "steps": {}}


def _texts(values: Mapping[str, Any] | None, contexts: Contexts) -> dict[str, str]:
    return {key: substitute(str(value), contexts) for key, value in (values or {}).items()}


def _outputs(file: Path) -> dict[str, str]:
    lines = file.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)
