"""Versions compare by number, not by letter; a missing part is 0, except in the version that a cluster asks for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_d_gke.catalog.versions import Numbers, gke_version_parts, reaches, version_numbers

numbers = st.tuples(st.just(1), st.integers(28, 40), st.integers(0, 20), st.integers(0, 3_000_000))


def written(version: Numbers) -> str:
    return "{}.{}.{}-gke.{}".format(*version)


@given(numbers)
def test_a_whole_version_is_read_as_written(version: Numbers) -> None:
    assert version_numbers(written(version)) == version
    assert gke_version_parts(written(version)) == version


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("0.26.0", (0, 26, 0, 0)),
        ("v0.20.0", (0, 20, 0, 0)),
        ("v1.2.0-rc.1", (1, 2, 0, 0)),
        ("0.11.1rc2.dev3+gabc", (0, 11, 1, 0)),
        ("0.19.1+cu130", (0, 19, 1, 0)),
        ("0.8.5.post1", (0, 8, 5, 0)),
        ("0.9.0.1", (0, 9, 0, 1)),
        ("12.8", (12, 8, 0, 0)),
        ("1", (1, 0, 0, 0)),
    ],
)
def test_versions_of_other_programs(version: str, expected: Numbers) -> None:
    assert version_numbers(version) == expected


def test_a_missing_part_is_zero() -> None:
    assert version_numbers("0.26") == version_numbers("v0.26.0")
    assert version_numbers("0.26") < version_numbers("0.26.1")
    assert version_numbers("1.9.0") < version_numbers("1.10")


@pytest.mark.parametrize("text", ["", "latest", "v", "main-4f3a"])
def test_a_text_without_a_version_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a version"):
        version_numbers(text)


@given(numbers, numbers)
def test_whole_gke_versions_compare_as_their_numbers(first: Numbers, other: Numbers) -> None:
    assert reaches(written(first), written(other)) == (first >= other)


@pytest.mark.parametrize(
    ("version", "threshold", "expected"),
    [
        ("1.34.0-gke.1626000", "1.34.0-gke.1626000", True),
        ("1.34.0-gke.999999", "1.34.0-gke.1626000", False),
        ("1.34.1-gke.1", "1.34.1", True),
        # Parts that are left out are the newest ones.
        ("1.34", "1.34.1", True),
        ("1.34", "1.34.0-gke.1626000", True),
        ("1.34.0", "1.34.0-gke.1626000", True),
        ("1.34.0", "1.34.1", False),
        ("1.33", "1.34.1", False),
        ("1.35", "1.34.1", True),
        ("1.9", "1.10.0", False),
    ],
)
def test_gke_takes_the_newest_of_what_is_left_out(version: str, threshold: str, expected: bool) -> None:
    assert reaches(version, threshold) is expected


@pytest.mark.parametrize("text", ["", "1", "v1.34", "1.34.0-gke", "1.34-gke.1", "latest", "1.34.0-gke.1 "])
def test_what_is_no_gke_version_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a GKE version"):
        reaches(text, "1.34")
