"""Stack files are read as Pulumi reads them: overrides, encrypted values, and the defaults of Pulumi.yaml."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from llm_d_gke import catalog
from llm_d_gke.settings import StackSettings
from llm_d_gke.stackfile import PROJECT_ROOT, StackConfig, StackFileError, load, segments
from llm_d_gke.stackfile.assumptions import ASSUMED_PROJECT, assume_unset

# Every form in which Pulumi.yaml may declare a default.
PROJECT = """
name: llm-d
runtime: python
config:
  project: {type: string, default: ""}
  release: {type: string, default: llm-d-0.9}
  location: us-central1-a
  cluster: {type: object, default: {channel: rapid, version: "1.33"}}
  network.mtu: {type: integer, default: 1460}
  models:
    - id: a/b
  paused: {type: boolean, default: false}
  gcp:project: from-project-file
  gcp:region: {value: us-east1}
  declared: {type: string}
"""


@pytest.fixture
def read(tmp_path: Path) -> Any:
    def read(stack: str, project: str = PROJECT, **overrides: str) -> StackConfig:
        (tmp_path / "Pulumi.yaml").write_text(project, encoding="utf-8")
        (tmp_path / "Pulumi.s.yaml").write_text(stack, encoding="utf-8")
        return load(tmp_path, "s", {f"llm-d:{key}": value for key, value in overrides.items()})

    return read


class TestDefaults:
    """Expected values are what `pulumi config --json` of Pulumi 3.259 prints for the same two files."""

    def test_every_form_of_a_default_counts(self, read: Any) -> None:
        assert read("config: {}").texts() == {
            "llm-d:project": "",
            "llm-d:release": "llm-d-0.9",
            "llm-d:location": "us-central1-a",
            "llm-d:cluster": '{"channel": "rapid", "version": "1.33"}',
            "llm-d:network": '{"mtu": 1460}',
            "llm-d:models": '[{"id": "a/b"}]',
            "llm-d:paused": "false",
            "gcp:project": "from-project-file",
            "gcp:region": "us-east1",
        }

    def test_the_stack_files_value_comes_first(self, read: Any) -> None:
        assert read("config: {llm-d:release: llm-d-0.8}").settings()["release"] == "llm-d-0.8"

    def test_a_map_of_the_stack_file_is_not_merged_with_the_default(self, read: Any) -> None:
        assert read('config: {llm-d:cluster: {version: "1.34"}}').settings()["cluster"] == {"version": "1.34"}

    def test_a_default_below_a_map_is_set_beside_the_stack_files_keys(self, read: Any) -> None:
        network = read("config: {llm-d:network: {cidr: 10.0.0.0/20}}").settings()["network"]
        assert network == {"cidr": "10.0.0.0/20", "mtu": 1460}

    def test_a_key_without_a_value_is_set(self, read: Any) -> None:
        config = read("config:\n  llm-d:release:\n")
        assert config.texts()["llm-d:release"] == ""
        assert "release" not in config.settings()

    def test_an_override_comes_before_both(self, read: Any) -> None:
        assert read("config: {llm-d:release: x}", release="llm-d-0.7").settings()["release"] == "llm-d-0.7"

    def test_an_empty_default_counts_as_missing(self, read: Any) -> None:
        assert "project" not in read("config: {}", "name: llm-d\nconfig: {project: {default: ''}}").settings()

    def test_gcp_project_takes_the_place_of_a_missing_project(self, read: Any) -> None:
        assert read("config: {}").settings()["project"] == "from-project-file"

    def test_a_folder_without_project_file_has_none(self, tmp_path: Path) -> None:
        (tmp_path / "Pulumi.s.yaml").write_text("config: {llm-d:paused: true}", encoding="utf-8")
        assert load(tmp_path, "s").settings() == {"paused": True}

    def test_the_default_release_is_stated_by_the_settings_alone(self) -> None:
        """A second statement, in Pulumi.yaml, could differ from it."""
        assert "release" not in load(PROJECT_ROOT, "gpu").settings()
        assert StackSettings.model_fields["release"].default in catalog.load().releases


class TestValues:
    @pytest.mark.parametrize(
        ("text", "value"),
        [("us-east1-c", "us-east1-c"), ("true", True), ("'3'", 3), ("0.5", 0.5), ("{a: [1]}", {"a": [1]})],
    )
    def test_they_are_what_the_program_gets(self, read: Any, text: str, value: object) -> None:
        """Pulumi passes scalars as text, so that a quoted number is a number to the program."""
        assert read(f"config: {{llm-d:key: {text}}}").settings()["key"] == value

    @pytest.mark.parametrize(
        ("path", "text", "value"),
        [
            ("cluster.version", "1.36", "1.36"),
            ("cluster.version", '"1.36"', "1.36"),
            ("cluster.version", "'1.36'", "1.36"),
            ("cluster.version", "1.36.1-gke.100", "1.36.1-gke.100"),
            ("models[0].id", "1234", "1234"),
            ("labels.cost", "007", "007"),
            ("labels.on", "yes", "yes"),
            ("gateway.tls.secret", "1234", "1234"),
            ("cluster.existing.name", "true", "true"),
            ("models[0].replicas", "3", 3),
            ("models[0].replicas", '"3"', "3"),
            ("cluster.privateNodes", "false", False),
            ("cluster.unknown", "1.36", 1.36),
            ("models[0].id", "a#b", "a#b"),
        ],
    )
    def test_an_override_of_text_stays_text(self, read: Any, path: str, text: str, value: object) -> None:
        """A shell removes one pair of quotes, so that a version is a number to YAML, and text to the setting."""
        target: Any = read("config: {}", **{path: text}).settings()
        for part in segments(path):
            target = target[part.removeprefix("llm-d:") if isinstance(part, str) else part]
        assert target == value
        assert type(target) is type(value)

    def test_nothing_is_substituted(self, read: Any) -> None:
        config = read("config: {llm-d:location: us-east1-c}", "name: llm-d")
        assert config.settings() == {"location": "us-east1-c"}
        assert config.notes == ()


class TestEncryptedValues:
    STACK = """
config:
  llm-d:huggingFace: {token: {secure: AAABbbb}}
  llm-d:labels: {team.name: {secure: AAABcc}}
"""

    def test_they_are_named_and_not_shown(self, read: Any) -> None:
        config = read(self.STACK)
        assert config.encrypted() == {"huggingFace", "labels"}
        assert "AAAB" not in str(config.texts())

    def test_they_count_as_set(self, read: Any) -> None:
        settings = read(self.STACK).settings()
        assert settings["huggingFace"]["token"].startswith("hf_")
        assert set(settings["labels"]) == {"team.name"}

    def test_one_in_a_list_keeps_its_place(self, read: Any) -> None:
        config = read("config: {llm-d:models: [{id: a}, {secure: AAAB}, {id: c}]}")
        models = config.settings()["models"]
        assert (models[0], models[2], config.encrypted()) == ({"id": "a"}, {"id": "c"}, {"models"})
        assert config.digest() == read("config: {llm-d:models: [{id: a}, {secure: AAAB}, {id: c}]}").digest()


class TestAssumptions:
    def test_only_what_is_missing_is_assumed(self, read: Any) -> None:
        config = assume_unset(read("config: {llm-d:project: mine, llm-d:huggingFace: {existingSecret: t}}"))
        assert (config.settings()["project"], config.notes) == ("mine", ())
        assert config.settings()["huggingFace"] == {"existingSecret": "t"}

    def test_each_assumption_is_a_note(self, read: Any) -> None:
        config = assume_unset(read("config: {llm-d:models: [{id: google/gemma-2b-it}]}", "name: llm-d"))
        assert config.settings()["project"] == ASSUMED_PROJECT
        assert [note.partition(" ")[0] for note in config.notes] == ["llm-d:project", "llm-d:huggingFace.token"]

    @pytest.mark.parametrize(
        ("gateway", "clients"),
        [
            ("{auth: {kind: api-keys}}", ["example-client"]),
            ("{auth: {kind: api-keys}, priorities: {batch: -1, other: 1}}", ["batch", "other", "example-client"]),
            ("{auth: {kind: api-keys, existingSecret: mine}}", []),
            ("{auth: {kind: jwt}}", []),
            ("{auth: api-keys}", []),
        ],
    )
    def test_api_keys_are_assumed_where_the_gateway_asks_for_them(
        self, read: Any, gateway: str, clients: list[str]
    ) -> None:
        config = assume_unset(read(f"config: {{llm-d:gateway: {gateway}}}"))
        assert list(config.settings().get("apiKeys", {})) == clients
        assert ("apiKeys" in config.encrypted()) is bool(clients)

    def test_the_release_stays_the_stacks_own(self, read: Any) -> None:
        assert assume_unset(read("config: {llm-d:release: llm-d-0.8}")).settings()["release"] == "llm-d-0.8"


class TestErrors:
    @pytest.mark.parametrize(
        ("stack", "message"),
        [
            ("config: [", "Pulumi.s.yaml is not valid YAML"),
            ("- a", "Pulumi.s.yaml must hold keys"),
            ("config: [1]", "config must hold keys"),
        ],
    )
    def test_a_file_that_is_none_is_refused(self, read: Any, stack: str, message: str) -> None:
        with pytest.raises(StackFileError, match=message):
            read(stack)

    @pytest.mark.parametrize("path", ["models[3].id", "location.zone"])
    def test_a_path_that_cannot_exist_is_refused(self, read: Any, path: str) -> None:
        with pytest.raises(StackFileError):
            read("config: {llm-d:location: us-east1-c, llm-d:models: []}", **{path: "1"})

    def test_the_number_of_an_element_is_in_brackets(self, read: Any) -> None:
        with pytest.raises(StackFileError, match=r"write llm-d:models\[0\]\.replicas$"):
            read("config: {llm-d:location: us-east1-c, llm-d:models: [{id: a/b}]}", **{"models.0.replicas": "1"})

    @pytest.mark.parametrize("path", ["models.replicas", "models[google/gemma-2b-it].replicas"])
    def test_a_key_of_a_list_leads_to_its_first_element(self, read: Any, path: str) -> None:
        with pytest.raises(StackFileError, match=r"models is a list.*: write llm-d:models\[0\]\.replicas$"):
            read("config: {llm-d:location: us-east1-c, llm-d:models: [{id: a/b}]}", **{path: "1"})

    def test_a_new_element_needs_what_every_element_has(self, read: Any) -> None:
        file = "config: {llm-d:location: us-east1-c, llm-d:models: [{id: a/b}]}"
        last = r"the stack has 1 element of llm-d:models, .* needs id as well\. Write llm-d:models\[0\]\.replicas for"
        with pytest.raises(StackFileError, match=last):
            read(file, **{"models[1].replicas": "2"})
        with pytest.raises(StackFileError, match=r"the next one to append is \[1\]; \[0\] is the last one$"):
            read(file, **{"models[5].replicas": "2"})
        with pytest.raises(StackFileError, match=r"location is no list: write it without \[0\]$"):
            read(file, **{"location[0]": "a"})
        whole = read(file, **{"models[1].replicas": "2", "models[1].id": "c/d"})
        assert whole.settings()["models"] == [{"id": "a/b"}, {"replicas": 2, "id": "c/d"}]

    def test_a_path_without_a_key_is_refused(self) -> None:
        with pytest.raises(StackFileError, match="for example"):
            segments("[0]")


def test_a_misspelled_stack_leads_to_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.chat.yaml").write_text("config: {}\n", encoding="utf-8")
    with pytest.raises(StackFileError, match=r"there is no Pulumi\.chta\.yaml\. Did you mean chat\?$"):
        load(tmp_path, "chta")
    with pytest.raises(StackFileError, match=r"neither a folder nor Pulumi\. nor \.yaml\. Did you mean chat\?$"):
        load(tmp_path, "examples/Pulumi.chat.yaml")
    (tmp_path / "elsewhere").mkdir()
    (elsewhere := tmp_path / "elsewhere" / "Pulumi.mine.yaml").write_text("config: {}\n", encoding="utf-8")
    with pytest.raises(StackFileError, match=r"not in the project's folder: copy or link it into "):
        load(tmp_path, str(elsewhere))
    with pytest.raises(StackFileError, match=r"there is no Pulumi\.other\.yaml\. Stacks: chat$"):
        load(tmp_path, "other")


def test_a_configuration_can_go_to_another_process_after_a_place_was_asked() -> None:
    config = load(PROJECT_ROOT, "gpu", {"llm-d:models[0].replicas": "2"})
    assert config.place_of("llm-d:location") is not None
    assert config.place_of("llm-d:models[0].replicas") == "-c"
    assert pickle.dumps(config)


def test_a_setting_is_of_the_command_line_if_it_or_what_is_around_it_was_changed_there() -> None:
    config = load(PROJECT_ROOT, "gpu", {"models[0].image": "vllm/vllm-openai:v0.26.0", "gateway": "{}"})
    assert config.place_of("llm-d:models[0].image") == config.place_of("llm-d:gateway.tls.kind") == "-c"
    assert load(PROJECT_ROOT, "gpu", {"hugginFace.token": "a"}).place_of("llm-d:hugginFace") == "-c"
    assert config.place_of("llm-d:models[0].imageFacts") == config.place_of("llm-d:models[0].id")
