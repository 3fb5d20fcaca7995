"""Compares a release with the sources of its parts, by default as llm_d_gke/catalog/upstream.yaml recorded them.

Nothing runs here, so that this is quick and needs no network. Facts of the catalog are compared also where no stack
renders them today.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from llm_d_gke import catalog
from llm_d_gke.catalog.images import load_images
from llm_d_gke.catalog.release import EngineImage, IstioCharts, Release
from llm_d_gke.catalog.upstream import ChartSource, Package, Program, Upstream, load_upstream
from llm_d_gke.catalog.versions import version_numbers
from llm_d_gke.maintenance.conformance.names import engines_of, entry_point, flags, names_of_picker, pickers_of, tracing
from llm_d_gke.maintenance.conformance.rendered import names_for
from llm_d_gke.maintenance.upstream.charts import charts_with_facts, differing_facts, name_of
from llm_d_gke.maintenance.upstream.parts import images
from llm_d_gke.planning import StackPlan
from llm_d_gke.planning.engine_support.options import unknown_options

DIFFERS = "**differs**"


@dataclass(frozen=True)
class Cell:
    """The comparison of one component of a release, and its result."""

    release: str
    part: str
    version: str
    compared: str
    result: str
    lines: tuple[str, ...] = field(default=())


def cells_of(release: Release, plans: Mapping[str, StackPlan], sources: Upstream | None = None) -> Iterator[Cell]:
    """A cell for each part. `sources` is what was read of them; by default the record of the catalog."""
    sources = sources or load_upstream()
    yield from _programs(release, plans, sources.programs)
    yield from _engines(release, plans, sources.vllm)
    yield _charts(release, sources.charts)


def _programs(release: Release, plans: Mapping[str, StackPlan], programs: Mapping[str, Program]) -> Iterator[Cell]:
    pickers = {picker.image: picker for picker in pickers_of(release)}
    picker_builds = catalog.load().pickers
    for role, image in images(release).items():
        version = image.rpartition(":")[2]
        program = programs.get(image)
        lines = [*_stated_versions(release, image)]
        if program is None:
            result = DIFFERS if lines else "source not available"
            yield Cell(release.name, role, version, "versions", result, tuple(lines))
            continue
        rendered_flags = names_for(plans, image)
        lines += flags(sorted(rendered_flags | set(_facts(release, image))), program)
        compared = f"{len(rendered_flags)} flags"
        lines += entry_point(release, image, program)
        lines += tracing(release, image, program)
        if image in pickers:
            lines += names_of_picker(release, pickers[image], program, programs)
            listed = set(picker_builds[pickers[image].build].plugins)
            lines += [f"plugin {name} is listed on one side only" for name in sorted(listed ^ set(program.plugins))]
            compared += f", {len(listed)} plugins, entry point, API groups and versions, metrics"
            compared += ", roles" if program.roles else ""
        if image == release.router.image:
            compared += ", the label of mappings"
            if program.labels != (release.router.mapping_label,):
                lines.append(f"the label is {', '.join(program.labels)}")
            lines += _plugin_selection(release, program)
        yield Cell(release.name, role, version, compared, _result(lines, rendered_flags), tuple(dict.fromkeys(lines)))


def _facts(release: Release, image: str) -> Iterator[str]:
    """Flags that the release states for an image, whether a stack renders them or not."""
    for picker in pickers_of(release):
        if picker.image == image:
            stated = (*picker.flags, picker.leader_election_flag, picker.metrics_scheme_flag or "")
            yield from (_name(flag) for flag in stated if flag)
    if release.router.image == image:
        yield from (_name(flag) for flag in release.router.flags)
    disaggregation = release.disaggregation
    if disaggregation is not None and disaggregation.sidecar.image == image:
        sidecar = disaggregation.sidecar
        yield from (sidecar.connector_flag, sidecar.engine_port_flag, sidecar.tls_flag)


def _name(flag: str) -> str:
    return flag.lstrip("-").partition("=")[0]


def _stated_versions(release: Release, image: str) -> Iterator[str]:
    """Versions that a release states twice and that have to agree."""
    tag = image.rpartition(":")[2]
    disaggregation = release.disaggregation
    stated = {release.router.image: release.router.version}
    stated |= {picker.image: picker.version for picker in pickers_of(release)}
    if disaggregation is not None:
        stated[disaggregation.sidecar.image] = disaggregation.sidecar.version
    if stated[image] != tag:
        yield f"the version is {stated[image]}, and the image's tag {tag}"
    for picker in pickers_of(release):
        if picker.image == image and not picker.build.endswith(f"-{picker.version}"):
            yield f"its plugins are those of {picker.build}"


def _plugin_selection(release: Release, program: Program) -> Iterator[str]:
    """Whether the model router takes its plugins the way the release says: by file, by flags, or not at all."""
    needed = () if release.router.plugins == "built-in" else ("base-model-to-header", "body-field-to-header")
    yield from (f"plugin {name} is not registered" for name in needed if name not in program.plugins)
    flag = {"file": "config-file", "flags": "plugin", "built-in": None}[release.router.plugins]
    if flag is not None and flag not in program.flags:
        yield f"flag --{flag} does not exist"
    if flag is None and "base-model-to-header" in program.plugins:
        yield "its plugins are not built in: without a configuration no model's name becomes a header"
    if (release.router.config_api is not None) is not (flag == "config-file"):
        yield "a configuration file and its API version are stated one without the other"


def _engines(release: Release, plans: Mapping[str, StackPlan], read: Package) -> Iterator[Cell]:
    for role, image in engines_of(release).items():
        if image is None:
            yield Cell(release.name, role, "", "", "the release has none")
            continue
        lines: list[str] = []
        lines += _version_inside(image)
        if not read.covers(image.version):
            yield Cell(release.name, role, image.version, "", DIFFERS if lines else "source not available")
            continue
        rendered_arguments = names_for(plans, image.image)
        unknown = unknown_options(image.version, [f"--{name}" for name in sorted(rendered_arguments)])
        lines += [f"argument {name} does not exist" for _, name, _ in unknown]
        lines += _known_faults(release)
        compared = f"{len(rendered_arguments)} arguments"
        if load_images().vllm_in(image.image) is None:
            compared += "; nothing is known of the version in the image"
        if image.version not in read.versions:
            compared += ", with the versions before and after it"
        yield Cell(release.name, role, image.version, compared, _result(lines, rendered_arguments), tuple(lines))


def _version_inside(image: EngineImage) -> Iterator[str]:
    """vLLM's own images are tagged with its version; what llm-d's and Red Hat's contain is a fact of the catalog."""
    inside = load_images().vllm_in(image.image)
    if inside is not None and inside != image.version:
        yield f"the version is {image.version}, and {image.image.rpartition('/')[2]} has vLLM {inside}"


def _known_faults(release: Release) -> Iterator[str]:
    """Images that are known not to work on an accelerator that the release offers them for."""
    for fault in load_images().faults:
        for name in fault.accelerators:
            accelerator = catalog.load().accelerators[name]
            image = release.engine.image_for(accelerator, disaggregated=fault.disaggregated)
            if image is not None and fault.covers(image.image, image.version):
                yield f"{image.image.rpartition('/')[2]} on {name}: {fault.what}"


def _charts(release: Release, read: Mapping[str, ChartSource]) -> Cell:
    """Compare the versions of KServe's and of Istio's charts, and check that KServe's pools fit its version."""
    charts = release.charts
    lines = []
    if len({charts.kserve_crds.version, charts.kserve.version, charts.kserve_presets.version}) > 1:
        lines.append("the charts of KServe are of several versions")
    minor = version_numbers(charts.kserve.version)[1]
    if charts.legacy_inference_pool is not (minor < 20):
        lines.append("KServe makes pools of the older kind before v0.20.0, and only then")
    istio = charts.istio
    if isinstance(istio, IstioCharts) and istio.base.version != istio.control_plane.version:
        lines.append("the charts of Istio are of several versions")
    for chart in charts_with_facts(release):
        lines += differing_facts(release, chart, read.get(name_of(chart)))
    compared = "versions of KServe's and Istio's charts with each other, how their kinds are installed"
    return Cell(release.name, "charts", charts.kserve.version, compared, DIFFERS if lines else "agrees", tuple(lines))


def _result(lines: list[str], rendered_names: set[str]) -> str:
    if not lines:
        return "agrees" if rendered_names else "nothing is rendered for it"
    return "agrees, with deprecations" if all(line.endswith("deprecated") for line in lines) else DIFFERS
