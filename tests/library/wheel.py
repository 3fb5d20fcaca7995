"""The wheel of this project in an environment of its own."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

from llm_d_gke.stackfile import PROJECT_ROOT


def build_wheel(folder: Path) -> Path:
    """Build the wheel of the checkout into a folder, with the back end that pyproject.toml names."""
    command = ["uv", "build", "--wheel", "--no-build-isolation", "--python", sys.executable, "--quiet"]
    _run([*command, "--out-dir", str(folder), str(PROJECT_ROOT)])
    (wheel,) = folder.glob("*.whl")
    return wheel


def install_wheel(wheel: Path, folder: Path) -> Path:
    """Install a wheel into a new environment beside the locked packages of this one. Returns its Python.

    The checkout is not on its path, and the wheel's own copy is the only one that can be imported.
    """
    _run(["uv", "venv", "--quiet", "--python", sys.executable, str(folder)])
    python = folder / "bin" / "python"
    _run(["uv", "pip", "install", "--quiet", "--no-deps", "--python", str(python), str(wheel)])
    (site,) = (folder / "lib").glob("python*/site-packages")
    (site / "locked-packages.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    return python


def _run(command: list[str]) -> None:
    program = Path(sys.executable).with_name(command[0])
    done = subprocess.run([str(program), *command[1:]], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
