"""The file for `pulumi import --file`: components, resources with their ids, and what has to exist before.

The formats of ids stand in llm_d_gke/google_types.yaml.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from llm_d_gke.google_types import ACCOUNT, CLUSTER, NODE_POOL, account_address, google_types
from llm_d_gke.resource_graph import Graph, Recorded

_PROVIDER = "pulumi:providers:gcp"

# Never imported: `up` adopts an enabled API, and a binding that exists already, without changing anything.
_ADOPTED = ("gcp:projects/service:Service", "gcp:projects/iAMMember:IAMMember")


@dataclass(frozen=True, kw_only=True)
class Imported:
    """One resource of the file, with its id at Google."""

    resource: Recorded
    id: str


@dataclass(frozen=True, kw_only=True)
class ImportSpec:
    """What is imported, and what is not, with the reason.

    `targets` are the URNs that an `up` has to create first: Pulumi imports resources under a provider and a parent that
    are in the state.
    """

    imported: tuple[Imported, ...]
    created: tuple[tuple[Recorded, str], ...]
    targets: tuple[str, ...]
    parents: tuple[Recorded, ...]

    def text(self) -> str:
        """The file: names are keys of `nameTable`, or of resources in the file."""
        return json.dumps({"nameTable": self._names(), "resources": list(self._resources())}, indent=2) + "\n"

    def _names(self) -> dict[str, str]:
        return {_key(urn): urn for urn in self.targets}

    def _resources(self) -> Iterator[dict[str, Any]]:
        for parent in self.parents:
            yield {
                "type": parent.type,
                "name": _key(parent.urn),
                "logicalName": parent.name,
                "component": True,
                "parent": _key(parent.parent),
            }
        for item in self.imported:
            resource = item.resource
            yield {
                "type": resource.type,
                "name": _key(resource.urn),
                "logicalName": resource.name,
                "id": item.id,
                "parent": _key(resource.parent),
                "provider": _key(resource.provider),
            }


def import_spec(graph: Graph, project: str, missing_pools: Collection[str] = ()) -> ImportSpec:
    """The import of all Google Cloud resources of the stack.

    `missing_pools` are names of node pools that the existing cluster does not have: `up` creates them.
    """
    imported: list[Imported] = []
    created: list[tuple[Recorded, str]] = []
    for resource in graph:
        if not resource.type.startswith("gcp:") or resource.read:
            continue
        if resource.type in _ADOPTED:
            created.append((resource, "`up` adopts it without a change"))
        elif resource.type == NODE_POOL and resource["name"] in missing_pools:
            created.append((resource, "the cluster has no node pool of this name: `up` creates it"))
        else:
            try:
                imported.append(Imported(resource=resource, id=import_id(resource, graph, project)))
            except UnknownIdError as error:
                created.append((resource, f"{error}: `up` creates another one; remove the old one afterwards"))
    parents = _parents(graph, [item.resource for item in imported])
    provider = graph.one(_PROVIDER)
    # The provider's parents are in the state with it; the other components come with the import.
    targets = [*_ancestors(graph, provider), provider.urn]
    return ImportSpec(
        imported=tuple(imported),
        created=tuple(created),
        targets=tuple(targets),
        parents=tuple(parent for parent in parents if parent.urn not in targets),
    )


def cluster_of(graph: Graph) -> Recorded | None:
    """The cluster that the stack would create, None where the stack file names an existing one."""
    return next((resource for resource in graph.by_type(CLUSTER) if not resource.read), None)


def _parents(graph: Graph, resources: list[Recorded]) -> list[Recorded]:
    """The components above the resources, each after its own parent."""
    components: dict[str, Recorded] = {}
    for resource in resources:
        for urn in _ancestors(graph, resource):
            components.setdefault(urn, graph[urn])
    return list(components.values())


def _ancestors(graph: Graph, resource: Recorded) -> list[str]:
    """The URNs above a resource, outermost first, without the Stack, which every state has."""
    urns: list[str] = []
    parent = resource.parent
    while parent is not None and graph[parent].parent is not None:
        urns.insert(0, parent)
        parent = graph[parent].parent
    return urns


def _key(urn: str | None) -> str:
    """A name within the file: type and name, since names alone repeat."""
    assert urn is not None
    kind, name = urn.split("::")[-2:]
    return f"{kind.rpartition('$')[2].rpartition(':')[2]}-{name}"


class UnknownIdError(LookupError):
    """The id of a resource does not follow from its inputs, because Google chooses it."""


def import_id(resource: Recorded, graph: Graph, project: str) -> str:
    """The id of a resource as `pulumi import` takes it. Raises UnknownIdError if Google chooses it."""
    google_type = google_types().get(resource.type)
    form = google_type.import_format if google_type else None
    if form is None:
        raise UnknownIdError(f"Google chooses the id of {resource.type.rpartition(':')[2]} {resource.name}")
    values = {key: value for key, value in resource.inputs.items() if isinstance(value, str)}
    values.setdefault("project", project)
    if resource.type == ACCOUNT:
        values["email"] = account_address(values["accountId"], values["project"])
    if "{member}" in form and "member" not in values:
        values["member"] = f"serviceAccount:{_email_of_dependency(resource, graph, project)}"
    return form.format_map(values)


def _email_of_dependency(resource: Recorded, graph: Graph, project: str) -> str:
    """The address of the account that a binding is for: known to Google only, but it follows from the account's id."""
    for urn in resource.property_dependencies.get("member", ()):
        account = graph.find(urn)
        if account is not None and account.type == ACCOUNT:
            return account_address(str(account["accountId"]), str(account.inputs.get("project") or project))
    raise UnknownIdError(f"the member of {resource.name} is not known before it exists")
