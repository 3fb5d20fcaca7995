"""GKE versions compare by number, not by letter, and decide the built-in features of a cluster."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_d_gke.planning.versions import INFERENCE_POOL_SINCE, at_least, brings_inference_pool, reaches
from tests.stacks import existing_cluster, plan_of

numbers = st.tuples(st.just(1), st.integers(28, 40), st.integers(0, 20), st.integers(0, 3_000_000))


def written(version: tuple[int, int, int, int]) -> str:
    return "{}.{}.{}-gke.{}".format(*version)


@given(numbers, numbers)
def test_versions_compare_as_their_numbers(first: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> None:
    assert at_least(written(first), written(other)) == (first >= other)


@pytest.mark.parametrize(
    ("version", "threshold", "expected"),
    [
        ("1.9.0", "1.10.0", False),
        ("1.34.0-gke.1626000", "1.34.0-gke.1626000", True),
        ("1.34.0-gke.999999", "1.34.0-gke.1626000", False),
        ("1.34", "1.34.1", False),
    ],
)
def test_at_least(version: str, threshold: str, expected: bool) -> None:
    assert at_least(version, threshold) is expected


@pytest.mark.parametrize(
    ("version", "threshold", "expected"),
    [("1.34", "1.34.1", True), ("1.33", "1.34.1", False), ("1.34.0", "1.34.1", False), ("1.35", "1.34.1", True)],
)
def test_a_minor_version_reaches_its_newest_patch(version: str, threshold: str, expected: bool) -> None:
    """GKE takes `1.34` as the newest 1.34 it has."""
    assert reaches(version, threshold) is expected


@pytest.mark.parametrize("text", ["", "1", "v1.34", "1.34.0-gke", "latest", "1.34.0-gke.1 "])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a GKE version"):
        at_least(text, "1.34")


@pytest.mark.parametrize(
    ("version", "brings"),
    [
        (None, True),
        ("1.35", True),
        ("1.34", True),
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
