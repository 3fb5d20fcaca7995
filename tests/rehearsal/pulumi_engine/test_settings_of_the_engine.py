"""The settings file that the real engine reads: secrets are encrypted once, and its version is the built one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pulumi import automation as auto

from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.nested import value_at
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.pulumi_engine.configuration import load
from llm_d_gke.rehearsal.pulumi_engine.engine import engine
from llm_d_gke.stackfile import PROJECT_ROOT, StackConfig, segments

pytestmark = pytest.mark.rehearsal

TOKEN = "llm-d:huggingFace.token"


def encrypted(paths: StackPaths, configuration: StackConfig) -> str:
    """The token as the settings file has it. The engine reads it as it was given."""
    with engine(paths, configuration, lambda _: None) as pulumi:
        assert pulumi.stack.get_config(TOKEN, path=True).value == configuration.secrets[TOKEN]
        assert str(pulumi.stack.workspace.pulumi_command.version) == str(auto.PulumiCommand().version)
    settings = read_yaml(paths.project / "Pulumi.gpu.yaml")
    assert settings["config"]["llm-d:models"] == configuration.values["llm-d:models"]
    secret: str = value_at(settings["config"], *segments(TOKEN))["secure"]
    return secret


def test_a_secret_that_stays_the_same_is_not_encrypted_again(tmp_path: Path) -> None:
    paths = StackPaths("gpu", tmp_path)
    first = encrypted(paths, load(PROJECT_ROOT, "gpu"))
    changed = load(PROJECT_ROOT, "gpu", {"llm-d:models[0].replicas": "2"})
    assert encrypted(paths, changed) == first
    assert encrypted(paths, replace(changed, secrets={TOKEN: "hf_of_somebody"})) != first
