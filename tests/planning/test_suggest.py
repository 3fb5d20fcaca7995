"""A misspelled word gets the choice that is written most like it."""

from __future__ import annotations

import pytest

from llm_d_gke.planning.suggest import are_alike, nearest, nearest_model, nearest_place


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
        ("Qwen/Qwen3-8b-Instruct", "Qwen/Qwen3-8B"),
        ("Qwen/Qwen3-VL-8b-Instruct", "Qwen/Qwen3-VL-8B-Instruct"),
        ("Qwen/Qwen3-8", "Qwen/Qwen3-8B"),
    ],
)
def test_a_model_may_follow_instructions_without_the_word_in_its_name(text: str, expected: str) -> None:
    assert nearest_model(text, ["Qwen/Qwen3-VL-8B-Instruct", "Qwen/Qwen3-8B"]) == expected


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


@pytest.mark.parametrize(
    ("first", "other", "expected"),
    [
        ("Qwen/Qwen3-8B", "qwen/qwen3_8b", True),
        ("Qwen/Qwen2.5-7B", "Qwen/Qwen-2.5-7B", True),
        ("Qwen/Qwen3-8B", "Qwen/Qwen3-8B", False),
        ("a/model-1.5B", "a/model-15B", False),
        ("Qwen/Qwen3-8B", "Qwen/Qwen3-8B-FP8", False),
    ],
)
def test_a_name_in_another_spelling_is_alike_and_another_size_is_not(first: str, other: str, expected: bool) -> None:
    assert are_alike(first, other) is expected
