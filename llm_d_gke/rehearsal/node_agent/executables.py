"""The executable of a container: the version that its image names, or else the pinned one, which is then recorded."""

from __future__ import annotations

import os
from pathlib import Path

from llm_d_gke.rehearsal.differences import record_difference
from llm_d_gke.rehearsal.node_agent.images_to_binaries import Program, repository, version
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.toolchain import pickers
from llm_d_gke.rehearsal.toolchain.build import Report, binaries
from llm_d_gke.rehearsal.toolchain.targets import TARGETS, Target, of_version


def target_of(which: Program, image: str) -> Target | None:
    """The target of the toolchain that runs for an image. None for a picker that was built from its own module."""
    default = TARGETS[which.value]
    named = bool(os.environ.get(default.override))
    if pickers.built(image) is not None and not named:
        return None
    if not default.dependency or named:
        return default
    return of_version(which.value, _go_version(image)) or default


def _go_version(image: str) -> str:
    """The tag of an image as a version of a Go module: KEDA's images have no `v`."""
    tag = version(image)
    return f"v{tag}" if tag[:1].isdigit() else tag


def executable(which: Program, image: str, paths: StackPaths, report: Report) -> Path:
    """The path of a program. Raises BuildError where it cannot be built."""
    target = target_of(which, image)
    own = pickers.built(image)
    if target is None and own is not None:
        return own
    target = target or TARGETS[which.value]
    version = _go_version(image)
    if target.dependency and not os.environ.get(target.override) and target.version != version:
        record_difference(
            paths,
            f"{repository(image)} runs in version {target.version} instead of {version or 'one without a tag'}: no Go"
            " module of that version is pinned here",
        )
    return binaries([target.name], report)[target.name]
