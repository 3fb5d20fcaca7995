"""Settings by path: which one is which after a change of the stack file."""

from __future__ import annotations

from llm_d_gke.settings.leaves import aligned_paths

BEFORE = {"paused": "false", "models[0].id": "a", "models[0].image": "x", "models[1].id": "b", "models[1].image": "y"}


def test_elements_of_a_list_are_found_by_their_key() -> None:
    assert aligned_paths(BEFORE, {"models[0].id": "new", "models[1].id": "a", "models[2].id": "b"}) == {
        "paused": "paused",
        "models[0].id": "models[1].id",
        "models[0].image": "models[1].image",
        "models[1].id": "models[2].id",
        "models[1].image": "models[2].image",
    }


def test_another_element_in_the_same_place_is_a_changed_one() -> None:
    assert aligned_paths(BEFORE, {"models[0].id": "c", "models[1].id": "b"})["models[0].image"] == "models[0].image"


def test_what_is_removed_is_compared_with_nothing() -> None:
    aligned = aligned_paths(BEFORE, {"models[0].id": "b"})
    assert (aligned["models[0].image"], aligned["models[1].image"]) == ("-models[0].image", "models[0].image")


def test_elements_of_one_key_keep_their_index() -> None:
    assert aligned_paths(BEFORE, {"models[0].id": "b", "models[1].id": "b"}) == {path: path for path in BEFORE}
