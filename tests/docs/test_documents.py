"""The documents are correct: their commands run, their links resolve, generated parts are current."""

from __future__ import annotations

import functools
import itertools
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

from llm_d_gke.catalog import load
from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.operations.leftovers.kinds import KINDS
from llm_d_gke.operations.verify.run import CRITERIA
from llm_d_gke.rehearsal.toolchain.build import binaries
from llm_d_gke.rehearsal.toolchain.targets import TARGETS
from llm_d_gke.stackfile import PROJECT_ROOT
from tests.docs.documents import DOCUMENTS, commands_in

ROOT = PROJECT_ROOT


def test_every_pulumi_command_of_the_documents_exists() -> None:
    """They need an account, so only their words are checked: subcommands and flags, by Pulumi's own help."""
    pulumi = str(binaries(["pulumi"], print)["pulumi"])
    lines = [line for document in DOCUMENTS for line in commands_in(document, "console") if line.startswith("pulumi ")]
    assert lines
    for line in lines:
        words = shlex.split(line)[1:]
        path = list(itertools.takewhile(lambda word: re.fullmatch(r"[a-z]+", word) is not None, words))
        # A word that is no subcommand gets its parent's help.
        known_depths = [
            depth
            for depth in range(1, len(path) + 1)
            if _help(pulumi, path[:depth]) != _help(pulumi, path[: depth - 1])
        ]
        assert known_depths, line
        help_text = _help(pulumi, path[: known_depths[-1]])
        assert all(word.split("=")[0] in help_text for word in words if word.startswith("--")), line


@functools.cache
def _explained(pulumi: str, *path: str) -> str:
    return subprocess.run([pulumi, *path, "--help"], check=False, capture_output=True, text=True).stdout


def _help(pulumi: str, path: list[str]) -> str:
    return _explained(pulumi, *path)


def test_no_command_has_a_secret_that_a_shell_would_remember() -> None:
    """Pulumi asks for a value that the command line lacks. A program that makes one may stand there."""
    written = [
        f"{document.name}: {command}"
        for document in DOCUMENTS
        for command in re.findall(r"config set [^`\n]*--secret [^`,;|\n]*", document.read_text(encoding="utf-8"))
        if re.search(r"--secret \S+[^\s.] +(?![#&]|and\b|or\b|\"?\$\()\S", command)
    ]
    assert written == []


def test_links_between_documents_lead_somewhere() -> None:
    broken = [
        f"{document.name}: {target}"
        for document in DOCUMENTS
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8"))
        if not (document.parent / target).exists()
    ]
    assert not broken


_FOLDERS = {path.name for path in ROOT.iterdir() if path.is_dir()}

# Files of other projects, or created by a run.
_ELSEWHERE = {
    "config.json",
    "hf_quant_config.json",
    "result.json",
    "import.json",
    "resources.json",
    "rules.yaml",
    "dashboard.json",
    # Placeholders.
    "llm_d_gke/rehearsal/vllm_cpu/pins/VERSION.in",
    "llm_d_gke/catalog/locks/RELEASE.yaml",
    "Pulumi.chat.yaml",
    "docs/empirical-vllm-memory-results.md",
}


def _named_files(document: Path) -> Iterator[str]:
    """Text in code marks that looks like a file or folder of the project; placeholders as patterns."""
    for quoted in re.findall(r"`([^`\n]+)`", document.read_text(encoding="utf-8")):
        for word in quoted.split("[")[0].split():
            name = re.sub(r"<[^>]*>", "*", word.split("::")[0].strip("(),;:")).rstrip("/")
            folder, slash, _ = name.partition("/")
            if (slash and folder in _FOLDERS) or re.fullmatch(r"[\w.*-]+\.(py|yaml|yml|toml|txt|md|mod|json)", name):
                yield name


def test_files_that_documents_name_are_there() -> None:
    mentioned = [(document.name, name) for document in DOCUMENTS for name in _named_files(document)]
    assert ("architecture.md", "llm_d_gke/planning/names.py") in mentioned
    missing = [
        f"{document}: {name}"
        for document, name in mentioned
        if name not in _ELSEWHERE and not any(ROOT.glob(name)) and not any(ROOT.glob(f"{name}.py"))
    ]
    assert not missing


def _table(title: str) -> set[str]:
    """The names in the first column of the README's table with that heading."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (rows,) = re.findall(rf"^\| {re.escape(title)} \|.*\n\|[-|]+\n((?:\|.*\n)+)", readme, re.MULTILINE)
    listed = [name for row in rows.splitlines() for name in row.split("|")[1].strip().split(", ")]
    assert len(listed) == len(set(listed))
    return set(listed)


def test_the_dependency_table_holds_every_pinned_package_and_no_other() -> None:
    lines = [line for file in ROOT.glob("requirements*.in") for line in file.read_text().splitlines()]
    pinned = [line for line in lines if line and not line.startswith(("#", "-r "))]
    assert pinned
    assert {line.split("==")[0] for line in pinned} == _table("package")


def test_the_dependency_table_holds_every_go_module_that_is_built_or_read() -> None:
    """Built: the modules of the tools. Read: what go.mod requires for itself and not for others."""
    needed_modules = set()
    for file in (ROOT / "llm_d_gke" / "rehearsal" / "toolchain").glob("*/go.mod"):
        text = file.read_text(encoding="utf-8")
        required = re.findall(r"^(?:require |\t)(\S+) v\S+( // indirect)?$", text, re.MULTILINE)
        needed_modules |= {module for module, indirect in required if not indirect}
        tools = [target.package for target in TARGETS.values() if target.module == file.parent.name]
        # A main of this project: what it imports is required for itself.
        tools = [tool for tool in tools if not tool.startswith(".")]
        for tool in tools:
            of = [module for module, _ in required if tool == module or tool.startswith(f"{module}/")]
            needed_modules.add(max(of, key=len))
    assert needed_modules == _table("Go module")


def test_workflows_pin_every_action_by_commit() -> None:
    uses = [
        line.split("uses:", 1)[1].strip()
        for workflow in (ROOT / ".github" / "workflows").glob("*.yml")
        for line in workflow.read_text(encoding="utf-8").splitlines()
        if "uses:" in line
    ]
    assert uses
    assert not [use for use in uses if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", use)]


def test_the_readme_counts_what_is_there() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    pitfalls = re.findall(r"^### \d+\. ", (ROOT / "docs" / "pitfalls.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert re.findall(r"(\d+) ways in which", readme) == [str(len(pitfalls))]
    examples = list((ROOT / "examples").glob("Pulumi.*.yaml"))
    assert re.findall(r"(\d+) more stack files", readme) == [str(len(examples))]


def test_pages_count_what_is_there() -> None:
    teardown, operations = (
        (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8") for name in ("teardown", "operations")
    )
    assert re.findall(r"(\d+) kinds of resources", teardown) == [str(len(KINDS))]
    assert re.findall(r"by up to (\d+) checks", operations) == [str(len(CRITERIA))]
    assert {criterion.id for criterion in CRITERIA} <= set(re.findall(r"`([a-z-]+)`", operations))


def test_operations_name_the_releases_whose_engine_cannot_drain() -> None:
    """Those whose pods wait in preStop instead."""
    text = " ".join((ROOT / "docs" / "operations.md").read_text(encoding="utf-8").split())
    named = re.findall(r"the engines of releases ([^;()]*?) lack it", text)
    since = load_engine().features.graceful_shutdown
    card = load().accelerators["nvidia-l4"]
    images = {name: release.engine.image_for(card, disaggregated=False) for name, release in load().releases.items()}
    lacking = {name for name, image in images.items() if image and not load_engine().has(image.version, since)}
    assert [set(re.findall(r"`([^`]+)`", names)) for names in named] == [lacking]


def test_pages_name_the_python_that_the_project_needs() -> None:
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"]
    oldest = needed.removeprefix(">=")
    for page in ("README.md", "docs/first-hour.md"):
        named = re.findall(r"Python (3[.]\d+( or newer)?)", (ROOT / page).read_text(encoding="utf-8"))
        assert {name for name, _ in named} == {f"{oldest} or newer"}, page


def test_exit_statuses_are_those_of_a_command_and_not_of_make() -> None:
    """make turns every failure of a recipe into 2. docs/causes.md quotes the statuses of other programs."""
    statuses = 0
    for document in DOCUMENTS:
        if document.name == "causes.md":
            continue
        text = " ".join(document.read_text(encoding="utf-8").split())
        for sentence in re.findall(r"exit (?:status|code)e?s?:? (?:\d|of|0).{0,70}", text, re.IGNORECASE):
            if re.search(r"\d", sentence):
                statuses += 1
                assert "bin/llmd" in sentence or "python -m" in sentence or document.name == "upgrades.md", sentence
    assert statuses >= 8
