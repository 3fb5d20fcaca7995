"""Two clusters of a fleet behind one multi-cluster Gateway, and one of them goes.

A stand-in plays Google's multi-cluster controller and load balancer (llm_d_gke/rehearsal/load_balancer/fleet.py).
"""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from tests.stacks import EXISTING_NETWORK, FLEET_CONFIG, FLEET_MEMBER
from tests.waiting import eventually

from .project import Project
from .traffic import Request, Steady, ask_in_turn

pytestmark = [pytest.mark.rehearsal, pytest.mark.slow]

CONFIG, MEMBER = "west", "east"
MODEL = "google/gemma-2b-it"
GKE, IMPORT = "networking.gke.io/v1", "GCPInferencePoolImport"


def imports(project: Project) -> set[str]:
    with project.kube(CONFIG) as kube:
        return {item["metadata"]["name"] for item in kube.list(GKE, IMPORT)}


def pools(project: Project, stack: str) -> set[str]:
    with project.kube(stack) as kube:
        return {pool["metadata"]["name"] for pool in kube.list("inference.networking.k8s.io/v1", "InferencePool")}


def plain_destroy(project: Project, stack: str) -> str:
    """The output of `pulumi destroy`, without what `down` does before it; fails unless Pulumi ends with an error."""
    lines = (
        "from llm_d_gke.rehearsal.commands import PROJECT_ROOT, engine, load, show",
        "from llm_d_gke.rehearsal.paths import StackPaths",
        f"paths, configuration = StackPaths({stack!r}), load(PROJECT_ROOT, {stack!r})",
        "with engine(paths, configuration, print) as pulumi:",
        "    pulumi.stack.destroy(on_output=show, on_error=show)",
    )
    command = [sys.executable, "-c", "\n".join(lines)]
    done = subprocess.run(command, cwd=project.root, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    return done.stdout


def test_both_clusters_answer_and_the_config_cluster_alone_after_down_of_the_member(fresh: Project) -> None:
    fresh.write_stack(CONFIG, FLEET_CONFIG)
    network = {**EXISTING_NETWORK, "network": f"llm-d-{CONFIG}-network"}
    fresh.write_stack(MEMBER, FLEET_MEMBER | {"network.existing": network})
    assert f"{MODEL} answered in" in fresh.run("up", CONFIG)
    assert "a member of a fleet has no Gateway" in fresh.run("up", MEMBER)
    assert imports(fresh) == pools(fresh, CONFIG) == pools(fresh, MEMBER)

    request = Request(fresh.endpoint(CONFIG), MODEL, "is the number.")
    servers = {stack: fresh.ready(stack) for stack in (CONFIG, MEMBER)}
    answered: set[str] = set()

    def both_have_answered() -> bool:
        samples = ask_in_turn([request] * 10)
        assert all(sample.answered for sample in samples)
        answered.update(sample.pod for sample in samples)
        return all(answered & own for own in servers.values())

    eventually(both_have_answered, "an answer of each cluster")
    assert answered <= servers[CONFIG] | servers[MEMBER]
    assert {"gateway", "routes", "policies", "chat", "objects"} <= fresh.verified(CONFIG)
    assert {"replicas", "engine-metrics", "objects"} <= fresh.verified(MEMBER)

    with Steady(request) as load:
        load.await_answers(40)
        assert "ARGS=--despite-members" in fresh.run("down", CONFIG, code=1)
        assert "protected" in plain_destroy(fresh, MEMBER)
        fresh.run("down", MEMBER)
        load.await_answers(40, since=time.monotonic())
    assert load.unanswered == []
    assert fresh.leftovers(MEMBER) == []
    assert {sample.pod for sample in ask_in_turn([request] * 20)} <= servers[CONFIG]
    assert imports(fresh) == pools(fresh, CONFIG)
    fresh.run("down", CONFIG)
    assert fresh.leftovers(CONFIG) == []
