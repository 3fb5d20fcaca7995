"""Locks: the digests of a release's images and charts, as their registries gave them. `make lock` writes them.

A tag can be moved, a digest names its content. A release without a lock is pinned by tags alone.
"""

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field

from llm_d_gke.catalog.reading import read_yaml

FOLDER = Path(__file__).parent / "locks"

Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


class Lock(BaseModel):
    """Digests by reference as the catalog has it: `repository:tag` of an image, `oci://chart:version` of a chart."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    release: str
    date: datetime.date
    images: Mapping[str, Digest] = {}
    charts: Mapping[str, Digest] = {}


def load_lock(release: str, folder: Path = FOLDER) -> Lock | None:
    """The lock of a release, None without one. Raises ValueError for a file that is no lock of it."""
    file = folder / f"{release}.yaml"
    if not file.exists():
        return None
    lock = Lock.model_validate(read_yaml(file))
    if lock.release != release:
        raise ValueError(f"{file.name} is the lock of {lock.release}")
    return lock


def write_lock(lock: Lock, folder: Path = FOLDER) -> Path:
    """Write the lock of a release, its entries sorted."""
    folder.mkdir(exist_ok=True)
    file = folder / f"{lock.release}.yaml"
    document = {
        "release": lock.release,
        "date": lock.date,
        "images": dict(sorted(lock.images.items())),
        "charts": dict(sorted(lock.charts.items())),
    }
    header = "# Written by `make lock`: digests by which images are pulled, and by which verify judges what runs.\n"
    file.write_text(header + yaml.safe_dump(document, sort_keys=False, width=200), encoding="utf-8")
    return file
