"""The commands that `import` prints, run through the real engine against the stand-in for Google Cloud."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from llm_d_gke.operations.import_cloud.command import commands
from llm_d_gke.operations.import_cloud.spec import import_spec
from llm_d_gke.rehearsal.host import processes
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.providers.base import serve
from llm_d_gke.rehearsal.providers.gcp import GcpProvider
from llm_d_gke.rehearsal.providers.gcp.cloud_view import Record
from llm_d_gke.rehearsal.providers.gcp.store import MARKS, CloudStore
from llm_d_gke.rehearsal.providers.properties import Properties
from llm_d_gke.rehearsal.toolchain.build import binaries
from llm_d_gke.stackfile import PROJECT_ROOT
from tests.library.language_host import PlausibleProvider
from tests.stacks import PROJECT, graph_of, values_of

STACK = "gpu"
PLUGIN = "pulumi-language-python"


class CloudWithoutControlPlane(GcpProvider):
    """Google's side of a stack. A cluster has addresses, and nothing behind them."""

    def _make_cluster(self, record: Record) -> Properties:
        endpoints = record.get("controlPlaneEndpointsConfig") or {}
        dns = {**(endpoints.get("dnsEndpointConfig") or {}), "endpoint": f"gke-{record['name']}.gke.goog"}
        return {
            "endpoint": "10.0.0.2",
            "masterAuth": {**(record.get("masterAuth") or {}), "clusterCaCertificate": "Y2E="},
            "controlPlaneEndpointsConfig": {**endpoints, "dnsEndpointConfig": dns},
        }


@dataclass(frozen=True)
class Project:
    """A copy of the project's YAML files with one stack, and the variables of its commands."""

    folder: Path
    variables: Mapping[str, str]

    def run(self, command: str, *, code: int = 0) -> str:
        """A command as it is printed, in a shell."""
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=self.folder,
            env={**os.environ, **self.variables},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def lose_the_state(self) -> None:
        self.run(f"pulumi stack rm {STACK} --force --yes --preserve-config")
        self.run(f"pulumi stack init {STACK}")

    def resources(self) -> list[dict[str, Any]]:
        deployment = json.loads(self.run(f"pulumi stack export --stack {STACK}"))["deployment"]
        return list(deployment.get("resources") or [])


@contextlib.contextmanager
def project(folder: Path) -> Iterator[Project]:
    executable = binaries(["pulumi"], print)["pulumi"]
    programs = folder / "bin"
    programs.mkdir(parents=True)
    plugin = programs / PLUGIN
    plugin.write_text(
        f'#!/bin/sh\nexport PYTHONPATH="{PROJECT_ROOT}"\n'
        f'exec "{sys.executable}" -m tests.library.language_plugin "{PROJECT_ROOT / "__main__.py"}" "$@"\n'
    )
    plugin.chmod(0o755)
    config = {f"llm-d:{key}": value for key, value in values_of(STACK, {"cluster.deletionProtection": False}).items()}
    token = config.pop("llm-d:huggingFace")["token"]
    (folder / "Pulumi.yaml").write_text("name: llm-d\nruntime: python\n", encoding="utf-8")
    (folder / f"Pulumi.{STACK}.yaml").write_text(yaml.safe_dump({"config": config}), encoding="utf-8")
    (folder / "backend").mkdir()
    paths = StackPaths(STACK, folder)
    paths.home.mkdir(parents=True)
    with (
        serve(CloudWithoutControlPlane(paths, lambda _: None)) as google,
        serve(PlausibleProvider("kubernetes")) as kubernetes,
    ):
        ready = Project(
            folder,
            {
                "PATH": f"{programs}{os.pathsep}{executable.parent}{os.pathsep}{os.environ['PATH']}",
                "PULUMI_HOME": str(folder / "home"),
                "PULUMI_BACKEND_URL": (folder / "backend").as_uri(),
                "PULUMI_CONFIG_PASSPHRASE": "test",
                "PULUMI_SKIP_UPDATE_CHECK": "true",
                "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
                "PULUMI_DEBUG_PROVIDERS": f"gcp:{google},kubernetes:{kubernetes}",
            },
        )
        ready.run(f"pulumi stack init {STACK}")
        ready.run(f"pulumi config set --stack {STACK} --path --secret llm-d:huggingFace.token {token}")
        try:
            yield ready
        finally:
            processes.stop_all(paths)


def cloud_of(folder: Path) -> dict[str, dict[str, Any]]:
    """Every resource at Google by its id, without the stand-in's notes."""
    resources = CloudStore(StackPaths(STACK, folder).cloud).read()["resources"]
    return {
        identifier: {key: value for key, value in record.items() if key != MARKS}
        for records in resources.values()
        for identifier, record in records.items()
    }


@pytest.mark.rehearsal
@pytest.mark.slow
def test_a_lost_state_comes_back_and_nothing_at_google_changes(tmp_path: Path) -> None:
    spec = import_spec(graph_of(STACK), PROJECT)
    with project(tmp_path) as stack:
        stack.run(f"pulumi up --stack {STACK} --yes --skip-preview")
        before = cloud_of(tmp_path)
        stack.lose_the_state()
        (tmp_path / "import.json").write_text(spec.text(), encoding="utf-8")
        provider, imports, preview = (
            line for line in commands(STACK, spec, Path("import.json")) if not line.startswith("#")
        )
        stack.run(provider)
        stack.run(imports)
        in_state = {resource["urn"] for resource in stack.resources()}
        imported = {item.resource.urn for item in spec.imported}
        assert imported <= in_state
        assert cloud_of(tmp_path) == before
        steps = json.loads(stack.run(f"{preview} --json 2>/dev/null"))["steps"]
    assert [(step["op"], step["urn"]) for step in steps if step["urn"] in imported] == []
    others = {resource.urn for resource, _ in spec.created}
    assert {step["op"] for step in steps if step["urn"] in others} == {"create"}
    # The stack and its provider, which the first command registered.
    assert {step["op"] for step in steps} - {"same"} == {"create"}
    assert {urn for urn in imported if "gcp:container/" in urn} == {
        resource.urn for resource in graph_of(STACK) if resource.type.startswith("gcp:container/")
    }
