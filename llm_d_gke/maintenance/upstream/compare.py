"""Compares what the project renders for a release with what the release's programs accept."""

from __future__ import annotations

from collections.abc import Iterator

from llm_d_gke.catalog import Catalog
from llm_d_gke.catalog.release import PickerRelease, Release
from llm_d_gke.catalog.upstream import Program
from llm_d_gke.maintenance.upstream.charts import charts_with_facts, differing_facts, name_of, read_chart
from llm_d_gke.maintenance.upstream.names import entry_point, flags, names_of_picker, tracing
from llm_d_gke.maintenance.upstream.parts import Folders, NotAvailableError, images, read_arguments, read_program
from llm_d_gke.planning import RefusedError, plan_config
from llm_d_gke.rehearsal.pulumi_engine.configuration import load
from llm_d_gke.stackfile import PROJECT_ROOT, project_stacks

# Some images are pulled with an account only.
_ACCOUNT = {"llm-d:registry.existingSecret": "an-account"}


def compare(release: Release, catalog: Catalog, folders: Folders) -> int:
    """Print one line for each difference. Returns 1 if there is any, otherwise 0."""
    differences = 0
    for role, image in images(release).items():
        try:
            program = read_program(image, folders)
        except NotAvailableError as error:
            print(f"not available  {role}: {error}")
            continue
        lines = list(_against(role, release, catalog, program))
        differences += len(lines)
        print(f"{'differs' if lines else 'agrees':<13}  {role}: {image} ({program.source})")
        for line in lines:
            print(f"               {line}")
    differences += _charts(release)
    differences += _engine(release, folders)
    return 1 if differences else 0


def _against(role: str, release: Release, catalog: Catalog, program: Program) -> Iterator[str]:
    image = images(release)[role]
    yield from entry_point(release, image, program)
    yield from tracing(release, image, program)
    if role == "model router":
        router = release.router
        yield from flags(router.flags, program)
        if program.labels != (router.mapping_label,):
            yield f"mapping_label {router.mapping_label}: the source has {', '.join(program.labels) or 'none'}"
        ways = {"file": "config-file", "flags": "plugin"}
        if router.plugins in ways and ways[router.plugins] not in program.flags:
            yield f"plugins: {router.plugins}: there is no --{ways[router.plugins]}"
        required = {"body-field-to-header", "base-model-to-header"} if router.plugins != "built-in" else set()
        yield from (f"plugin {name}: not registered" for name in sorted(required - set(program.plugins)))
    elif role == "routing sidecar":
        assert release.disaggregation is not None
        sidecar = release.disaggregation.sidecar
        yield from flags((sidecar.connector_flag, sidecar.engine_port_flag, sidecar.tls_flag), program)
    else:
        own = release.disaggregation.picker if release.disaggregation is not None else None
        picker = own if role != "endpoint picker" and own is not None else release.picker
        yield from _picker(picker, catalog, program)
        yield from names_of_picker(release, picker, program)


def _picker(picker: PickerRelease, catalog: Catalog, program: Program) -> Iterator[str]:
    supplied = (picker.leader_election_flag, picker.metrics_scheme_flag, "config-file", "pool-name", "pool-namespace")
    yield from flags((*picker.flags, *filter(None, supplied)), program)
    listed = set(catalog.pickers[picker.build].plugins)
    yield from (
        f"plugin {name}: pickers.yaml has it, the source does not" for name in sorted(listed - {*program.plugins})
    )
    yield from (
        f"plugin {name}: the source has it, pickers.yaml does not" for name in sorted({*program.plugins} - listed)
    )


def _charts(release: Release) -> int:
    """Facts about charts, against the Go modules that are pinned here."""
    differences = 0
    for chart in charts_with_facts(release):
        source = read_chart(chart)
        lines = list(differing_facts(release, chart, source))
        if source is None:
            print(f"not available  chart {name_of(chart)}: no Go module of this version is pinned here")
        else:
            print(f"{'differs' if lines else 'agrees':<13}  chart {name_of(chart)} ({source.source})")
        for line in lines:
            print(f"               {line}")
        differences += len(lines)
    return differences


def _engine(release: Release, folders: Folders) -> int:
    """Arguments that the project's stacks give to vLLM, against those that its parser has."""
    differences = 0
    for kind, image in (("gpu", release.engine.gpu), ("tpu", release.engine.tpu)):
        if image is None:
            continue
        try:
            known_arguments = set(read_arguments(image.version, folders))
        except NotAvailableError as error:
            print(f"not available  engine for {kind}: {error}")
            continue
        missing = sorted(
            name
            for name in _rendered_arguments(release.name, image.image)
            if not {name, name.removeprefix("no-")} & known_arguments
        )
        print(f"{'differs' if missing else 'agrees':<13}  engine for {kind}: {image.image} (vLLM {image.version})")
        for name in missing:
            print(f"               argument --{name} does not exist")
        differences += len(missing)
    return differences


def _rendered_arguments(release: str, image: str) -> set[str]:
    """Arguments, without dashes, that model servers with this image have in any of the project's stacks."""
    names: set[str] = set()
    for stack in project_stacks():
        configuration = load(PROJECT_ROOT, stack, {"llm-d:release": release, **_ACCOUNT}, own_release=True)
        try:
            plan = plan_config(stack, configuration)
        except RefusedError:
            continue
        pods = [server.pod for model in plan.models for server in model.servers if server.pod.image == image]
        names |= {arg[2:].partition("=")[0] for pod in pods for arg in pod.args if arg.startswith("--")}
    return names
