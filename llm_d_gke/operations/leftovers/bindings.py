"""Roles that a stack granted: in the policies of the project, of its buckets and of its secrets.

A policy names members, not resources, so it is read whole. A member whose service account is deleted stays in it as
`deleted:serviceAccount:<email>?uid=<number>` (cloud.google.com/iam/docs/service-accounts-delete-undelete).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from llm_d_gke.google_types import ACCOUNT, BUCKET_MEMBER, PROJECT_MEMBER, SECRET_MEMBER, account_address
from llm_d_gke.operations.leftovers.kinds import Kind
from llm_d_gke.resource_graph import Graph
from llm_d_gke.resource_graph.values import contains_unknown


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Where a policy is read and written. `gcloud` is the command that removes a role, without role and member."""

    kind: Kind
    read: str
    write: str
    gcloud: str
    rest: bool = False  # Cloud Storage reads and writes policies by GET and PUT

    @property
    def title(self) -> str:
        return self.kind.title


@dataclass(frozen=True)
class Grant:
    """A role of a member in a policy. `member` is None where Google chose it: then it is an account of the stack."""

    policy: Policy
    role: str
    member: str | None


def grants_of(graph: Graph, project: str) -> frozenset[Grant]:
    """The roles that a stack's recorded graph grants."""
    return frozenset(_grants(graph, project))


def accounts_of(graph: Graph, project: str) -> frozenset[str]:
    """Addresses of the service accounts that the stack creates."""
    return frozenset(
        account_address(resource.inputs["accountId"], project)
        for resource in graph.resources
        if resource.type == ACCOUNT
    )


def project_policy(project: str) -> Policy:
    url = f"https://cloudresourcemanager.googleapis.com/v1/projects/{project}"
    command = f"gcloud projects remove-iam-policy-binding {project}"
    return Policy(
        kind=_kind("role in the project"), read=f"{url}:getIamPolicy", write=f"{url}:setIamPolicy", gcloud=command
    )


def is_granted(role: str, member: str, policy: Policy, grants: frozenset[Grant], accounts: frozenset[str]) -> bool:
    """Whether a line of a policy is the stack's: it grants exactly this, or the member is an account of its own."""
    if _email(member) in accounts:
        return True
    return Grant(policy, role, member) in grants


def lines(policy: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yields role and member of each grant without a condition."""
    for binding in policy.get("bindings") or ():
        if not binding.get("condition"):
            yield from ((str(binding["role"]), str(member)) for member in binding.get("members") or ())


def without_grant(policy: Mapping[str, Any], role: str, member: str) -> dict[str, Any]:
    """The policy without one grant, with its etag: Google refuses it if the policy has changed meanwhile."""
    bindings = [
        {**binding, "members": [name for name in binding.get("members") or () if name != member]}
        if binding["role"] == role and not binding.get("condition")
        else binding
        for binding in policy.get("bindings") or ()
    ]
    return {**policy, "bindings": [binding for binding in bindings if binding.get("members")]}


def _grants(graph: Graph, project: str) -> Iterator[Grant]:
    for resource in graph.resources:
        member = resource.inputs.get("member")
        name = None if contains_unknown(member) else str(member)
        role = str(resource.inputs.get("role"))
        if resource.type == PROJECT_MEMBER:
            yield Grant(project_policy(project), role, name)
        elif resource.type == BUCKET_MEMBER:
            yield Grant(_bucket(str(resource.inputs["bucket"])), role, name)
        elif resource.type == SECRET_MEMBER:
            yield Grant(_secret(project, str(resource.inputs["secretId"])), role, name)


def _bucket(name: str) -> Policy:
    url = f"https://storage.googleapis.com/storage/v1/b/{name}/iam"
    command = f"gcloud storage buckets remove-iam-policy-binding gs://{name}"
    return Policy(kind=_kind(f"role on bucket {name}"), read=url, write=url, gcloud=command, rest=True)


def _secret(project: str, name: str) -> Policy:
    url = f"https://secretmanager.googleapis.com/v1/projects/{project}/secrets/{name}"
    command = f"gcloud secrets remove-iam-policy-binding {name}"
    return Policy(
        kind=_kind(f"role on secret {name}"), read=f"{url}:getIamPolicy", write=f"{url}:setIamPolicy", gcloud=command
    )


def _kind(title: str) -> Kind:
    return Kind(title=title, path="", gcloud="", scope="listed")


def _email(member: str) -> str:
    return member.removeprefix("deleted:").removeprefix("serviceAccount:").partition("?")[0]
