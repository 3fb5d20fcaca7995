"""KServe's controller says in conditions what it lacks, and `diagnose` reads them, whatever `Ready` says."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from llm_d_gke.kube import Kube
from tests.waiting import eventually

from .faulty_pods import NAMESPACE
from .project import Command, Project, project_in

pytestmark = [pytest.mark.rehearsal, pytest.mark.slow]

STACK = "kserve-single-replica-gpu"
SERVICES = ("serving.kserve.io/v1alpha2", "LLMInferenceService")
ABSENT = {"name": "absent", "namespace": NAMESPACE}
# By cause: what changes in the service, and back.
FAULTS: dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {
    "kserve-presets": ({"baseRefs": [{"name": "absent"}]}, {"baseRefs": None}),
    "kserve-reference-missing": (
        {"router": {"gateway": {"refs": [ABSENT]}}},
        {"router": {"gateway": {"refs": [{"name": "inference-gateway", "namespace": NAMESPACE}]}}},
    ),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with project_in(tmp_path_factory.mktemp("conditions")) as created:
        created.run("up", STACK)
        yield created


def causes(project: Project) -> dict[str, str]:
    done = Command(project.root, ("diagnose", STACK, "--json"), "llm_d_gke").wait()
    return {cause["id"]: cause["evidence"] for cause in json.loads(done.text)["causes"]}


def change(kube: Kube, name: str, spec: Mapping[str, Any]) -> None:
    kube.patch(*SERVICES, name, {"spec": spec}, NAMESPACE)


@pytest.mark.parametrize("cause", FAULTS)
def test_a_condition_is_named_and_goes(project: Project, cause: str) -> None:
    fault, back = FAULTS[cause]
    with project.kube(STACK) as kube:
        [service] = kube.list(*SERVICES, NAMESPACE)
        name = service["metadata"]["name"]
        change(kube, name, fault)
        eventually(lambda: "absent" in causes(project).get(cause, ""), cause, every=1)
        change(kube, name, back)
        eventually(lambda: causes(project) == {}, "nothing is wrong", every=1)
