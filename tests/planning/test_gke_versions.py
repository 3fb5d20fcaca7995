"""The version of GKE decides the built-in features of a cluster."""

from __future__ import annotations

import pytest

from llm_d_gke.planning.gke_versions import INFERENCE_POOL_SINCE, brings_inference_pool
from tests.stacks import existing_cluster, plan_of


@pytest.mark.parametrize(
    ("version", "brings"),
    [
        (None, True),
        ("1.35", True),
        ("1.34", True),
        ("1.34.0", True),
        ("1.33", False),
        (INFERENCE_POOL_SINCE, True),
        ("1.34.0-gke.1625999", False),
        ("1.33.9-gke.9999999", False),
    ],
)
def test_gke_brings_the_inference_pool_from_its_version_on(version: str | None, brings: bool) -> None:
    assert brings_inference_pool(version) is brings


@pytest.mark.parametrize(
    ("changes", "installed"),
    [
        ({}, False),
        ({"cluster.version": "1.33"}, True),
        ({"cluster.version": "1.35"}, False),
        (existing_cluster("1.33.4-gke.1"), True),
        (existing_cluster("1.36.0-gke.1"), False),
    ],
    ids=str,
)
def test_the_stack_installs_the_crd_where_gke_does_not(changes: dict[str, object], installed: bool) -> None:
    assert plan_of("gpu", changes).crds.install is installed
