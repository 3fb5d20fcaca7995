"""A stack under KServe that went back to a release whose KServe leaves the newer one's finalizers can be destroyed."""

from __future__ import annotations

import pytest
import yaml

from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.kube import Manifests
from tests.waiting import eventually

from .group_stacks import KSERVE, NAMESPACE
from .project import Project

pytestmark = [pytest.mark.rehearsal, pytest.mark.slow]

OLDER, NEWER = "llm-d-0.6", "llm-d-0.9"
PRESET = ("serving.kserve.io/v1alpha2", "LLMInferenceServiceConfig")
FINALIZER = "serving.kserve.io/llmisvcconfig-finalizer"


def presets(project: Project) -> Manifests:
    """Those of the stack and of KServe's chart."""
    with project.kube(KSERVE) as kube:
        listed = kube.list(*PRESET)
    assert {preset["metadata"]["namespace"] for preset in listed} == {NAMESPACE, "kserve"}
    return listed


def finalized(project: Project) -> set[bool]:
    return {FINALIZER in preset["metadata"].get("finalizers", ()) for preset in presets(project)}


def test_the_way_back_frees_presets_and_so_does_a_destroy(fresh: Project) -> None:
    document = read_yaml(fresh.root / "examples" / f"Pulumi.{KSERVE}.yaml")
    document["config"]["llm-d:release"] = NEWER
    (fresh.root / f"Pulumi.{KSERVE}.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    fresh.run("up", KSERVE)
    eventually(lambda: finalized(fresh) == {True}, "the newer KServe holds all presets")
    fresh.look("upgrade", KSERVE, OLDER)
    assert finalized(fresh) == {False}
    # As after a way back by `up` alone, without the steps.
    with fresh.kube(KSERVE) as kube:
        for preset in presets(fresh):
            name, namespace = preset["metadata"]["name"], preset["metadata"]["namespace"]
            kube.patch(*PRESET, name, {"metadata": {"finalizers": [FINALIZER]}}, namespace)
    fresh.run("down", KSERVE)
    assert fresh.leftovers(KSERVE) == []
