"""The examples in TypeScript and Go: with generated SDKs, compiled, through the engine."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from llm_d_gke.component_package.schema import package_schema
from llm_d_gke.rehearsal.toolchain.build import binaries
from llm_d_gke.stackfile import PROJECT_ROOT
from tests.library.language_host import Command, Engine, engine

pytestmark = pytest.mark.languages

EXAMPLES = PROJECT_ROOT / "examples" / "library"
CONFIG = {"gcp-project": "golden-project", "hugging-face-token": "hf_a_token"}


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=variables())
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def variables() -> dict[str, str]:
    return {**os.environ, "GOWORK": "off", "GOFLAGS": "-mod=mod", "CGO_ENABLED": "0"}


def copied(language: str, folder: Path) -> Path:
    """A copy of an example with the SDK that `pulumi package add` would generate."""
    project = folder / language
    ignored = shutil.ignore_patterns("sdks", "node_modules", "bin")
    shutil.copytree(EXAMPLES / language, project, ignore=ignored)
    generator = binaries(["sdk-generator"], print)["sdk-generator"]
    sdk = project / "sdks" / "llm-d"
    sdk.mkdir(parents=True)
    name = {"typescript": "nodejs"}.get(language, language)
    schema = json.dumps(package_schema("0.1.0"))
    done = subprocess.run([str(generator), name, str(sdk)], input=schema, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return project


def typescript(folder: Path) -> tuple[Path, Command]:
    """The compiled TypeScript example. Refuses to compile if an output is given for a plain setting."""
    project = copied("typescript", folder)
    run(project, "npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--silent")
    compiler = ("node", "node_modules/typescript/bin/tsc")
    # As the SDK's script for npm does, which needs a compiler on PATH.
    run(project, *compiler, "-p", "sdks/llm-d")
    shutil.copy(project / "sdks" / "llm-d" / "package.json", project / "sdks" / "llm-d" / "bin")
    run(project, *compiler)
    program = (project / "index.ts").read_text(encoding="utf-8")
    wrong = program.replace("maxModelLen: 4096", "maxModelLen: pulumi.output(4096)")
    assert wrong != program
    (project / "index.ts").write_text(wrong, encoding="utf-8")
    refused = subprocess.run([*compiler, "--noEmit"], cwd=project, capture_output=True, text=True, check=False)
    (project / "index.ts").write_text(program, encoding="utf-8")
    assert "is not assignable to type 'number'" in refused.stdout

    def command(request: Any, address: str) -> Sequence[str]:
        return (
            *("node", "node_modules/@pulumi/pulumi/cmd/run/index.js"),
            *("--monitor", request.monitor_address, "--engine", address, "--project", request.project),
            *("--stack", request.stack, "--pwd", str(project), "--parallel", str(request.parallel)),
            *(["--dry-run"] if request.dryRun else []),
            ".",
        )

    return project, command


def go(folder: Path) -> tuple[Path, Command]:
    """The compiled Go example."""
    project = copied("go", folder)
    run(project, "go", "build", "-trimpath", "-o", "bin/two-stacks", ".")

    def command(_request: Any, _address: str) -> Sequence[str]:
        return [str(project / "bin" / "two-stacks")]

    return project, command


@pytest.fixture(scope="module", params=[typescript, go], ids=lambda build: build.__name__)
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    project, command = request.param(tmp_path_factory.mktemp("program"))
    with engine(project, command, tmp_path_factory.mktemp("pulumi"), CONFIG) as ready:
        yield ready


def test_the_example_comes_up_and_goes_away(running: Engine) -> None:
    running.run("up", "--yes", "--skip-preview")
    resources = running.resources()
    assert len(resources) > 120
    assert len([r for r in resources if r["type"] == "llm-d:stack:InferenceStack"]) == 2
    outputs = running.outputs()
    assert outputs["clusters"] == ["llm-d-dev-chat", "llm-d-dev-trial"]
    assert outputs["models"] == ["google/gemma-2b-it", "Qwen/Qwen2.5-1.5B-Instruct"]
    assert all(re.fullmatch(r"http://[\d.]+", endpoint) for endpoint in outputs["endpoints"].values())
    assert CONFIG["hugging-face-token"] not in running.run("stack", "export").stdout
    running.run("preview", "--expect-no-changes")
    running.run("destroy", "--yes", "--skip-preview")
    assert running.resources() == []
