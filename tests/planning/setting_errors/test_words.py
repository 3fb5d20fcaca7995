"""The table of words of other programs: each leads to a setting that exists, and to one only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic.alias_generators import to_camel

from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.planning import RefusedError, plan_raw
from llm_d_gke.planning.engine_support.options import SETTINGS
from llm_d_gke.planning.engine_support.owned import owned_options
from llm_d_gke.planning.findings import NAMESPACE
from llm_d_gke.planning.setting_errors.keys import unknown_key
from llm_d_gke.planning.setting_errors.values import valid_example
from llm_d_gke.planning.setting_errors.words import choice_here, key_here
from llm_d_gke.planning.suggest import letters
from llm_d_gke.settings import StackSettings
from llm_d_gke.settings.fields import every_key, field_of, groups_of, keys_of, plain_type, setting_of, tags_of
from llm_d_gke.settings.models import ModelSettings

TABLES: dict[str, Any] = read_yaml(
    Path(__file__).parents[3] / "llm_d_gke" / "planning" / "setting_errors" / "words.yaml"
)
SCHEMA = StackSettings.model_json_schema(by_alias=True)
GROUPS = {**SCHEMA["$defs"], "StackSettings": SCHEMA}


@pytest.mark.parametrize("group", TABLES["keys"])
def test_words_for_a_key_lead_to_a_key_of_the_group(group: str) -> None:
    assert TABLES["keys"][group].keys() <= GROUPS[group]["properties"].keys()


@pytest.mark.parametrize(
    "words",
    [
        [word for words in names.values() for word in words]
        for table in ("keys", "choices")
        for names in TABLES[table].values()
    ],
)
def test_a_word_is_written_as_it_is_looked_up_and_stands_once(words: list[str]) -> None:
    assert words == [letters(word) for word in words]
    assert len(words) == len(set(words))


def test_spellings_of_another_program_are_one_word() -> None:
    assert {key_here("AcceleratorSettings", key) for key in ("num_gpus", "numGpus", "num-gpus")} == {"perNode"}
    assert choice_here("type", "A100 80GB") == "nvidia-a100-80gb"
    assert key_here("ModelSettings", "replicas") is None


def test_a_key_that_is_written_as_a_path_is_one_mistake() -> None:
    values = {"location": "us-central1-a", "accelerator.type": "nvidia-l4", "models": [{"id": "Qwen/Qwen3-8B"}]}
    with pytest.raises(RefusedError) as refused:
        plan_raw("chat", values, frozenset())
    assert [finding.path for finding in refused.value.findings if finding.id == "LLMD-SETTING-UNKNOWN"] == [
        "llm-d:accelerator.type"
    ]


@pytest.mark.parametrize("option", sorted({*owned_options(), *SETTINGS}))
def test_an_argument_of_vllm_that_the_planner_owns_is_never_advised_as_an_extra_one(option: str) -> None:
    key = to_camel(option.removeprefix("--").replace("-", "_"))
    if key in keys_of(ModelSettings):
        return
    values = {"location": "us-central1-a", "accelerator": {"type": "nvidia-l4"}}
    with pytest.raises(RefusedError) as refused:
        plan_raw("chat", {**values, "models": [{"id": "Qwen/Qwen3-8B", key: "value"}]}, frozenset())
    (unknown,) = [finding for finding in refused.value.findings if finding.id == "LLMD-SETTING-UNKNOWN"]
    assert "allowExtraArgs" not in unknown.fix


def _keys_of_other_kinds() -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Location of each key that a union's member lacks and another one has, with the other one's kind."""
    for path, group in every_key(StackSettings):
        _, info = field_of(group, str(path[-1]))
        location = tuple(0 if part == "[]" else part for part in path)
        members = groups_of(plain_type(info.annotation)) if info is not None else ()
        for member in members if len(members) > 1 else ():
            for other in members:
                for key in sorted({*keys_of(other)} - {*keys_of(member)}):
                    yield (*location, tags_of(member)[0], key), tags_of(other)[0]


@pytest.mark.parametrize(("location", "kind"), list(_keys_of_other_kinds()))
def test_a_key_of_another_kind_is_not_advised_where_it_stands(location: tuple[str | int, ...], kind: str) -> None:
    setting = setting_of(location, StackSettings)
    rule, fix = unknown_key(setting, "value")
    own = [key for key in keys_of(setting.group or StackSettings) if key in fix]
    assert f"kind: {kind}" in fix or own, (rule, fix)
    assert f"{NAMESPACE}:{'.'.join(map(str, setting.path))}?" not in fix


def test_no_setting_has_an_example_that_fits_every_other() -> None:
    nameless = []
    for path, group in every_key(StackSettings):
        location = ["x" if part == "[]" else part for part in path]
        _, info = field_of(group, str(path[-1]))
        assert info is not None
        setting = replace(setting_of((path[-1],), group), path=tuple(location))
        if "my-name" in str(valid_example(setting, None)):
            nameless.append(".".join(map(str, path)))
    assert nameless == []
