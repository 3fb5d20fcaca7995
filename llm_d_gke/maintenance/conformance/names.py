"""Compares names that a release states with those that its programs have: API groups, metrics, roles, entry points."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from llm_d_gke.catalog.metrics import load_metrics
from llm_d_gke.catalog.release import EngineImage, PickerRelease, Release
from llm_d_gke.catalog.upstream import Program


def pickers_of(release: Release) -> Iterator[PickerRelease]:
    """The picker of a release, and the picker of its pattern `disaggregated` if it differs."""
    yield release.picker
    if release.disaggregation is not None and release.disaggregation.picker is not None:
        yield release.disaggregation.picker


def engines_of(release: Release) -> dict[str, EngineImage | None]:
    """The engine images of a release by part; None where it has none."""
    return {"engine on GPU": release.engine.gpu, "engine on TPU": release.engine.tpu}


def entry_point(release: Release, image: str, program: Program) -> Iterator[str]:
    """A container's command must be the entry point in the Dockerfile of its image."""
    commands = {picker.image: picker.command for picker in pickers_of(release)}
    if release.disaggregation is not None:
        commands[release.disaggregation.sidecar.image] = release.disaggregation.sidecar.command
    command = commands.get(image)
    if command is not None and command != program.entry_point:
        yield f"the entry point of its image is {' '.join(program.entry_point)}"


def tracing(release: Release, image: str, program: Program) -> Iterator[str]:
    """Spans go to standard output, or to a collector that is not there, unless tracing is switched off."""
    stated = {picker.image: picker.flags for picker in pickers_of(release)} | {
        release.router.image: release.router.flags
    }
    if "tracing" in program.enabled and image in stated and "--tracing=false" not in stated[image]:
        yield "it traces unless it gets --tracing=false"


def names_of_picker(
    release: Release, picker: PickerRelease, program: Program, programs: Mapping[str, Program]
) -> Iterator[str]:
    """API groups and versions, metrics and roles that the release states for a picker. `programs` are those read."""
    if picker.config_api not in program.config_apis:
        yield f"it takes no configuration of {picker.config_api}"
    if set(picker.objective_groups) != set(program.objective_groups):
        yield f"it looks for objectives of {', '.join(program.objective_groups)}"
    own = (metric for metric in load_metrics().metrics.values() if metric.of == "picker")
    metrics = [metric.names.get(picker.metric_prefix) for metric in own]
    # A histogram or counter has its own name in PromQL, which the library makes of it.
    yield from (f"metric {name} does not exist" for name in metrics if name is not None and name not in program.metrics)
    if not any(metrics):
        yield f"no metric begins with {picker.metric_prefix}"
    named: list[str | None] = [picker.config_api, *metrics]
    if program.roles:
        named.append(release.role_of_both)
        if release.role_of_both is not None and release.role_of_both not in program.roles:
            yield f"role {release.role_of_both} is not one of a pod that decodes: {', '.join(program.roles)}"
    elif release.role_of_both is not None and not _reads_roles(release, programs):
        yield f"role {release.role_of_both} is stated, and no picker of the release has a filter by role"
    yield from (f"{name} is deprecated" for name in named if name in program.deprecated)


def _reads_roles(release: Release, programs: Mapping[str, Program]) -> bool:
    """Whether one of the release's pickers tells pods by their role, or its source is not known."""
    return any(picker.image not in programs or programs[picker.image].roles for picker in pickers_of(release))


def flags(names: Iterable[str], program: Program) -> Iterator[str]:
    """Flags, as names or whole arguments, that a program does not have, or that it calls deprecated."""
    for name in (argument.removeprefix("--").partition("=")[0] for argument in names):
        if name not in program.flags:
            yield f"flag --{name} does not exist"
        elif name in program.deprecated:
            yield f"flag --{name} is deprecated"
