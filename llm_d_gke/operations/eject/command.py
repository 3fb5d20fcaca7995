"""Implements the command `eject`: the folder with scripts, manifests by step, chart values and instructions."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from llm_d_gke.cli.exits import DONE, RefusedInputError
from llm_d_gke.google_types import ADDRESS
from llm_d_gke.operations.eject.google import CloudCommands, cloud_commands
from llm_d_gke.operations.eject.inputs import NotEjectableError
from llm_d_gke.operations.eject.shell import lines
from llm_d_gke.operations.eject.steps import (
    Step,
    cloud_order,
    helm_command,
    plain,
    secret_command,
    steps_of,
    values_file,
    variables,
    waits,
)
from llm_d_gke.operations.templates import render
from llm_d_gke.planning import StackPlan, plan_config
from llm_d_gke.resource_graph import Graph, Recorded, jsonable
from llm_d_gke.resource_graph.rendering import yaml_text
from llm_d_gke.resource_graph.stack_program import record_stack
from llm_d_gke.stackfile.assumptions import load_assumed, project_note, shown_project
from llm_d_gke.wording import count


def eject_stack(stack: str, changes: Mapping[str, str], out: Path) -> int:
    """Write the folder `out`. Raises RefusedError, NotEjectableError, and RefusedInputError for a folder with files."""
    if out.exists() and any(out.iterdir()):
        raise RefusedInputError(
            f"{out} is not empty: name a new folder, since files of an earlier stack would be applied too"
        )
    configuration = load_assumed(stack, changes)
    plan = plan_config(stack, configuration)
    files = ejected_files(record_stack(stack, configuration), plan)
    write_files({path: shown_project(text) for path, text in files.items()}, out)
    print(f"wrote {count(len(files), 'file')} to {out}: begin with {out / 'README.md'}")
    if note := project_note(plan.project):
        print(note)
    return DONE


_CLOUD = Path("1-google-cloud.sh")
_SHELL = '#!/usr/bin/env bash\nset -euo pipefail\ncd "$(dirname "$0")"\n'


def ejected_files(graph: Graph, plan: StackPlan) -> dict[Path, str]:
    """All files of the folder by path. Raises NotEjectableError for a resource that has no command."""
    if plan.gateway.fleet is not None:
        raise NotEjectableError(
            f"{plan.stack} is in a fleet (llm-d:fleet), whose membership and multi-cluster Gateway no command of the"
            " folder makes: eject the stack without fleet, and register the cluster by Google's page"
        )
    cloud = [cloud_commands(resource, graph, plan.project) for resource in cloud_order(graph)]
    steps = steps_of(graph)
    files = {_CLOUD: _cloud_script(cloud), Path("2-cluster.sh"): _cluster_script(plan, steps)}
    for item in cloud:
        files |= {Path(name): text for name, text in item.files.items()}
    for step in steps:
        files |= _manifests(step)
        for release in step.releases:
            values = jsonable(release.inputs).get("values") or {}
            files[Path(values_file(release))] = yaml_text(values)
    files[Path("resources.json")] = json.dumps(dict(_places(cloud, steps)), indent=2) + "\n"
    files[Path("README.md")] = readme(plan, cloud, steps)
    files |= _with_addresses(files, steps, graph)
    unknown = [path for path, text in files.items() if "[unknown]" in text]
    if unknown:
        raise NotEjectableError(f"{', '.join(map(str, unknown))} would hold a value that only Google knows")
    return files


def _with_addresses(files: Mapping[Path, str], steps: tuple[Step, ...], graph: Graph) -> dict[Path, str]:
    """Manifests that hold an address with a word in its place, and the script that fills it in.

    Google chooses an address when it is reserved.
    """
    changed: dict[Path, str] = {}
    script = files[_CLOUD]
    for step in steps:
        for resource, body in step.objects:
            path = Path(step.folder, _file_name(body))
            address = next(
                (dependency for dependency in _dependencies(resource, graph) if dependency.type == ADDRESS), None
            )
            if "[unknown]" not in files[path] or address is None:
                continue
            word = "ADDRESS_OF_" + str(address["name"]).replace("-", "_").upper()
            changed[path] = files[path].replace("'[unknown]'", word)
            script += (
                f'\nsed -i.orig "s/{word}/$(gcloud compute addresses describe {address["name"]}'
                f" --project={address.inputs.get('project') or _project(graph)} --region={address['region']}"
                f" --format='value(address)')/\" {path} && rm {path}.orig\n"
            )
    return {**changed, _CLOUD: script}


def _dependencies(resource: Recorded, graph: Graph) -> Iterator[Recorded]:
    for urns in resource.property_dependencies.values():
        yield from (dependency for urn in urns if (dependency := graph.find(urn)) is not None)


def _project(graph: Graph) -> object:
    return graph.one("pulumi:providers:gcp").inputs["project"]


def write_files(files: dict[Path, str], out: Path) -> None:
    """Write the files below a folder that is empty or does not exist."""
    for path, text in files.items():
        target = out / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        if path.suffix == ".sh":
            target.chmod(0o755)


def _cloud_script(cloud: list[CloudCommands]) -> str:
    parts = [
        f"{_SHELL}\n# Creates what the stack has in Google Cloud. A command that fails because its resource exists\n"
        "# already can be left out.\n"
    ]
    for item in cloud:
        title = f"{item.resource.type.rpartition(':')[2]} {item.resource.name}"
        parts.append("\n".join([f"echo '{title}'", *(lines(words) for words in item.commands)]) + "\n")
    return "\n".join(parts)


def _cluster_script(plan: StackPlan, steps: tuple[Step, ...]) -> str:
    endpoint = " --dns-endpoint" if plan.cluster.dns_endpoint else ""
    parts = [
        f"{_SHELL}\n# Creates what the stack has in the cluster, step by step.\n",
        f"gcloud container clusters get-credentials {plan.cluster.name} --location={plan.location}"
        f" --project={plan.project}{endpoint}\n",
    ]
    for step in steps:
        commands = [f"echo 'step {step.number} of {len(steps)}'"]
        commands += [secret_command(secret) for secret in step.secrets]
        if step.objects:
            commands.append(f"kubectl apply --server-side --kustomize={step.folder}")
        commands += [lines(helm_command(release)) for release in step.releases]
        commands += [shlex.join(words) for words in waits(step)]
        parts.append("\n".join(commands) + "\n")
    return "\n".join(parts)


def _manifests(step: Step) -> dict[Path, str]:
    files: dict[Path, str] = {}
    for _, body in step.objects:
        files[Path(step.folder, _file_name(body))] = yaml_text(plain(body))
    if files:
        names = "".join(f"- {path.name}\n" for path in sorted(files))
        text = f"apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n{names}"
        files[Path(step.folder, "kustomization.yaml")] = text
    return files


def _file_name(body: object) -> str:
    assert isinstance(body, dict)
    metadata = body["metadata"]
    group = str(body["apiVersion"]).partition("/")[0] if "/" in str(body["apiVersion"]) else "core"
    namespace = f"{metadata['namespace']}." if metadata.get("namespace") else ""
    return f"{str(body['kind']).lower()}.{group}-{namespace}{metadata['name']}.yaml"


def _places(cloud: list[CloudCommands], steps: tuple[Step, ...]) -> Iterator[tuple[str, str]]:
    for item in cloud:
        yield item.resource.urn, "1-google-cloud.sh"
    for step in steps:
        for resource, body in step.objects:
            yield resource.urn, str(Path(step.folder, _file_name(body)))
        for resource in step.secrets:
            yield resource.urn, "2-cluster.sh"
        for resource in step.releases:
            yield resource.urn, values_file(resource)


def readme(plan: StackPlan, cloud: Sequence[CloudCommands], steps: Sequence[Step]) -> str:
    text = render(
        Path(__file__).with_name("readme.md.jinja"),
        plan=plan,
        steps=steps,
        places={name: place for step in steps for name, place in variables(step).items()},
        project_note=project_note(plan.project),
        commands=sum(len(item.commands) for item in cloud),
        created=_created,
        awaited=_awaited,
    )
    return f"{text}\n"


def _created(step: Step) -> list[str]:
    kinds: dict[str, int] = {}
    for _, body in step.objects:
        kinds[str(body["kind"])] = kinds.get(str(body["kind"]), 0) + 1
    created = [kind if number == 1 else f"{number} x {kind}" for kind, number in sorted(kinds.items())]
    created += [f"Secret {secret.name}" for secret in step.secrets]
    return created + [f"chart {release.inputs['name']} {release.inputs['version']}" for release in step.releases]


def _awaited(step: Step) -> list[str]:
    awaited = []
    for words in waits(step):
        condition = next((word.removeprefix("--for=") for word in words if word.startswith("--for=")), "rollout")
        object_name = words[3] if words[1] == "rollout" else words[2]
        awaited.append(f"{object_name} ({condition})".replace("|", "\\|"))
    return awaited + [f"chart {release.inputs['name']}" for release in step.releases]
