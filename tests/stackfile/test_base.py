"""A stack's settings merged onto a base: by key, by the names of list elements, through several files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.planning import RefusedError, plan_raw
from llm_d_gke.settings import StackSettings
from llm_d_gke.settings.fields import merge_keys
from llm_d_gke.stackfile import PROJECT_ROOT, StackFileError, load
from llm_d_gke.stackfile import base as base_files
from tests.stacks import ENCRYPTED, values_of


@pytest.fixture
def base(tmp_path: Path) -> Any:
    def write(settings: dict[str, Any], name: str = "base.yaml") -> Path:
        config = {key if ":" in key else f"llm-d:{key}": value for key, value in settings.items()}
        (tmp_path / name).write_text(yaml.safe_dump({"config": config}), encoding="utf-8")
        return tmp_path

    return write


def with_base(values: dict[str, Any], root: Path) -> dict[str, Any]:
    return base_files.with_base(values, root, "Pulumi.s.yaml")


def test_without_a_base_nothing_changes(tmp_path: Path) -> None:
    assert with_base({"location": "us-central1-a", "labels": None}, tmp_path) == {
        "location": "us-central1-a",
        "labels": None,
    }


def test_maps_are_merged_by_key_and_values_replaced(base: Any) -> None:
    root = base({"location": "us-central1-a", "accelerator": {"type": "nvidia-l4", "nodes": {"min": 1, "max": 8}}})
    own = {"base": "base.yaml", "accelerator": {"nodes": {"max": 2}}, "labels": {"environment": "development"}}
    assert with_base(own, root) == {
        "location": "us-central1-a",
        "accelerator": {"type": "nvidia-l4", "nodes": {"min": 1, "max": 2}},
        "labels": {"environment": "development"},
    }


def test_models_are_merged_by_id_in_the_order_of_the_base(base: Any) -> None:
    first = {"id": "a/first", "maxModelLen": 8192, "adapters": [{"name": "x", "rank": 8}, {"name": "y", "rank": 8}]}
    root = base({"models": [first, {"id": "a/second", "replicas": 4}]})
    own = [
        {"id": "a/third"},
        {"id": "a/second", "replicas": 1},
        {"id": "a/first", "adapters": [{"name": "y", "rank": 16}]},
    ]
    assert with_base({"base": "base.yaml", "models": own}, root)["models"] == [
        {"id": "a/first", "maxModelLen": 8192, "adapters": [{"name": "x", "rank": 8}, {"name": "y", "rank": 16}]},
        {"id": "a/second", "replicas": 1},
        {"id": "a/third"},
    ]


def test_other_lists_are_replaced(base: Any) -> None:
    root = base({"models": [{"id": "a/b", "aliases": ["one", "two"]}]})
    own = {"base": "base.yaml", "models": [{"id": "a/b", "aliases": ["three"]}]}
    assert with_base(own, root)["models"] == [{"id": "a/b", "aliases": ["three"]}]


def test_null_removes_a_value_of_the_base(base: Any) -> None:
    root = base({"accelerator": {"type": "nvidia-l4", "machineType": "g2-standard-12"}})
    own = {"base": "base.yaml", "accelerator": {"machineType": None}}
    assert with_base(own, root) == {"accelerator": {"type": "nvidia-l4"}}


def test_a_base_stands_on_a_base(base: Any) -> None:
    base({"location": "us-central1-a", "release": "llm-d-0.6"}, "company.yaml")
    root = base({"base": "company.yaml", "release": "llm-d-0.9"}, "service.yaml")
    assert with_base({"base": "service.yaml"}, root) == {"location": "us-central1-a", "release": "llm-d-0.9"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"base": "base.yaml"}, "is a base of itself: base.yaml -> base.yaml"),
        ({"paused": True}, "llm-d:paused is the state of a single stack"),
        ({"huggingFace": {"token": {"secure": "v1:abc"}}}, "huggingFace.token is encrypted with the key of one stack"),
        ({"gcp:project": "my-project"}, "gcp:project is no setting of llm-d"),
    ],
)
def test_what_a_base_cannot_hold_is_refused(base: Any, content: dict[str, Any], words: str) -> None:
    with pytest.raises(StackFileError, match=words):
        with_base({"base": "base.yaml"}, base(content))


def test_a_missing_base_is_named_with_the_file_that_needs_it(base: Any) -> None:
    root = base({"base": "no/base.yaml"}, "service.yaml")
    with pytest.raises(StackFileError) as missing:
        with_base({"base": "services.yaml"}, root)
    assert str(missing.value) == (
        "Pulumi.s.yaml: llm-d:base = services.yaml: there is no such file in the project: did you mean service.yaml?"
        " Otherwise create it"
    )
    with pytest.raises(StackFileError) as missing:
        with_base({"base": "service.yaml"}, root)
    assert str(missing.value) == (
        "service.yaml (base of Pulumi.s.yaml): llm-d:base = no/base.yaml: there is no such file in the project:"
        " create it, or correct the path"
    )


def test_every_refusal_of_a_base_names_the_file_to_change(base: Any) -> None:
    twice = [{"id": "a/b"}, {"id": "a/b"}]
    root = base({"models": twice}, "twice.yaml")
    base({"models": [{"id": "a/b"}]})
    for own in (
        {"base": 3},
        {"base": "/etc"},
        {"base": "https://example.com/base.yaml"},
        {"base": "twice.yaml", "models": [{"id": "a/b"}]},
        {"base": "base.yaml", "models": twice},
    ):
        with pytest.raises(StackFileError, match=r"^Pulumi\.s\.yaml: "):
            with_base(own, root)


def test_an_element_in_another_spelling_is_no_second_one_in_silence(base: Any) -> None:
    root = base({**values_of("gpu"), "models": [{"id": "Qwen/Qwen3-4B"}, {"id": "Qwen/Qwen3-8B"}]})
    own = {"base": "base.yaml", "models": [{"id": "qwen/qwen3-4b", "replicas": 0}]}
    with pytest.raises(RefusedError) as refused:
        plan_raw("s", with_base(own, root), ENCRYPTED)
    alike = [finding for finding in refused.value.findings if finding.id == "LLMD-NAME-ALIKE"]
    assert [(finding.path, finding.value) for finding in alike] == [("llm-d:models[2].id", "qwen/qwen3-4b")]
    assert alike[0].fix.startswith("did you mean Qwen/Qwen3-4B?")


def test_a_base_that_is_no_map_is_refused(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("location: us-central1-a\n", encoding="utf-8")
    with pytest.raises(StackFileError, match=r"base.yaml \(base of Pulumi.s.yaml\): a base holds config:"):
        with_base({"base": "base.yaml"}, tmp_path)


def test_a_stack_file_is_read_with_its_base_and_then_overridden(base: Any) -> None:
    root = base({"location": "us-central1-a", "models": [{"id": "a/b", "replicas": 4}]})
    (root / "Pulumi.s.yaml").write_text(
        "config:\n  llm-d:base: base.yaml\n  llm-d:huggingFace: {token: {secure: abc}}\n", encoding="utf-8"
    )
    (root / "Pulumi.yaml").write_text("name: llm-d\nconfig: {release: {type: string, default: x}}\n", encoding="utf-8")
    read = load(root, "s", {"llm-d:models[0].replicas": "2"})
    assert read.settings()["models"] == [{"id": "a/b", "replicas": 2}]
    assert read.settings()["release"] == "x"
    assert read.encrypted() == {"huggingFace"}


def test_every_list_of_maps_has_a_key() -> None:
    """A new list of the settings has to say what identifies its elements."""
    schema = StackSettings.model_json_schema()
    definitions = schema["$defs"]

    def lists(node: dict[str, Any], path: tuple[str, ...]) -> Any:
        node = definitions[node["$ref"].rpartition("/")[2]] if "$ref" in node else node
        for choice in (*node.get("anyOf", ()), *node.get("oneOf", ())):
            yield from lists(choice, path)
        if node.get("type") == "array":
            items = node.get("items", {})
            items = definitions[items["$ref"].rpartition("/")[2]] if "$ref" in items else items
            if items.get("type") == "object":
                yield path
            yield from lists(items, path)
        for name, value in node.get("properties", {}).items():
            yield from lists(value, (*path, name))

    # The order of the choices is what the list says, so a stack replaces it as a whole.
    orders = {(pool, "computeClass", "fallbacks") for pool in ("accelerator", "prefillAccelerator")}
    assert set(lists(schema, ())) == set(merge_keys(StackSettings)) | orders


def test_the_project_s_own_defaults_leave_a_base_alone() -> None:
    """A default that is not empty would reach the program like a value of the stack file."""
    declared = read_yaml(PROJECT_ROOT / "Pulumi.yaml")["config"]
    defaults = {key: declaration["default"] for key, declaration in declared.items()}
    assert {key for key, value in defaults.items() if value not in ("", [], {})} == {"paused"}


def test_a_base_is_named_from_the_project(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("config: {}\n", encoding="utf-8")
    with pytest.raises(StackFileError, match="path of this machine"):
        with_base({"base": str(tmp_path / "base.yaml")}, tmp_path)


def test_elements_of_a_base_without_their_key_are_refused(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("config:\n  llm-d:models: [{replicas: 2}]\n", encoding="utf-8")
    with pytest.raises(StackFileError, match="merged by id"):
        with_base({"base": "base.yaml", "models": [{"id": "a/b"}]}, tmp_path)


def test_a_base_has_settings_only(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("environment: [shared]\nconfig: {}\n", encoding="utf-8")
    with pytest.raises(StackFileError, match="environment stands beside it"):
        with_base({"base": "base.yaml"}, tmp_path)
