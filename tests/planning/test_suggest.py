"""A misspelled word gets the choice that is written most like it."""

from __future__ import annotations

import pytest

from llm_d_gke.planning.suggest import nearest, nearest_place


@pytest.mark.parametrize(
    ("word", "choices", "expected"),
    [
        ("v0.9", ["llm-d-0.99", "llm-d-0.9", "llm-d-0.10"], "llm-d-0.9"),
        ("llmd_0.9", ["llm-d-0.99", "llm-d-0.9"], "llm-d-0.9"),
        ("H100", ["nvidia-h100-mega-80gb", "nvidia-h100-80gb"], "nvidia-h100-80gb"),
        ("blue", ["llm-d-0.9", "gaie-1.5"], None),
    ],
)
def test_of_equally_similar_choices_the_closest_counts(word: str, choices: list[str], expected: str | None) -> None:
    assert nearest(word, choices) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("eu-west4", "europe-west4"),
        ("eu-west4-a", "europe-west4-a"),
        ("us-c1", "us-central1"),
        ("europe-wset4", "europe-west4"),
        ("mars-south1", None),
        ("", None),
        ("us--west4", "us-west4"),
    ],
)
def test_a_place_may_be_abbreviated(text: str, expected: str | None) -> None:
    places = ["us-central1", "us-west4", "europe-west4", "europe-west4-a"]
    assert nearest_place(text, places) == expected
