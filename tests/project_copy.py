"""Copies of the project, as a fresh clone would be, for tests that change files or run commands in one."""

from __future__ import annotations

import shutil
import subprocess
from importlib.util import cache_from_source
from pathlib import Path

from llm_d_gke.stackfile import PROJECT_ROOT


def copy_project(target: Path) -> None:
    """Copy the files that Git tracks or would add, with their times, and what Python compiled of them.

    Without the compiled modules every copy would compile all of them once more.
    """
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(listing, cwd=PROJECT_ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        source = PROJECT_ROOT / name
        if not source.is_file():
            continue
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target / name)
        compiled = Path(cache_from_source(str(source)))
        if source.suffix == ".py" and compiled.exists():
            (target / name).parent.joinpath("__pycache__").mkdir(exist_ok=True)
            shutil.copy2(compiled, (target / name).parent / "__pycache__")
