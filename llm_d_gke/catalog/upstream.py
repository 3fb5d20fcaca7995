"""Typed access to upstream.yaml: what programs of releases take, as read from their sources."""

import datetime
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from .reading import read_yaml
from .schema import Entry
from .versions import version_numbers

_FILE = Path(__file__).with_name("upstream.yaml")


class Program(Entry):
    """One program of one version: what it takes and exports. `deprecated` names flags, APIs and roles.

    `enabled` are boolean flags that are set by default. `roles` are values of the label llm-d.ai/role that the picker
    takes for a pod that decodes. `entry_point` is that of the image's Dockerfile.
    """

    flags: tuple[str, ...]
    enabled: tuple[str, ...] = ()
    deprecated: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    entry_point: tuple[str, ...] = ()
    config_apis: tuple[str, ...] = ()
    objective_groups: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    source: str


class Availability(Entry):
    """First and last version, of those read, that has a variable.

    `type` is bool (0 or 1), switch (0, 1, true or false), int, float, text, or the accepted values separated by bars.
    `earlier` has the types of older versions, each with the last of those read that has it, oldest first.
    """

    type: str
    first: str
    last: str
    earlier: tuple[tuple[str, str], ...] = ()

    def in_version(self, version: str) -> bool:
        """Whether a version lies between the two."""
        return version_numbers(self.first) <= version_numbers(version) <= version_numbers(self.last)

    def type_in(self, version: str) -> str:
        """The type in a version."""
        number = version_numbers(version)
        return next((kind for last, kind in self.earlier if number <= version_numbers(last)), self.type)


class Package(Entry):
    """Environment variables of a Python package, by name."""

    versions: tuple[str, ...]  # that were read, oldest first
    variables: Mapping[str, Availability]

    def knows_variable(self, name: str, version: str) -> bool:
        """Whether a version has the variable, or is newer or older than all that were read beside one that has it."""
        variable, number = self.variables[name], version_numbers(version)
        oldest, newest = (version_numbers(self.versions[position]) for position in (0, -1))
        return variable.in_version(version) or (
            variable.first == self.versions[0]
            if number < oldest
            else number > newest and variable.last == self.versions[-1]
        )

    def lacks_variable(self, name: str, version: str) -> bool:
        """Whether the versions read on both sides of this one lack the variable: between them nothing else is known."""
        if not self.covers(version):
            return False
        number = version_numbers(version)
        below = max((read for read in self.versions if version_numbers(read) <= number), key=version_numbers)
        above = min((read for read in self.versions if version_numbers(read) >= number), key=version_numbers)
        variable = self.variables.get(name)
        return variable is None or not (variable.in_version(below) or variable.in_version(above))

    def covers(self, version: str) -> bool:
        """Whether an unlisted name is known to be absent: only between versions that were read."""
        return version_numbers(self.versions[0]) <= version_numbers(version) <= version_numbers(self.versions[-1])


class ChartSource(Entry):
    """One chart of one version, as its source has it; the fields are those of a release's ChartRelease.

    `keeps_scale`: whether the controller in the same source leaves replicas to an autoscaler; `finalizes_presets`:
    whether it puts a finalizer on its presets. None where it has none.
    """

    kinds: Literal["upgraded", "once"] | None = None
    deletes_kinds: bool = False
    keeps_scale: bool | None = None
    finalizes_presets: bool | None = None
    source: str


class Upstream(Entry):
    """The whole of upstream.yaml."""

    date: datetime.date
    programs: Mapping[str, Program]  # by image and version
    charts: Mapping[str, ChartSource]  # by name and version
    vllm: Package
    tpu_inference: Package


@functools.cache
def load_upstream() -> Upstream:
    """Read and validate upstream.yaml, once. Raises pydantic's ValidationError naming the field."""
    tree = read_yaml(_FILE)
    for package in ("vllm", "tpu_inference"):
        lines = tree[package]["variables"]
        tree[package]["variables"] = {name: _availability(line) for name, line in lines.items()}
    return Upstream.model_validate(tree)


def _availability(line: str) -> Mapping[str, object]:
    """`switch 0.11.2 0.32.0`, and `bool until 0.26.0` in front for each earlier type."""
    *earlier, latest = line.split(", ")
    type_, first, last = latest.split()
    until = tuple(tuple(reversed(words.split(" until "))) for words in earlier)
    return {"type": type_, "first": first, "last": last, "earlier": until}
