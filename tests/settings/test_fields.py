"""Places of the settings, as messages about wrong values find them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
from pydantic import TypeAdapter, ValidationError

from llm_d_gke import settings as package
from llm_d_gke.settings import StackSettings
from llm_d_gke.settings.base import Settings
from llm_d_gke.settings.fields import Setting, every_key, field_of, groups_of, setting_of, tags_of


def settings_below(
    group: type[Settings] = StackSettings, location: tuple[str | int, ...] = ()
) -> Iterator[tuple[Any, Setting]]:
    """Location as pydantic names it, with the union's member in it, and the definition, of every setting."""
    for name, info in group.model_fields.items():
        path = (*location, info.alias or name)
        setting = setting_of(path, StackSettings)
        yield path, setting
        if get_origin(setting.kind) in (tuple, dict):
            path = (*path, 0 if get_origin(setting.kind) is tuple else "any-key")
            setting = setting_of(path, StackSettings)
            yield path, setting
        members = groups_of(setting.kind)
        for member in members:
            below = (*path, tags_of(member)[0]) if len(members) > 1 else path
            yield from settings_below(member, below)


EVERY = list(settings_below())
UNIONS = [(location, setting) for location, setting in EVERY if len(groups_of(setting.kind)) > 1]


def test_every_setting_has_a_place() -> None:
    assert [location for location, setting in EVERY if setting.kind is None] == []
    assert len(EVERY) > 150
    assert len(UNIONS) >= 3


@pytest.mark.parametrize(("location", "setting"), UNIONS, ids=lambda value: str(getattr(value, "path", "")))
def test_no_path_contains_the_member_of_a_union(location: tuple[str | int, ...], setting: Setting) -> None:
    """Pydantic names the member in its location; a stack file has no such key."""
    for member in groups_of(setting.kind):
        assert tags_of(member), f"{member} cannot be told from the others"
        for name, info in member.model_fields.items():
            key = info.alias or name
            inside = setting_of((*location, tags_of(member)[0], key), StackSettings)
            assert inside.path == (*setting.path, key)
            assert inside.group is member


def test_pydantic_names_members_as_expected() -> None:
    """The test above builds locations; these are pydantic's own."""
    model = {"id": "a/b", "source": {"kind": "image", "path": ""}}
    with pytest.raises(ValidationError) as refused:
        StackSettings.model_validate({"location": "us-central1-a", "accelerator": {"type": "x"}, "models": [model]})
    # The list counts as too short, with its element.
    detail = refused.value.errors()[0]
    assert detail["loc"] == ("models", 0, "source", "image", "path")
    assert setting_of(detail["loc"], StackSettings).path == ("models", 0, "source", "path")


def test_every_pattern_has_words_and_an_example_that_passes() -> None:
    for location, setting in [*EVERY, *((key, setting_of((*key, "[key]"), StackSettings)) for key, _ in maps())]:
        if any(getattr(bound, "pattern", None) for bound in setting.metadata):
            assert setting.form, location
            assert setting.example is not None, location
            TypeAdapter(setting.whole).validate_python(setting.example)


def maps() -> Iterator[tuple[tuple[str | int, ...], Setting]]:
    """Locations of the entries of every map."""
    for location, setting in EVERY:
        if get_origin(setting.kind) is dict and get_args(setting.kind):
            yield (*location, "Any"), setting


def test_settings_name_the_rules_that_they_check() -> None:
    """A ValueError would have no id."""
    for path in Path(str(package.__file__)).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                assert getattr(node.exc.func, "id", "") not in ("ValueError", "AssertionError"), path.name


def test_patterns_take_no_digits_of_other_scripts() -> None:
    wrong = {"picker": {"cpu": "\u0661\u0662m"}, "router": {"memory": "\u0661Gi"}}
    for group, values in wrong.items():
        with pytest.raises(ValidationError):
            StackSettings.model_validate(
                {"location": "us-central1-a", "accelerator": {"type": "x"}, "models": [{"id": "a/b"}], group: values}
            )


def test_every_key_is_found_by_its_spelling() -> None:
    for path, group in every_key(StackSettings):
        assert field_of(group, str(path[-1]))[1] is not None
