"""`make check`, the git hooks and CI run the same checks."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from llm_d_gke.catalog.reading import read_yaml

ROOT = Path(__file__).resolve().parents[1]


def checks() -> list[str]:
    """Targets that `make check` consists of."""
    (line,) = re.findall(r"^CHECKS := (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    return str(line).split()


def test_every_check_is_a_git_hook_and_every_hook_a_check() -> None:
    config = read_yaml(ROOT / ".pre-commit-config.yaml")
    hooks = [hook for repository in config["repos"] for hook in repository["hooks"]]
    assert [hook["id"] for hook in hooks] == checks()
    assert [hook["entry"].split()[-1] for hook in hooks] == checks()


def test_no_hook_is_downloaded() -> None:
    config = read_yaml(ROOT / ".pre-commit-config.yaml")
    assert {repository["repo"] for repository in config["repos"]} == {"local"}
    assert {hook["language"] for repository in config["repos"] for hook in repository["hooks"]} == {"system"}


def test_ci_runs_the_checks_and_the_tests() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    ran = _recipe("test").stdout
    for check in checks():
        assert (command := _recipe(check).stdout.strip().splitlines()[-1]) in ran, command
    assert "-m pytest -n" in ran
    assert re.search(r"^check: \$\(CHECKS\)", makefile, re.MULTILINE)
    assert "make --no-print-directory test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def _recipe(*arguments: str) -> subprocess.CompletedProcess[str]:
    """What make would run. Nothing of a make that runs these tests goes with it."""
    make = shutil.which("make")
    assert make is not None
    own = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        [make, "--dry-run", *arguments], cwd=ROOT, env=own, capture_output=True, text=True, check=False
    )


def test_commands_keep_what_python_compiled(tmp_path: Path) -> None:
    makefile = tmp_path / "Makefile"
    makefile.write_text((ROOT / "Makefile").read_text(encoding="utf-8") + "\nvariables:\n\t@env\n", encoding="utf-8")
    variables = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    command = ["make", "-f", str(makefile), "variables"]
    listing = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=True)
    assert "PATH=" in listing.stdout
    assert "PYTHONDONTWRITEBYTECODE" not in listing.stdout


def test_the_list_of_targets_fits_a_terminal() -> None:
    make = shutil.which("make")
    assert make is not None
    own = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    listed = subprocess.run([make, "help"], cwd=ROOT, env=own, capture_output=True, text=True, check=True).stdout
    assert max(map(len, listed.splitlines())) <= 80
    assert "  make report " in listed


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("diff", "A is missing: make diff A=gpu B=prefix-cache-gpu"),
        ("diff A=gpu", "B is missing: make diff A=gpu B=prefix-cache-gpu"),
        ("size LOAD=1/s", "MODEL is missing: make size MODEL="),
        ("explain STACK=tpu", "FIELD is missing: make explain STACK=tpu FIELD="),
        # Without a scenario it measures other stacks, for an hour.
        ("bench STACK=mine", "SCENARIO is missing: make bench STACK=mine SCENARIO=quick"),
        ("upgrade STACK=mine", "TO is missing: make upgrade STACK=mine TO=llm-d-0.10"),
        # Each of these would end, measure or judge the stack `gpu`.
        ("down stack=mine", "there is no variable stack here: did you mean STACK=mine?"),
        ("bench STACK=mine scenario=quick", "there is no variable scenario here: did you mean SCENARIO=quick?"),
        ("report OVERLAY=mine", "there is no variable OVERLAY here"),
        ("preflight PROJECT=mine", "there is no variable PROJECT here: an option of the command is in ARGS='--project"),
        (
            "preview replicas=2",
            "there is no variable replicas here: a setting is changed for one run by ARGS='-c replic",
        ),
        # Variables of other targets.
        ("down STACKS=mine", "make down takes no STACKS: `make` lists"),
        ("catalog STACK=mine", "make catalog takes no STACK: `make` lists"),
        ("up A=mine", "make up takes no A: `make` lists"),
        ("down prefix-cache-gpu", "there is no target prefix-cache-gpu: a stack is named by STACK=prefix-cache-gpu"),
        ("diff gpu prefix-cache-gpu", "there is no target gpu: two stacks are named by A=... B=..."),
        ("backup", "there is no target backup: did you mean make backup-check?"),
        ("pause", "there is no target pause: llm-d:paused in the stack file"),
        ("scale", "there is no target scale: models[].replicas"),
        # The target that is spelled most like it is destroy.
        ("deploy STACK=mine", "there is no target deploy: `make up` brings a stack up on this machine"),
        ("watch", "there is no target watch: `make status` lists pods"),
        ("down nothing", "there is no target nothing: `make` lists them"),
    ],
)
def test_what_make_would_ignore_or_lacks_is_refused(command: str, words: str) -> None:
    refused = _recipe(*command.split())
    assert refused.returncode == 2
    assert words in " ".join(refused.stderr.split())
    assert max(map(len, refused.stderr.splitlines())) <= 80
    assert "-m llm_d_gke " not in refused.stdout


def test_every_variable_that_a_document_gives_to_make_is_known() -> None:
    documents = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
    lines = "\n".join(path.read_text(encoding="utf-8") for path in documents)
    named = {
        name for call in re.findall(r"^make [a-z].*$", lines, re.MULTILINE) for name in re.findall(r"\b([A-Z]+)=", call)
    }
    assert {"STACK", "SCENARIO", "A"} <= named
    assert "there is no variable" not in _recipe("report", *(f"{name}=gpu" for name in named)).stderr


def test_every_command_that_a_document_gives_to_make_is_taken() -> None:
    documents = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "AGENTS.md", *(ROOT / "docs").glob("*.md")]
    lines = "\n".join(path.read_text(encoding="utf-8") for path in documents)
    calls = {
        (call[0], *re.findall(r"\b[A-Z]+(?==)", call[1]))
        for call in re.findall(r"\bmake(?: -s)? ([a-z][a-z-]+)((?: [A-Z]+=(?:'[^']*'|[^\s`']+))+)", lines)
    }
    assert len(calls) > 20
    for target, *names in calls:
        assert "takes no" not in _recipe(target, *(f"{name}=gpu" for name in names)).stderr


def test_several_targets_share_their_variables() -> None:
    assert not _recipe("up", "verify", "STACK=gpu", "ENGINE=vllm").stderr


def test_diff_writes_the_file_that_out_names() -> None:
    assert "diff gpu tpu --out diff.md" in _recipe("diff", "A=gpu", "B=tpu", "OUT=diff.md").stdout
    assert "--out" not in _recipe("diff", "A=gpu", "B=tpu").stdout


def test_types_of_every_provider_module_in_use_are_read() -> None:
    """Modules that the type checker skips have no types: a wrong argument would pass."""
    overrides = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mypy"]["overrides"]
    read = next(entry["module"] for entry in overrides if entry.get("follow_imports") == "normal")
    names = {"gcp": "pulumi_gcp", "kubernetes": "pulumi_kubernetes", "k8s": "pulumi_kubernetes"}
    used = {
        f"{names[name]}.{module}"
        for folder in ("llm_d_gke", "bootstrap", "tests")
        for file in (ROOT / folder).rglob("*.py")
        for name, module in re.findall(r"(?<![\w.\"'/])(gcp|kubernetes|k8s)\.([a-z]\w*)\.[\w.]*[A-Z]", file.read_text())
    }
    assert "pulumi_gcp.container" in used
    assert not [module for module in used if f"{module}.*" not in read and module not in read]
