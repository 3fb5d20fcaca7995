"""requirements*.txt lock what requirements*.in ask for: exact versions with hashes, from no particular index."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
INPUTS = sorted(ROOT.glob("requirements*.in"))
EVERYTHING = ROOT / "requirements-dev.txt"


def pins(file: Path) -> dict[str, str]:
    """Version of each package that an input file names itself, without the files it includes."""
    requirements = [
        Requirement(line)
        for line in file.read_text(encoding="utf-8").splitlines()
        if line and not line.startswith(("#", "-r "))
    ]
    return {canonicalize_name(entry.name): str(entry.specifier).removeprefix("==") for entry in requirements}


def locked(file: Path) -> dict[str, set[str]]:
    """Versions of each package in a lock file. More than one if they depend on the platform."""
    versions: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", file.read_text(encoding="utf-8"), re.MULTILINE):
        versions.setdefault(canonicalize_name(name), set()).add(version)
    return versions


def included(file: Path) -> list[Path]:
    """An input file and the input files it includes."""
    names = re.findall(r"^-r (\S+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    return [file, *(ROOT / name for name in names)]


@pytest.mark.parametrize("file", INPUTS, ids=lambda file: file.name)
class TestEachLock:
    def test_every_input_pins_exact_versions(self, file: Path) -> None:
        assert all(re.fullmatch(r"\d[\w.]*", version) for version in pins(file).values())

    def test_the_lock_holds_what_the_input_pins(self, file: Path) -> None:
        pinned = {name: {version} for part in included(file) for name, version in pins(part).items()}
        lock = locked(file.with_suffix(".txt"))
        assert {name: lock.get(name) for name in pinned} == pinned, "run `make lock-python`"

    def test_no_index_is_named(self, file: Path) -> None:
        """A lock that names a mirror installs only where the mirror is reachable."""
        text = file.with_suffix(".txt").read_text(encoding="utf-8")
        assert "://" not in text
        assert not re.search(r"^-", text, re.MULTILINE)

    def test_no_version_differs_from_the_whole_environments(self, file: Path) -> None:
        everything = locked(EVERYTHING)
        lock = locked(file.with_suffix(".txt"))
        assert {name: everything.get(name) for name in lock} == lock, "run `make lock-python`"


# Of tools that have environments of their own.
TOOLS = [
    ROOT / name / "requirements.in" for name in ("policy", "llm_d_gke/maintenance/scan", "llm_d_gke/operations/bench")
]


@pytest.mark.parametrize("file", [*INPUTS, *TOOLS], ids=lambda file: str(file.relative_to(ROOT)))
class TestRenovate:
    """Other headers are an error for it (renovatebot/renovate, lib/modules/manager/pip-compile/common.ts)."""

    def test_its_configuration_names_the_lock(self, file: Path) -> None:
        configuration = json.loads((ROOT / ".github" / "renovate.json").read_text(encoding="utf-8"))
        [pattern] = configuration["pip-compile"]["managerFilePatterns"]
        assert re.search(pattern.strip("/"), str(file.with_suffix(".txt").relative_to(ROOT)))
        assert not re.search(pattern.strip("/"), "package/requirements.txt")

    def test_it_can_repeat_the_command_of_the_header(self, file: Path) -> None:
        name = str(file.relative_to(ROOT))
        command = file.with_suffix(".txt").read_text(encoding="utf-8").splitlines()[1].removeprefix("#    ").split()
        assert command[:3] == ["uv", "pip", "compile"]
        assert {word for word in command[3:] if not word.startswith("--constraints=")} == {
            *("--universal", "--python-version=3.11", "--generate-hashes", name),
            f"--output-file={name.removesuffix('.in')}.txt",
        }

    def test_every_package_has_a_hash(self, file: Path) -> None:
        """pip verifies hashes of all packages or of none."""
        text = file.with_suffix(".txt").read_text(encoding="utf-8")
        entries = re.split(r"^(?=\S+==)", text, flags=re.MULTILINE)[1:]
        assert entries
        assert not [entry.split("\n")[0] for entry in entries if "--hash=sha256:" not in entry]


def test_the_locks_are_what_make_workflows_and_pulumi_install() -> None:
    """`pulumi install` takes requirements.txt, which is hash-checked because it has hashes."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    installed = re.findall(r"(?:\$\(PIP\)(?: -q)?|uv pip install \S+ \S+ --require-hashes) -r (\S+)", makefile)
    own = ["requirements-install.txt", "requirements-dev.txt", "requirements-dev.txt"]
    assert sorted(installed) == sorted(["llm_d_gke/operations/bench/requirements.txt", *own])
    assert re.search(r"^PIP := .* --require-hashes$", makefile, re.MULTILINE)
    installs = [
        line.strip()
        for workflow in (ROOT / ".github" / "workflows").glob("*.yml")
        for line in workflow.read_text(encoding="utf-8").splitlines()
        if "pip install" in line
    ]
    assert installs
    locks = {file.with_suffix(".txt").name for file in INPUTS}
    assert {line.partition("--require-hashes -r ")[2] for line in installs} <= locks
