"""Every stack file of the examples: found by its name, without an error, and previewed."""

from __future__ import annotations

from typing import get_args

import pytest

from llm_d_gke.catalog import load
from llm_d_gke.planning.findings import Severity
from llm_d_gke.settings.stack import Pattern
from llm_d_gke.stackfile import EXAMPLES, PROJECT_ROOT, StackFileError, stack_file
from tests.objects import of_kind
from tests.planning.refusals.case import findings_of
from tests.stacks import graph_of, plan_of, values_of

# vLLM 0.11 runs on one host of a slice.
LACKING = {
    ("mixture-of-experts-tpu", release): ["llm-d:accelerator.topology"] for release in ("llm-d-0.4", "rhaiis-3.2")
} | {
    # Their picker supports one stage only.
    (f"{way}disaggregated-{kind}", release): ["llm-d:release"]
    for way in ("", "kserve-")
    for kind in ("gpu", "tpu")
    for release in ("gaie-1.5", "rhaiis-3.2", "rhaii-3.4")
}

# Red Hat's later release has no image for TPUs.
LACKING |= {
    (name, "rhaii-3.4"): ["llm-d:release"]
    for name in (
        file.name.removeprefix("Pulumi.").removesuffix(".yaml") for file in (PROJECT_ROOT / EXAMPLES).glob("*")
    )
    if name.endswith("-tpu")
}

# Their entry point supports neither several hosts nor several ranks.
LACKING |= {
    (f"{way}mixture-of-experts-wide-gpu", release): ["llm-d:models[0].dataParallel"]
    for way in ("", "kserve-")
    for release in ("rhaiis-3.2", "rhaii-3.4")
}

FILES = sorted((PROJECT_ROOT / EXAMPLES).glob("Pulumi.*.yaml"))
NAMES = [file.name.removeprefix("Pulumi.").removesuffix(".yaml") for file in FILES]


def test_every_pattern_has_one_on_each_accelerator() -> None:
    """single-replica is the pattern of the project's own stack files."""
    patterns = set(get_args(Pattern)) - {"single-replica"}
    assert {f"{pattern}-{kind}" for pattern in patterns for kind in ("gpu", "tpu")} <= set(NAMES)


def test_kserve_has_every_cell() -> None:
    """Two patterns, on each accelerator, behind each kind of Gateway; stages and groups behind Google's."""
    cells = {
        f"kserve-{gateway}{pattern}-{kind}"
        for gateway in ("", "istio-")
        for pattern in ("single-replica", "prefix-cache")
        for kind in ("gpu", "tpu")
    }
    cells |= {"kserve-disaggregated-gpu", "kserve-disaggregated-tpu", "kserve-mixture-of-experts-wide-gpu"}
    assert cells <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_found_and_named_after_its_pattern(name: str) -> None:
    assert stack_file(PROJECT_ROOT, name).parent.name == EXAMPLES
    values, rest = values_of(name), name.removeprefix("kserve-").removeprefix("istio-")
    assert rest.startswith((values.get("pattern", "single-replica"), "autoscaled", "autopilot", "compute-class"))
    assert values.get("deployment", "direct") == ("kserve" if name.startswith("kserve-") else "direct")
    implementation = values.get("gateway", {}).get("implementation", "gke")
    assert implementation == ("istio" if name.startswith("kserve-istio-") else "gke")


@pytest.mark.parametrize("release", sorted(load().releases))
@pytest.mark.parametrize("name", NAMES)
def test_no_release_refuses_it_but_for_what_it_lacks(name: str, release: str) -> None:
    account = {"server": "registry.redhat.io", "username": "me", "password": "p"}
    registry = account if release.startswith("rhaii") else None
    findings = findings_of(name, {"release": release, "registry": registry})
    errors = [finding.path for finding in findings if finding.severity is Severity.ERROR]
    assert errors == LACKING.get((name, release), [])


@pytest.mark.parametrize("name", NAMES)
def test_it_previews(name: str) -> None:
    graph, plan = graph_of(name), plan_of(name)
    makes_pools = "LLMInferenceService" if name.startswith("kserve-") else "InferencePool"
    assert len(of_kind(graph, makes_pools)) == len(plan.models)


def test_a_stack_that_is_nowhere_is_told_what_there_is() -> None:
    with pytest.raises(StackFileError, match=r"Stacks: .*gpu, .*mixture-of-experts-gpu, .*tpu"):
        stack_file(PROJECT_ROOT, "no-such-stack")
