"""Wheels of packages on PyPI, read without installing them."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from email.parser import HeaderParser
from pathlib import Path


def download(requirement: str, folder: Path) -> Path:
    """Download the wheel of a package from PyPI, without dependencies. Raises CalledProcessError where it has none."""
    folder.mkdir(parents=True, exist_ok=True)
    name, _, version = requirement.partition("==")
    pattern = f"{name.replace('-', '_')}-{version}[-+]*.whl"
    files = list(folder.glob(pattern))
    if not files:
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", "download", "--no-deps"]
        subprocess.run([*command, "--only-binary", ":all:", "-d", str(folder), requirement], check=True)
        files = list(folder.glob(pattern))
    return files[0]


def unpack(wheel: Path, folder: Path) -> Path:
    """Unpack the wheel's Python sources into `folder`, and return it."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder, [name for name in archive.namelist() if name.endswith(".py")])
    return folder


def exact_requirement(wheel: Path, package: str) -> str:
    """The exact version of a package that a wheel requires on Linux and x86-64. Raises LookupError without one."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = HeaderParser().parsestr(archive.read(name).decode())
    for text in metadata.get_all("Requires-Dist", []):
        match = re.match(rf"{re.escape(package)}==([\w.+-]+)", text)
        marker = text.partition(";")[2]
        elsewhere = any(word in marker for word in ("Darwin", "extra ==")) or (
            "aarch64" in marker and "x86" not in marker
        )
        if match is not None and not elsewhere:
            return match[1]
    raise LookupError(f"{wheel.name} requires no exact version of {package}")
