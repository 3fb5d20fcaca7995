"""Every stack on every release: planned with what its parts take, or refused with findings."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_d_gke import catalog
from llm_d_gke.catalog.upstream import Program, load_upstream
from llm_d_gke.planning import RefusedError, StackPlan
from llm_d_gke.planning.engine_support.options import unknown_options
from llm_d_gke.planning.plan.pods import ContainerPlan, PodPlan
from llm_d_gke.stackfile import project_stacks
from tests.stacks import PASSWORD, plan_of

CATALOG, UPSTREAM = catalog.load(), load_upstream()
ROOT = Path(__file__).resolve().parents[2]
STACKS = project_stacks()
CELLS = [(stack, release) for release in CATALOG.releases for stack in STACKS]
# Red Hat's images are pulled with an account.
ACCOUNT = {"registry": {"server": "registry.redhat.io", "username": "somebody", "password": PASSWORD}}


@functools.cache
def planned(stack: str, release: str) -> StackPlan | RefusedError:
    try:
        return plan_of(stack, {"release": release, **ACCOUNT})
    except RefusedError as refused:
        return refused


def plans(release: str) -> Iterator[tuple[str, StackPlan]]:
    """Stacks that the release plans."""
    for stack in STACKS:
        plan = planned(stack, release)
        if isinstance(plan, StackPlan):
            yield stack, plan


def names(pod: PodPlan | ContainerPlan) -> set[str]:
    """Flags of a pod's arguments, without dashes and values."""
    return {arg.lstrip("-").partition("=")[0] for arg in pod.args if arg.startswith("-")}


def program(image: str) -> Program:
    programs = UPSTREAM.programs.get(image)
    if programs is None:
        pytest.skip(f"the source of {image} was not available: see docs/releases.md")
    return programs


@pytest.mark.parametrize(("stack", "release"), CELLS)
def test_a_stack_is_planned_or_refused_with_findings(stack: str, release: str) -> None:
    plan = planned(stack, release)
    if isinstance(plan, RefusedError):
        assert all(finding.rule and finding.fix for finding in plan.findings)
        assert any(finding.severity == "error" for finding in plan.findings)
    else:
        assert plan.release == release


@pytest.mark.parametrize("release", CATALOG.releases)
class TestEveryPartKnowsItsFlags:
    def test_picker(self, release: str) -> None:
        checked = 0
        for _, plan in plans(release):
            for model in plan.models:
                program_ = program(model.picker.pod.image)
                assert names(model.picker.pod) <= set(program_.flags)
                checked += 1
        assert checked

    def test_router(self, release: str) -> None:
        routers = [plan.router for _, plan in plans(release) if plan.router is not None]
        assert routers
        for router in routers:
            program_ = program(router.pod.image)
            assert names(router.pod) <= set(program_.flags)
            assert (CATALOG.releases[release].router.mapping_label,) == program_.labels

    def test_sidecar(self, release: str) -> None:
        for _, plan in plans(release):
            for model in plan.models:
                for server in model.servers:
                    for sidecar in server.pod.sidecars:
                        assert names(sidecar) <= set(program(sidecar.image).flags)

    def test_engine(self, release: str) -> None:
        """Arguments of vLLM's own parser, by the version in the image."""
        read = UPSTREAM.vllm
        engine = CATALOG.releases[release].engine
        images = filter(None, (engine.gpu, engine.tpu, *engine.exceptions))
        versions = {image.image: image.version for image in images}
        for _, plan in plans(release):
            for model in plan.models:
                for server in model.servers:
                    version = versions.get(server.pod.image)
                    # Some stacks set a custom image.
                    if version is None or not read.covers(version):
                        continue
                    assert not unknown_options(version, [f"--{name}" for name in sorted(names(server.pod))])


@pytest.mark.parametrize("release", CATALOG.releases)
def test_the_plugins_of_a_picker_are_those_that_it_registers(release: str) -> None:
    entry = CATALOG.releases[release]
    pickers = [entry.picker, *([entry.disaggregation.picker] if entry.disaggregation else [])]
    for picker in filter(None, pickers):
        assert set(CATALOG.pickers[picker.build].plugins) == set(program(picker.image).plugins)
