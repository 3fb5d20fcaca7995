"""Implements the command `import`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from llm_d_gke.cli.exits import DONE, REFUSED
from llm_d_gke.cli.files import write_file
from llm_d_gke.cli.text import shell_lines
from llm_d_gke.components.google_provider import IMPORT_VARIABLE
from llm_d_gke.operations.import_cloud.described import differences, missing_pools, read_description
from llm_d_gke.operations.import_cloud.spec import ImportSpec, cluster_of, import_spec
from llm_d_gke.planning import plan_config
from llm_d_gke.resource_graph.stack_program import record_stack
from llm_d_gke.stackfile.assumptions import load_assumed, project_note, shown_project
from llm_d_gke.wording import count, wrapped


def write_import(stack: str, changes: Mapping[str, str], described: Path | None, out: Path) -> int:
    """Write the import file, and print the commands, what is not imported and what differs.

    Exit status 2 if an import would be followed by a replacement. Raises RefusedError, DescriptionError.
    """
    configuration = load_assumed(stack, changes)
    plan = plan_config(stack, configuration)
    graph = record_stack(stack, configuration)
    description: Mapping[str, Any] = read_description(described) if described is not None else {}
    spec = import_spec(graph, plan.project, missing_pools(graph, description) if description else ())
    write_file(out, shown_project(spec.text()))
    print(f"wrote {out}: {count(len(spec.imported), 'resource')} of Google Cloud to import\n")
    for line in commands(stack, spec, out):
        print(shown_project(line))
    if note := project_note(plan.project):
        print(f"\n{note}")
    if cluster_of(graph) is None:
        print(wrapped("\nThe cluster stays outside of the stack: the stack file names it in cluster.existing."))
    if spec.created:
        print("\nNot imported:")
        for resource, why in spec.created:
            print(wrapped(f"- {resource.type.rpartition(':')[2]} {resource.name}: {why}"))
    if described is None:
        print("\nWhat differs is not known. For that, describe the cluster and give the file:")
        place = f"--location {plan.location} --project {shown_project(plan.project)}"
        command = f"gcloud container clusters describe {plan.cluster.name}"
        print(shell_lines([command, place, "--format=yaml > cluster.yaml"]))
        return DONE
    changes_of_up = differences(graph, description)
    if not changes_of_up:
        print("\nNo compared field of cluster and node pools differs.")
        return DONE
    print("\nWhat differs from the existing cluster:")
    for difference in changes_of_up:
        print(wrapped(f"- {difference}"))
    if any(difference.replaces for difference in changes_of_up):
        words = "Do not run `up` before no line says REPLACES: change the stack file, or keep the resource out of it."
        print(f"\n{wrapped(words)}")
        return REFUSED
    return DONE


def commands(stack: str, spec: ImportSpec, out: Path) -> Iterator[str]:
    yield "# The provider and the parents of what is imported; nothing at Google changes"
    targets = [f"--target '{urn}'" for urn in spec.targets]
    yield shell_lines([f"{IMPORT_VARIABLE}=provider pulumi up --stack {stack} --yes", *targets])
    yield "# Reads every resource and writes it into the state; nothing at Google changes"
    options = [f"--file {out}", "--generate-code=false --protect=false --yes"]
    yield shell_lines([f"pulumi import --stack {stack}", *options])
    yield "# What `up` would still change: no line may say replace"
    yield f"pulumi preview --stack {stack} --diff"
