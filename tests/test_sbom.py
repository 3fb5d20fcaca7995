"""`make sbom`: every package of the locked environment, in its version, with its hashes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from llm_d_gke.stackfile import PROJECT_ROOT
from tests.test_locked_environment import locked

LOCK = PROJECT_ROOT / "requirements.txt"


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    file = tmp_path_factory.mktemp("sbom") / "sbom.json"
    if not (PROJECT_ROOT / ".venv-scan/.installed").exists():
        pytest.skip("make scan creates .venv-scan")
    subprocess.run([shutil.which("make") or "make", "-s", "sbom", f"OUT={file}"], cwd=PROJECT_ROOT, check=True)
    written: dict[str, object] = json.loads(file.read_text(encoding="utf-8"))
    return written


def components(document: dict[str, object]) -> list[dict[str, object]]:
    listed = document["components"]
    assert isinstance(listed, list)
    return listed


def test_it_is_cyclonedx_with_the_packages_of_the_lock(document: dict[str, object]) -> None:
    assert document["bomFormat"] == "CycloneDX"
    listed: dict[str, set[str]] = {}
    for component in components(document):
        listed.setdefault(canonicalize_name(str(component["name"])), set()).add(str(component["version"]))
    assert listed == locked(LOCK)


def test_every_package_has_the_hashes_of_the_lock_and_a_purl(document: dict[str, object]) -> None:
    locked_hashes = set(re.findall(r"--hash=sha256:([0-9a-f]{64})", LOCK.read_text(encoding="utf-8")))
    listed_hashes = set()
    for component in components(document):
        assert str(component["purl"]).startswith(f"pkg:pypi/{canonicalize_name(str(component['name']))}@")
        hashes = set(re.findall(r"[0-9a-f]{64}", json.dumps(component)))
        assert hashes
        listed_hashes |= hashes
    assert listed_hashes == locked_hashes


def test_no_path_of_this_machine_is_in_it(document: dict[str, object]) -> None:
    assert str(Path.home()) not in json.dumps(document)
    assert str(PROJECT_ROOT) not in json.dumps(document)
