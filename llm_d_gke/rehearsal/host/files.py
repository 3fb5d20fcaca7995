"""Files that other processes read while they are written."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path


def write_if_changed(file: Path, content: str | bytes) -> None:
    """Write a file as `atomic_write` does, unless it has this content already: programs watch such files."""
    data = content.encode() if isinstance(content, str) else content
    if not file.exists() or file.read_bytes() != data:
        atomic_write(file, data)


def atomic_write(file: Path, content: str | bytes, *, mode: int = 0o600) -> None:
    """Write a whole file or nothing, by default readable by its owner only. Creates the folder when it is missing."""
    data = content.encode() if isinstance(content, str) else content
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as output:
            output.write(data)
        temporary.chmod(mode)
        temporary.replace(file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def folder_bytes(folder: Path) -> int:
    """Bytes of the files below a folder. Files may vanish meanwhile, and one with several names counts once."""
    sizes: dict[tuple[int, int], int] = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                status = os.lstat(Path(parent, name))
                if stat.S_ISREG(status.st_mode):
                    sizes[status.st_dev, status.st_ino] = status.st_size
    return sum(sizes.values())
