"""`python -m tests.workflows.walk`: a pull request from its preview to the end of its stack, by the workflows' steps.

Beside the slow test of a change that is approved (test_walk): preview, a stack for the pull request and its end, merge,
plan, update, verify, drift, destroy, leftovers, each a job of .github/workflows on a local Git server. Prints every
step, and what stood in for it. Exit status 1 if one failed. `only-review` ends the walk after the pull request's own
stack. `promotion` walks something else: two merges, each from staging to production, and the end of both stacks.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from llm_d_gke.rehearsal.host import processes
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.stackfile import PROJECT_ROOT

from .runner import Job, Runner
from .server import NUMBER, Server, actions, comments, git, write_programs

WORKFLOWS = PROJECT_ROOT / ".github" / "workflows"
STACK = "gpu"
LABEL = "review-stack"
REVIEW_STACK = f"pr-{NUMBER}"
# In the order of their updates, which is not the alphabet's.
ENVIRONMENTS = ("staging", "production")
VARIABLES = {
    "GCP_WORKLOAD_IDENTITY_PROVIDER": "replaced",
    "PULUMI_STATE_URL": "gs://states",
    "PULUMI_SECRETS_PROVIDER": "replaced",
    "REVIEW_STACK": STACK,
}


@dataclass
class Walk:
    """A server, and the folders that its runners share."""

    folder: Path
    server: Server
    programs: Path
    failed: bool = False
    runs: int = 0
    approve: Callable[[str], bool] = lambda _environment: True

    def workflow(self, name: str, github: Mapping[str, Any], *jobs: str, **inputs: str) -> list[Job]:
        """Run a workflow, and print each of its steps."""
        self.runs += 1
        runner = Runner(
            folder=self.folder / f"run-{self.runs}",
            github=github,
            variables=VARIABLES,
            inputs=inputs,
            actions=actions(self.server, pulumi),
            programs=self.programs,
            approve=self.approve,
            environment={
                "WALK_COMMENTS": str(self.folder / "comments.json"),
                "WALK_BUCKETS": str(self.folder / "buckets"),
                "HOME": str(Path.home()),
            },
        )
        done = runner.run(WORKFLOWS / f"{name}.yml", *jobs)
        for job in done:
            for step in job.steps:
                stand_in = f" [{step.replaced}]" if step.replaced else ""
                print(f"{name}.yml {job.name}: {step.name}{stand_in}: {step.status}", flush=True)
                if step.status:
                    print(step.output[-4000:])
            self.failed = self.failed or job.failed
        return done


def pulumi(job: Job, arguments: Mapping[str, str]) -> str:
    """pulumi/actions: it installs the CLI, and runs a command if it has one."""
    if "command" not in arguments:
        return ""
    flags = {"up": ["--yes"], "destroy": ["--yes"], "preview": ["--diff"]}[arguments["command"]]
    command = ["pulumi", "--non-interactive", arguments["command"], "--stack", arguments["stack-name"], *flags]
    done = subprocess.run(
        command,
        cwd=job.workspace,
        env=job.environment,
        check=True,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    return done.stdout


def main() -> int:
    with tempfile.TemporaryDirectory() as name, walk_in(Path(name)) as walk:
        if "promotion" in sys.argv[1:]:
            _promote(walk)
        else:
            _walk(walk, only_review="only-review" in sys.argv[1:])
    return int(walk.failed)


@contextmanager
def walk_in(folder: Path) -> Iterator[Walk]:
    """A server and its runners; afterwards nothing of the stacks runs."""
    rehearsal = folder / "stacks" / ".rehearsal"
    rehearsal.mkdir(parents=True)
    try:
        yield Walk(folder, Server(folder, rehearsal), write_programs(folder / "programs", rehearsed=True))
    finally:
        for stack in (STACK, REVIEW_STACK, *ENVIRONMENTS):
            processes.stop_all(StackPaths(stack, folder / "stacks"))


def _walk(walk: Walk, *, only_review: bool) -> None:
    clone = walk.server.clone
    keep_one_stack(walk)
    git(clone, "push", "--quiet", "origin", "main")
    shorten_requests(clone / f"Pulumi.{STACK}.yaml")
    pull = walk.server.pull_request("Shorten requests", LABEL)
    walk.workflow("preview", pull)
    print(f"comments on the pull request: {len(comments(walk.folder / 'comments.json'))}")
    walk.workflow("review", pull)
    # The time of the stack is not over, so the schedule leaves it.
    walk.workflow("review", {**pull, "event_name": "schedule", "event": {"repository": pull["event"]["repository"]}})
    _expect_stack(walk, exists=True)
    walk.workflow("review", {**pull, "event": {**pull["event"], "action": "closed"}})
    _expect_stack(walk, exists=False)
    if only_review:
        return
    push = walk.server.merge()
    walk.workflow("deploy", push)
    schedule = {**push, "event_name": "schedule"}
    walk.workflow("drift", schedule)
    walk.workflow("destroy", {**push, "event_name": "workflow_dispatch"}, stack=STACK, confirm=STACK)


def _promote(walk: Walk) -> None:
    """Staging and production share a base. The first merge creates both, the second updates both by their plans."""
    clone = walk.server.clone
    keep_one_stack(walk)
    base = clone / "environments" / "service.yaml"
    base.parent.mkdir()
    (clone / f"Pulumi.{STACK}.yaml").rename(base)
    for stack in ENVIRONMENTS:
        config = {"llm-d:base": "environments/service.yaml", "llm-d:labels": {"environment": stack}}
        (clone / f"Pulumi.{stack}.yaml").write_text(yaml.safe_dump({"config": config}), encoding="utf-8")
    (clone / "environments" / "order.txt").write_text("\n".join(ENVIRONMENTS), encoding="utf-8")
    walk.server.commit("Add staging and production")
    push = walk.server.merge()
    _expect_order(walk, walk.workflow("deploy", push))
    shorten_requests(base)
    walk.server.commit("Shorten requests")
    push = walk.server.merge()
    _expect_order(walk, walk.workflow("deploy", push))
    for stack in reversed(ENVIRONMENTS):
        walk.workflow("destroy", {**push, "event_name": "workflow_dispatch"}, stack=stack, confirm=stack)


def keep_one_stack(walk: Walk) -> None:
    clone = walk.server.clone
    for file in (clone / "Pulumi.tpu.yaml", *(clone / "examples").glob("Pulumi.*.yaml")):
        file.unlink()
    walk.server.commit("Keep one stack")


def shorten_requests(file: Path) -> None:
    file.write_text(
        file.read_text(encoding="utf-8").replace("maxModelLen: 2048", "maxModelLen: 1024"), encoding="utf-8"
    )


def _expect_order(walk: Walk, jobs: Sequence[Job]) -> None:
    updated = tuple(job.contexts["matrix"]["stack"] for job in jobs if job.name == "up")
    if updated != ENVIRONMENTS:
        print(f"updated: {updated}; expected {ENVIRONMENTS}")
        walk.failed = True


def _expect_stack(walk: Walk, *, exists: bool) -> None:
    """The stack file of the pull request is kept as long as its stack is there, and so is its cluster."""
    file_exists = (walk.folder / "buckets" / "states" / "review" / f"Pulumi.{REVIEW_STACK}.yaml").exists()
    cluster = StackPaths(REVIEW_STACK, walk.folder / "stacks").cluster.exists()
    if (file_exists, cluster) != (exists, exists):
        print(f"{REVIEW_STACK}: stack file kept: {file_exists}, cluster: {cluster}; expected {exists}")
        walk.failed = True


if __name__ == "__main__":
    sys.exit(main())
