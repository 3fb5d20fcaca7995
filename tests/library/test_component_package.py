"""The component package: its schema, and the component through the engine with the package as a plugin."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llm_d_gke.component_package import provider, schema
from llm_d_gke.component_package.provider import whole_numbers
from llm_d_gke.component_package.schema import COMPONENT, package_schema
from llm_d_gke.components.late_values import ACCEPTED
from llm_d_gke.settings import StackSettings
from llm_d_gke.stackfile import PROJECT_ROOT
from tests.library.language_host import Engine, engine
from tests.stacks import values_of

FOLDER = Path(__file__).parent
CONFIG = {"gcp-project": "golden-project", "hugging-face-token": "hf_a_token"}
Json = dict[str, Any]


@pytest.fixture(scope="module")
def described() -> Json:
    return package_schema("0.1.0")


def properties(described: Json, path: tuple[str, ...]) -> list[Json]:
    """The properties on the way to a setting, by its path in a stack file."""
    specs: list[Json] = []
    spec: Json = {"properties": described["resources"][COMPONENT]["inputProperties"]}
    for part in path:
        options = [spec, *spec.get("oneOf", ())]
        options += [
            described["types"][o["$ref"].rpartition("/")[2]] for o in options if o.get("$ref", "").startswith("#")
        ]
        holders = [option for option in options if part in option.get("properties", {})]
        if holders:
            spec = holders[0]["properties"][part]
        else:
            (spec,) = (
                o.get("items") or o.get("additionalProperties")
                for o in options
                if {"items", "additionalProperties"} & set(o)
            )
        specs.append(spec)
    return specs


@pytest.mark.parametrize("stack", ["gpu", "disaggregated-gpu", "kserve-mixture-of-experts-wide-gpu", "autoscaled-gpu"])
def test_every_setting_of_a_stack_file_is_an_input(described: Json, stack: str) -> None:
    def walk(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        if isinstance(value, dict):
            for key, item in value.items():
                yield from walk(item, (*path, key))
        elif isinstance(value, list):
            for item in value:
                yield from walk(item, (*path, "*"))
        else:
            yield path

    paths = set(walk(values_of(stack), ()))
    assert len(paths) > 8
    for path in paths:
        assert properties(described, path)[-1], path


def test_the_inputs_are_the_settings(described: Json) -> None:
    inputs = set(described["resources"][COMPONENT]["inputProperties"])
    settings = {field.alias or name for name, field in StackSettings.model_fields.items()}
    assert inputs == settings - {"base"} | {"stack"}


def test_only_settings_that_planning_does_not_need_take_outputs(described: Json) -> None:
    late = {path: properties(described, path)[-1] for path in ACCEPTED}
    assert [path for path, spec in late.items() if spec.get("plain")] == []
    plain: list[bool] = []

    def count(spec: Any) -> None:
        if isinstance(spec, dict):
            if spec.get("type") in ("string", "integer", "number", "boolean") and "enum" not in spec:
                plain.append(bool(spec.get("plain")))
            for item in spec.values():
                count(item)
        elif isinstance(spec, list):
            for item in spec:
                count(item)

    served = described["types"].pop(f"{schema.PACKAGE}:{schema.MODULE}:ServedModel")
    count([described["types"], described["resources"][COMPONENT]["inputProperties"]])
    described["types"][f"{schema.PACKAGE}:{schema.MODULE}:ServedModel"] = served
    assert plain.count(False) == len(ACCEPTED)


def test_every_reference_has_its_type(described: Json) -> None:
    references = set(re.findall(r"#/types/([^\"']+)", str(described).replace("'", '"')))
    assert references <= set(described["types"])
    assert len(references) > 50


def test_whole_numbers_of_the_protocol_are_integers() -> None:
    assert whole_numbers({"a": [4096.0, 0.85], "b": True}) == {"a": [4096, 0.85], "b": True}
    assert isinstance(whole_numbers(2.0), int)


def test_the_version_without_an_installation_is_the_projects() -> None:
    project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == provider._UNKNOWN_VERSION
    assert project["scripts"] == {"pulumi-resource-llm-d": "llm_d_gke.component_package.provider:main"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    project = tmp_path_factory.mktemp("program")
    (project / "Pulumi.yaml").write_text("name: two-stacks\nruntime: python\n", encoding="utf-8")

    def command(request: Any, address: str) -> list[str]:
        runner = str(FOLDER / "run_python.py")
        return [sys.executable, runner, request.monitor_address, address, str(FOLDER / "programs" / "remote.py")]

    with engine(project, command, tmp_path_factory.mktemp("pulumi"), CONFIG) as ready:
        yield ready


def test_two_stacks_come_up_through_the_engine_and_go_away(running: Engine) -> None:
    running.run("up", "--yes", "--skip-preview")
    exported = running.run("stack", "export").stdout
    resources = json.loads(exported)["deployment"]["resources"]
    urns = [resource["urn"] for resource in resources]
    assert len(urns) == len(set(urns)) > 120
    for name in ("chat", "trial"):
        below = [
            r
            for r in resources
            if r["urn"].rpartition("::")[2] in (name,) or r["urn"].rpartition("::")[2].startswith(f"{name}-")
        ]
        assert len(below) > 60
        clusters = [r["inputs"]["name"] for r in below if r["type"] == "gcp:container/cluster:Cluster"]
        assert clusters == [f"llm-d-dev-{name}"]
    outputs = running.outputs()
    assert outputs["clusters"] == ["llm-d-dev-chat", "llm-d-dev-trial"]
    assert re.fullmatch(r"http://[\d.]+", outputs["endpoints"]["chat"])
    assert outputs["endpoints"]["chat"] != outputs["endpoints"]["trial"]
    assert "kubernetes:core/v1:Secret" in exported
    assert CONFIG["hugging-face-token"] not in exported
    running.run("preview", "--expect-no-changes")
    running.run("destroy", "--yes", "--skip-preview")
    assert running.resources() == []


def test_findings_name_the_properties(running: Engine) -> None:
    running.run("config", "set", "exposure", "external")
    refused = running.run("preview", check=False)
    assert refused.returncode != 0
    text = refused.stdout + refused.stderr
    assert "LLMD-GATEWAY-OPEN" in text
    assert "gateway.auth" in text
    assert "Traceback" not in text
