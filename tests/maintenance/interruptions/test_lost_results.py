"""A kill after Google Cloud has created something, before the state knows: the next destroy ends with nothing left."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_d_gke.google_types import ACCOUNT, ROUTER, SUBNETWORK
from llm_d_gke.maintenance.interruptions.remains import recorded, remains
from llm_d_gke.maintenance.interruptions.run import Operation, clear
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.providers.gcp.store import CloudStore
from llm_d_gke.stackfile import PROJECT_ROOT

pytestmark = [pytest.mark.rehearsal, pytest.mark.slow]

# `up` of stack gpu below a root, killed when something of a kind is created and no state knows.
_KILLED_UP = """
import os, pathlib, signal
from llm_d_gke.maintenance.interruptions import run
from llm_d_gke.rehearsal.providers.gcp.provider import GcpProvider

create = GcpProvider.create

def create_and_die(self, request):
    created = create(self, request)
    if request.type == {kind!r} and not request.preview:
        os.killpg(0, signal.SIGKILL)
    return created

GcpProvider.create = create_and_die
run.main("up", "gpu", pathlib.Path({root!r}), [])
"""


def kill_up(kind: str, paths: StackPaths) -> None:
    command = [sys.executable, "-c", _KILLED_UP.format(kind=kind, root=str(paths.root))]
    killed = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, start_new_session=True, check=False)
    assert killed.returncode == -9, killed.stdout


@pytest.fixture
def paths(tmp_path: Path) -> Iterator[StackPaths]:
    paths = StackPaths("gpu", tmp_path)
    yield paths
    clear(paths)


# These were left by a destroy after a kill with the real gcp provider (docs/measurements/real-parts.md).
@pytest.mark.parametrize("kind", [ACCOUNT, ROUTER, SUBNETWORK])
def test_what_was_created_and_not_recorded_goes_with_the_next_destroy(kind: str, paths: StackPaths) -> None:
    kill_up(kind, paths)
    created = CloudStore(paths.cloud).resources(kind)
    assert created
    assert not [line for line in recorded(paths) if line.startswith("state: urn") and f"::{kind}::" in line]
    Operation("destroy", paths, {}).succeed()
    assert remains(paths) == []
