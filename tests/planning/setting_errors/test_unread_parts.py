"""A stack file whose base or surroundings cannot be read: its own mistakes are in the same report, and no others."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.operations.fleet.command import preview_stack
from llm_d_gke.planning.setting_errors.unread_parts import own_findings, with_own_findings
from llm_d_gke.rehearsal.cli import explain
from llm_d_gke.stackfile import PROJECT_ROOT, StackConfig, StackFileError, load, project_stacks, stack_file

MISTAKES = """config:
  llm-d:base: environments/missing.yaml
  llm-d:releases: llm-d-0.9
  llm-d:accelerator:
    nodes: {min: few, maxx: 4}
  llm-d:gateway:
    tls: {kind: certmanager}
    timeoutSeconds: -5
    auth: {heading: x}
  llm-d:network: {network: null, podRange: 10.0.0.0/99}
  llm-d:huggingFace: {secure: abc}
  llm-d:project: <your-project>
  llm-d:models:
    - {id: a/b, replicas: many}
"""


def error_of(root: Path, text: str, overrides: dict[str, str] | None = None) -> StackFileError:
    (root / "Pulumi.s.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(StackFileError) as raised:
        load(root, "s", overrides)
    return raised.value


def findings_by_path(error: StackFileError) -> dict[str, tuple[str, str | None]]:
    return {finding.path: (finding.id, finding.place) for finding in own_findings(error)}


def test_what_no_base_can_change_is_reported_with_its_line(tmp_path: Path) -> None:
    """Not what a base may add: a type, a kind, the other settings of a model, of which elements are merged by id."""
    assert findings_by_path(error_of(tmp_path, MISTAKES)) == {
        "llm-d:releases": ("LLMD-SETTING-UNKNOWN", "Pulumi.s.yaml, line 3"),
        "llm-d:accelerator.nodes.min": ("LLMD-SETTING-TYPE", "Pulumi.s.yaml, line 5"),
        "llm-d:accelerator.nodes.maxx": ("LLMD-SETTING-UNKNOWN", "Pulumi.s.yaml, line 5"),
        "llm-d:gateway.tls": ("LLMD-SETTING-CHOICE", "Pulumi.s.yaml, line 7"),
        "llm-d:gateway.timeoutSeconds": ("LLMD-SETTING-RANGE", "Pulumi.s.yaml, line 8"),
        "llm-d:network.podRange": ("LLMD-SETTING-UNKNOWN", "Pulumi.s.yaml, line 10"),
        "llm-d:project": ("LLMD-SETTING-PLACEHOLDER", "Pulumi.s.yaml, line 12"),
    }


def test_a_command_says_first_why_the_base_cannot_be_read(tmp_path: Path) -> None:
    failure = explain(error_of(tmp_path, MISTAKES))
    assert failure is not None
    first, head, *others = failure.sentence.split("\n\n")
    assert first.startswith("Pulumi.s.yaml: llm-d:base = environments/missing.yaml: there is no such file")
    assert (head, len(others)) == ("7 errors, found in the stack file itself:", 7)
    assert any("did you mean llm-d:release?" in other for other in others)


def test_a_fleet_lists_both(tmp_path: Path) -> None:
    error = error_of(tmp_path, MISTAKES)
    row = preview_stack(tmp_path, "s")
    assert row.fault == str(error)
    assert set(row.errors) == {finding.id for finding in own_findings(error)}


@pytest.mark.parametrize(
    "around",
    [
        "config:\n  llm-d:base: base.yaml\n  SETTINGS",
        "config:\n  SETTINGS\nenvironment: shared",
        "config:\n  SETTINGS\ngateway: {}",
        "config:\n  location: us-east1-b\n  llm-d:location: 3\n  SETTINGS",
        "config:\n  llm-d: {location: 3}\n  SETTINGS",
    ],
    ids=("a base that is wrong itself", "an environment", "a stray key", "a key twice", "a group for the namespace"),
)
def test_one_error_around_the_settings_hides_none_of_theirs(tmp_path: Path, around: str) -> None:
    (tmp_path / "base.yaml").write_text("config:\n  llm-d:paused: true\n", encoding="utf-8")
    error = error_of(tmp_path, around.replace("SETTINGS", "release: [3]"))
    line = f"Pulumi.s.yaml, line {around.partition('SETTINGS')[0].count(chr(10)) + 1}"
    assert findings_by_path(error) == {"llm-d:release": ("LLMD-SETTING-TYPE", line)}


def test_a_value_of_the_command_line_takes_the_place_of_the_file_s(tmp_path: Path) -> None:
    changes = {"accelerator.nodes.min": "1", "llm-d:project": "my-project"}
    remaining = findings_by_path(error_of(tmp_path, MISTAKES, changes))
    assert not any(path.startswith(("llm-d:accelerator", "llm-d:project")) for path in remaining)
    assert "llm-d:releases" in remaining


def partial(values: Any) -> Iterator[Any]:
    """The values with one part missing, or null, at every place that a base may fill or a stack may empty."""
    for key in values if isinstance(values, dict) else range(len(values) if isinstance(values, list) else 0):
        without = copy.copy(values)
        del without[key]
        yield without
        if isinstance(values, dict):
            yield {**values, key: None}
        for inner in partial(values[key]):
            changed = copy.copy(values)
            changed[key] = inner
            yield changed


@pytest.mark.parametrize("stack", project_stacks())
def test_no_part_of_a_stack_file_is_wrong_because_its_base_is_missing(stack: str) -> None:
    config = read_yaml(stack_file(PROJECT_ROOT, stack))["config"]
    for values in (config, *partial(config)):
        error = StackFileError("the base is missing")
        error.own = StackConfig(values=values)
        assert own_findings(error) == [], values


@pytest.mark.parametrize("stack", project_stacks())
def test_a_stack_file_with_a_base_that_does_not_exist_has_that_error_alone(stack: str, tmp_path: Path) -> None:
    document = read_yaml(stack_file(PROJECT_ROOT, stack))
    document["config"]["llm-d:base"] = "environments/missing.yaml"
    error = error_of(tmp_path, yaml.safe_dump(document))
    assert with_own_findings(error) == str(error)


def test_a_wrong_path_of_the_command_line_hides_no_mistake_of_the_file(tmp_path: Path) -> None:
    error = error_of(tmp_path, "config:\n  llm-d:release: [3]\n", {"models[5].replicas": "1"})
    assert "element 5 does not exist" in str(error)
    assert findings_by_path(error) == {"llm-d:release": ("LLMD-SETTING-TYPE", "Pulumi.s.yaml, line 2")}
