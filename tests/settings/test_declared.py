"""Pulumi.yaml declares what the settings know: `pulumi config` then explains every key."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.settings import StackSettings
from llm_d_gke.settings.stack import top_level_keys
from tests.stacks import STACKS, values_of

PROJECT = Path(__file__).resolve().parents[2] / "Pulumi.yaml"


def test_every_setting_is_declared_with_type_and_description() -> None:
    declared = read_yaml(PROJECT)["config"]
    assert set(declared) == set(top_level_keys())
    assert not [
        key
        for key, declaration in declared.items()
        if not declaration.get("type") or not declaration.get("description")
    ]


def test_nothing_is_required_by_pulumi_itself() -> None:
    """A missing value is a finding with its fix, together with all others; Pulumi would stop at the first."""
    declared = read_yaml(PROJECT)["config"]
    assert not [key for key, declaration in declared.items() if "default" not in declaration]


@pytest.mark.parametrize("stack", STACKS)
def test_the_stack_files_hold_only_what_there_is(stack: str) -> None:
    assert set(values_of(stack)) <= set(top_level_keys())


def test_keys_are_those_of_a_stack_file() -> None:
    assert {"project", "cpuPool", "huggingFace", "models"} <= set(top_level_keys())
    assert len(top_level_keys()) == len(StackSettings.model_fields)


def test_an_editor_knows_the_form_of_a_folder() -> None:
    definitions = StackSettings.model_json_schema()["$defs"]
    for name in ("BucketSource", "VolumeClaimSource", "ImageSource"):
        pattern = definitions[name]["properties"]["path"]["pattern"]
        assert re.search(pattern, "models/qwen3-8b"), name
        assert not re.search(pattern, "models/../other"), name


def test_every_setting_says_what_it_is() -> None:
    """The reference of settings is generated from these descriptions."""
    missing: list[str] = []

    def walk(schema: dict[str, Any], name: str) -> None:
        missing.extend(
            f"{name}.{key}"
            for key, field in schema.get("properties", {}).items()
            if key != "kind" and "description" not in field
        )

    document = StackSettings.model_json_schema()
    walk(document, "StackSettings")
    for name, schema in document["$defs"].items():
        walk(schema, name)
    assert missing == []
