"""The project as an installed Python package."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import llm_d_gke
from llm_d_gke.stackfile import PROJECT_ROOT
from tests.library.wheel import build_wheel, install_wheel
from tests.stacks import plan_of, values_of

# Plans a stack from standard input, and reports where the package and each of its dependencies came from.
_PLAN = """
import json, sys
import llm_d_gke
assert not [name for name in sys.modules if name.startswith("llm_d_gke.")], "the import is not lazy"
settings = json.load(sys.stdin)
plan = llm_d_gke.plan_stack("gpu", settings)
typed = llm_d_gke.plan_stack("gpu", llm_d_gke.StackSettings.model_validate(settings))
print(json.dumps({
    "package": llm_d_gke.__file__,
    "cluster": plan.cluster.name,
    "cost": plan.cost.total("running").usd,
    "warnings": [finding.id for finding in plan.warnings],
    "equal": plan == typed,
}))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install_wheel(wheel, tmp_path_factory.mktemp("environment") / "venv")


def run(python: Path, program: str, folder: Path, standard_input: str = "") -> Any:
    """Run a program outside the checkout, and read its output as JSON."""
    done = subprocess.run(
        [str(python), "-I", "-c", program],
        input=standard_input,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_installed_package_plans_as_the_checkout_does(python: Path, tmp_path: Path) -> None:
    planned = run(python, _PLAN, tmp_path, json.dumps(values_of("gpu")))
    expected = plan_of("gpu")
    assert Path(planned["package"]).is_relative_to(python.parents[1])
    assert planned["cluster"] == expected.cluster.name
    assert planned["cost"] == expected.cost.total("running").usd
    assert planned["warnings"] == [finding.id for finding in expected.warnings]
    assert planned["equal"]


def test_the_wheel_holds_every_file_under_version_control_but_tools_for_the_project(wheel: Path) -> None:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "llm_d_gke"]
    listed = subprocess.check_output(command, cwd=PROJECT_ROOT, text=True).split()
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    shipped = {name for name in listed if not name.startswith("llm_d_gke/maintenance/")}
    assert "llm_d_gke/py.typed" in packed, "type checkers of other programs would skip the package"
    assert packed == {name for name in shipped if (PROJECT_ROOT / name).exists()}


def test_every_package_that_the_library_imports_is_a_dependency(python: Path, tmp_path: Path) -> None:
    """Modules that only the command line and the rehearsal import need more, and are for the checkout."""
    files = run(
        python,
        "import json, sys\n"
        "import llm_d_gke\n"
        "for name in llm_d_gke.__all__: getattr(llm_d_gke, name)\n"
        "print(json.dumps([m.__file__ for name, m in sys.modules.items() if name.startswith('llm_d_gke.')]))",
        tmp_path,
    )
    owners = packages_distributions()
    imported = {module for file in files for module in _imports(Path(file)) if module in owners} - {"llm_d_gke"}
    assert {"pulumi", "pydantic", "yaml"} <= imported
    assert [name for name in sorted(imported) if not {canonicalize_name(o) for o in owners[name]} & _allowed()] == []


def test_dependencies_accept_the_versions_that_tests_run_with() -> None:
    pinned = dict(
        re.findall(r"^([A-Za-z0-9._-]+)==(\S+)$", (PROJECT_ROOT / "requirements.in").read_text(), re.MULTILINE)
    )
    assert {canonicalize_name(name) for name in pinned} == set(_dependencies())
    refused = [
        name for name, version in pinned.items() if version not in _dependencies()[canonicalize_name(name)].specifier
    ]
    assert refused == []


def test_importing_the_package_imports_nothing_else() -> None:
    program = (
        "import sys, llm_d_gke; print([n for n in sys.modules if n.startswith(('llm_d_gke.', 'pulumi', 'pydantic'))])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_exists_and_is_documented() -> None:
    for name in llm_d_gke.__all__:
        assert getattr(llm_d_gke, name).__doc__, name
    assert dir(llm_d_gke) == sorted(llm_d_gke.__all__)
    with pytest.raises(AttributeError, match="no attribute StackSetings"):
        _ = llm_d_gke.StackSetings


def _dependencies() -> dict[str, Requirement]:
    project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    entries = map(Requirement, project["dependencies"])
    return {canonicalize_name(entry.name): entry for entry in entries}


def _imports(file: Path) -> set[str]:
    """Top-level names of the packages that a module imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def _allowed() -> set[str]:
    """The dependencies, those of the extra that `config: hub` needs, and the packages that pydantic is made of."""
    return {*_dependencies(), "huggingface-hub", "pydantic-core", "annotated-types"}


def test_the_program_of_the_page_plans(python: Path, tmp_path: Path) -> None:
    page = (PROJECT_ROOT / "docs" / "library.md").read_text(encoding="utf-8")
    program = re.findall(r"```python\n(.*?)```", page, re.DOTALL)[0]
    done = subprocess.run([str(python), "-I", "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    name, cost = done.stdout.split()
    assert name == "llm-d-chat"
    assert float(cost) > 0
