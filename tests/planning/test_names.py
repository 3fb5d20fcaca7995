"""Physical names keep the rules of Google Cloud and Kubernetes, and differ if their inputs differ."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_d_gke.planning import names
from llm_d_gke.planning.names import model_keys
from llm_d_gke.settings import StackSettings

LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")  # RFC 1123 beginning with a letter, as Compute Engine requires

texts = st.text(max_size=120)
lengths = st.integers(min_value=names.ACCOUNT_LENGTH, max_value=names.LABEL_LENGTH)
words = st.text(alphabet="abcxyz019.-_", min_size=1, max_size=50)


def folded(text: str) -> str:
    """A text without case and punctuation."""
    return re.sub(r"[\x00-\x2f\x3a-\x40\x5b-\x60\x7b-\x7f]+", "-", text.lower()).strip("-")


@given(texts, lengths)
def test_a_slug_is_a_legal_name(text: str, length: int) -> None:
    slug = names.slug(text, length)
    assert LABEL.fullmatch(slug)
    assert len(slug) <= length


@given(texts, texts, lengths)
def test_different_texts_have_different_slugs(first: str, other: str, length: int) -> None:
    if folded(first) != folded(other):
        assert names.slug(first, length) != names.slug(other, length)


@given(words, words)
def test_long_texts_that_begin_alike_stay_apart(first: str, other: str) -> None:
    beginning = "a" * names.LABEL_LENGTH
    if folded(first) != folded(other):
        assert names.slug(beginning + first) != names.slug(beginning + other)


@pytest.mark.parametrize(("first", "other"), [("1b", "m-1b"), ("modèle", "mod-le"), ("模型", "型模"), ("", "m")])
def test_texts_that_fold_alike_stay_apart(first: str, other: str) -> None:
    assert names.slug(first) != names.slug(other)


@given(words)
def test_a_slug_stays_as_it_is(text: str) -> None:
    """A name composed of names does not accumulate hashes."""
    slug = names.slug(text)
    assert names.slug(slug) == slug


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789-_.", min_size=1, max_size=100))
def test_an_account_id_has_six_to_thirty_characters(stack: str) -> None:
    account = names.service_account_id(stack)
    assert LABEL.fullmatch(account)
    assert 6 <= len(account) <= names.ACCOUNT_LENGTH


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("google/gemma-2b-it", "gemma-2b-it"),
        ("Qwen/Qwen2.5-3B-Instruct", "qwen2-5-3b-instruct"),
        ("gpt2", "gpt2"),
    ],
)
def test_a_model_is_named_after_its_repository(model: str, expected: str) -> None:
    assert names.model_slug(model) == expected


@given(st.text(alphabet=st.characters(codec="ascii", exclude_characters="/"), max_size=96))
def test_a_models_name_leaves_room_for_what_is_appended(model: str) -> None:
    """`-vllm`, the hash of a ReplicaSet (10), that of a pod (5) and two dashes fit a label of 63 characters."""
    assert len(names.model_slug(model)) + len("-vllm") + 10 + 5 + 2 <= names.LABEL_LENGTH


ids = st.tuples(st.sampled_from(["a", "b", "org"]), st.sampled_from(["x.y", "x-y", "X", "y", "z" * 60, "z" * 61])).map(
    "/".join
)
model = st.fixed_dictionaries({"id": ids}, optional={"servedName": st.sampled_from(["x", "X", "y", "x_y", "b-x-y"])})


def keys_of(models: list[dict[str, str]]) -> dict[tuple[str, str], str]:
    """The key of each model by id and name in requests."""
    settings = StackSettings.model_validate(
        {"location": "us-central1-a", "accelerator": {"type": "nvidia-l4"}, "models": models}
    )
    return {(m.id, m.name): key for m, key in zip(settings.models, model_keys(settings), strict=True)}


@given(st.lists(model, min_size=1, max_size=6, unique_by=lambda entry: entry.get("servedName", entry["id"])))
def test_models_of_a_stack_have_keys_of_their_own(models: list[dict[str, str]]) -> None:
    """Two models of one key would be one pool."""
    keys = keys_of(models)
    assert len(set(keys.values())) == len(models)
    assert all(LABEL.fullmatch(key) and len(key) <= names.MODEL_LENGTH for key in keys.values())


@given(st.lists(model, min_size=2, max_size=5, unique_by=lambda entry: entry.get("servedName", entry["id"])))
def test_the_order_of_models_changes_no_key(models: list[dict[str, str]]) -> None:
    """A moved entry would be another model to the engine: deleted and created again."""
    assert keys_of(models) == keys_of(models[::-1])
