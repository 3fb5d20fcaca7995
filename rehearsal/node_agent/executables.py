"""The executable of a container: the version that its image names, or else the pinned one, which is then recorded."""

from __future__ import annotations

import os
from pathlib import Path

from rehearsal.differences import record_difference
from rehearsal.node_agent.images_to_binaries import Program, repository, version
from rehearsal.paths import StackPaths
from rehearsal.toolchain import pickers
from rehearsal.toolchain.build import Report, binaries
from rehearsal.toolchain.targets import TARGETS, of_version


def executable(which: Program, image: str, paths: StackPaths, report: Report) -> Path:
    """The path of a program. Raises BuildError where it cannot be built."""
    own = pickers.built(image)
    default = TARGETS[which.value]
    if own is not None and not os.environ.get(default.override):
        return own
    wanted = version(image)
    if not default.dependency or os.environ.get(default.override):
        return binaries([default.name], report)[default.name]
    target = of_version(which.value, wanted) or default
    if target.version != wanted:
        record_difference(
            paths,
            f"{repository(image)} runs in version {target.version} instead of {wanted or 'one without a tag'}: no Go"
            " module of that version is pinned here",
        )
    return binaries([target.name], report)[target.name]
