"""Configuration arrives as Pulumi hands it over: objects as JSON, scalars as text, secrets by key."""

from __future__ import annotations

import json
import runpy
from collections.abc import Iterator
from typing import Any

import pytest
from pulumi import RunError
from pulumi.runtime import Settings, configure, reset_options, set_all_config

from llm_d_gke.stackfile import PROJECT_ROOT
from llm_d_gke.stackfile.program_config import RawSettings, read
from tests.stacks import STACKS, TOKEN, values_of


@pytest.fixture(autouse=True)
def _no_configuration_of_others(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("PULUMI_CONFIG", raising=False)
    reset_options()
    yield
    reset_options()
    set_all_config({}, [])


def load(config: dict[str, str], secrets: tuple[str, ...] = ()) -> RawSettings:
    set_all_config(config, list(secrets))
    configure(Settings(project="llm-d", stack="gpu"))
    return read()


class TestValues:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("us-central1-a", "us-central1-a"),
            ('{"type": "nvidia-tesla-t4", "nodes": {"min": 0}}', {"type": "nvidia-tesla-t4", "nodes": {"min": 0}}),
            ('[{"id": "a/b"}]', [{"id": "a/b"}]),
            ("true", True),
            ("3", 3),
            ("0.85", 0.85),
            ("false", False),
            ("{not json", "{not json"),
        ],
    )
    def test_each_form_becomes_what_it_is(self, text: str, value: object) -> None:
        assert load({"llm-d:key": text}).values == {"key": value}

    def test_unknown_keys_are_kept(self) -> None:
        """Else a misspelled key would be ignored: the check after this can only name what it gets."""
        assert load({"llm-d:loaction": "us-central1-a"}).values == {"loaction": "us-central1-a"}

    def test_other_namespaces_are_not_read(self) -> None:
        config = {
            "llm-d:location": "us-central1-a",
            "pulumi:disable-default-providers": '["*"]',
            "llm-d-other:key": "x",
        }
        assert load(config).values == {"location": "us-central1-a"}

    @pytest.mark.parametrize("text", ["", "[]", "{}"])
    def test_a_declared_default_of_nothing_counts_as_missing(self, text: str) -> None:
        assert load({"llm-d:project": text}).values == {}

    @pytest.mark.parametrize("text", ["0", "false"])
    def test_nothing_and_zero_are_not_the_same(self, text: str) -> None:
        assert load({"llm-d:paused": text}).values == {"paused": json.loads(text)}

    def test_the_stack_is_named(self) -> None:
        assert load({}).stack == "gpu"


class TestProject:
    def test_gcps_own_project_stands_in(self) -> None:
        assert load({"gcp:project": "theirs"}).values == {"project": "theirs"}

    def test_the_stacks_project_comes_first_and_another_one_is_kept_for_the_check(self) -> None:
        read = load({"gcp:project": "theirs", "llm-d:project": "ours"}).values
        assert read == {"project": "ours", "gcp:project": "theirs"}
        assert load({"gcp:project": "ours", "llm-d:project": "ours"}).values == {"project": "ours"}


class TestSecrets:
    def test_encrypted_keys_are_named(self) -> None:
        config = {"llm-d:huggingFace": json.dumps({"token": TOKEN}), "llm-d:location": "us-central1-a"}
        assert load(config, ("llm-d:huggingFace",)).encrypted == {"huggingFace"}

    def test_plain_keys_are_not(self) -> None:
        assert load({"llm-d:huggingFace": json.dumps({"token": TOKEN})}).encrypted == frozenset()

    def test_a_secret_of_another_namespace_is_none_of_ours(self) -> None:
        assert load({"gcp:huggingFace": "x", "llm-d:huggingFace": "{}"}, ("gcp:huggingFace",)).encrypted == frozenset()


class TestEnvironment:
    """How a language host hands configuration over, where an embedding program sets it in the SDK."""

    def test_it_is_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PULUMI_CONFIG", json.dumps({"llm-d:location": "us-central1-a", "llm-d:wrong": "x"}))
        assert load({}).values == {"location": "us-central1-a", "wrong": "x"}

    def test_what_the_program_sets_comes_first(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PULUMI_CONFIG", json.dumps({"llm-d:location": "us-central1-a"}))
        assert load({"llm-d:location": "us-east1-b"}).values == {"location": "us-east1-b"}


@pytest.mark.parametrize("stack", STACKS)
def test_what_is_read_is_what_was_written(stack: str) -> None:
    values: dict[str, Any] = values_of(stack)
    config = {f"llm-d:{key}": v if isinstance(v, str) else json.dumps(v) for key, v in values.items()}
    assert load(config).values == values


def test_the_program_reports_a_missing_base_and_what_else_is_wrong_without_secrets() -> None:
    config = {
        "llm-d:base": "environments/missing.yaml",
        "llm-d:accelerator": json.dumps({"nodes": {"maxx": 4}}),
        "llm-d:huggingFace": json.dumps({"tokenn": TOKEN}),
    }
    set_all_config(config, ["llm-d:huggingFace"])
    configure(Settings(project="llm-d", stack="gpu"))
    with pytest.raises(RunError) as raised:
        runpy.run_path(str(PROJECT_ROOT / "__main__.py"))
    message = " ".join(str(raised.value).split())
    assert message.startswith("Pulumi.gpu.yaml: llm-d:base = environments/missing.yaml: there is no such file")
    assert "2 errors, found in the stack file itself:" in message
    # In the project's own file, which this configuration did not come from.
    assert "llm-d:accelerator.nodes.maxx = 4 (Pulumi.gpu.yaml, line" in message
    assert "did you mean token?" in message
    assert TOKEN not in message
