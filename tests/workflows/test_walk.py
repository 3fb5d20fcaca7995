"""A change from its pull request to the end of its stack, by the workflow files' own steps on a local Git server.

The plan in the pull request, its approval, the update that has to match it, drift, and destroy. What stands in for
GitHub and Google is listed in runner.py and server.py.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from llm_d_gke.google_types import ROUTER
from llm_d_gke.maintenance.interruptions.remains import remains
from llm_d_gke.rehearsal.cluster_client import client
from llm_d_gke.rehearsal.paths import StackPaths
from tests.maintenance.interruptions.test_lost_results import kill_up

from .runner import Job, Step
from .server import comments
from .walk import STACK, Walk, keep_one_stack, shorten_requests, walk_in

pytestmark = [pytest.mark.rehearsal, pytest.mark.slow, pytest.mark.timeout(2400)]

UPDATE = f"Update {STACK} as planned"


@pytest.fixture
def walk(tmp_path: Path) -> Iterator[Walk]:
    with walk_in(tmp_path) as walk:
        yield walk


def job_of(jobs: Sequence[Job], name: str) -> Job:
    [job] = [job for job in jobs if job.name == name]
    return job


def step_of(job: Job, name: str) -> Step:
    # Pulumi's action installs the CLI first, and runs a command later.
    return [step for step in job.steps if step.name == name][-1]


def context_lengths(walk: Walk) -> set[str]:
    """What the running model servers were started with."""
    with client(StackPaths(STACK, walk.folder / "stacks")) as kube:
        pods = kube.list("v1", "Pod", labels="llm-d.ai/inference-serving=true")
    arguments = [pod["spec"]["containers"][0]["args"] for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    return {words[words.index("--max-model-len") + 1] for words in arguments}


def test_the_workflow_destroys_what_a_killed_update_left(walk: Walk) -> None:
    """The update was killed between the creation of a router, which holds the network, and its record."""
    paths = StackPaths(STACK, walk.folder / "stacks")
    kill_up(ROUTER, paths)
    assert any(line.startswith("state: pending creating") for line in remains(paths))
    keep_one_stack(walk)
    dispatch = {**walk.server.merge(), "event_name": "workflow_dispatch"}
    destroy = job_of(walk.workflow("destroy", dispatch, stack=STACK, confirm=STACK), "destroy")
    assert not destroy.failed, destroy.steps[-1].output
    services = "Google Cloud: gcp:projects/service:Service"
    assert [line for line in remains(paths) if not line.startswith(services)] == []


def test_a_change_is_planned_approved_made_as_planned_and_removed(walk: Walk) -> None:
    plans = walk.folder / "buckets" / "states" / "plans" / STACK
    approved: list[str] = []

    def approve(environment: str) -> bool:
        approved.append(environment)
        return True

    walk.approve = approve
    clone = walk.server.clone
    keep_one_stack(walk)
    first = walk.server.merge()
    up = job_of(walk.workflow("deploy", first), "up")
    assert not up.failed, up.steps[-1].output
    assert approved == [STACK]
    assert context_lengths(walk) == {"2048"}

    shorten_requests(clone / f"Pulumi.{STACK}.yaml")
    jobs = walk.workflow("preview", walk.server.pull_request("Shorten requests"))
    assert '"2048" => "1024"' in step_of(job_of(jobs, "preview"), "pulumi/actions").output
    [comment] = comments(walk.folder / "comments.json")
    assert "1024" in comment

    push = walk.server.merge()
    walk.approve = lambda _environment: False
    jobs = walk.workflow("deploy", push)
    assert '"2048" => "1024"' in job_of(jobs, "plan").summary
    rejected = job_of(jobs, "up")
    assert (rejected.failed, rejected.steps) == (True, [])

    def exchange(_environment: str) -> bool:
        """The plan of the commit before takes the place of the one that was read."""
        shutil.copy(plans / f"{first['sha']}.json", plans / f"{push['sha']}.json")
        return True

    walk.approve = exchange
    deviating = job_of(walk.workflow("deploy", push), "up")
    assert deviating.steps[-1].name == UPDATE
    assert deviating.steps[-1].status != 0
    assert "plan" in deviating.steps[-1].output
    assert context_lengths(walk) == {"2048"}

    walk.failed, walk.approve = False, approve
    up = job_of(walk.workflow("deploy", push), "up")
    assert not up.failed, up.steps[-1].output
    assert context_lengths(walk) == {"1024"}

    schedule = {**push, "event_name": "schedule"}
    assert not job_of(walk.workflow("drift", schedule, "stacks", "drift"), "drift").failed
    dispatch = {**push, "event_name": "workflow_dispatch"}
    destroy = job_of(walk.workflow("destroy", dispatch, stack=STACK, confirm=STACK), "destroy")
    assert step_of(destroy, "Destroy, and look for leftovers").status == 0
    assert not walk.failed
