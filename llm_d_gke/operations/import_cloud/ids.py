"""The id under which `pulumi import` finds a resource of Google Cloud.

The formats are those that the documentation of the pinned gcp provider lists under "Import" of each resource.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from llm_d_gke.planning.names import service_account_address
from llm_d_gke.resource_graph import Graph, Recorded

ACCOUNT = "gcp:serviceaccount/account:Account"
BUCKET_MEMBER = "gcp:storage/bucketIAMMember:BucketIAMMember"
CLUSTER = "gcp:container/cluster:Cluster"
NODE_POOL = "gcp:container/nodePool:NodePool"
RESOURCE_POLICY = "gcp:compute/resourcePolicy:ResourcePolicy"
PROJECT_MEMBER = "gcp:projects/iAMMember:IAMMember"
SECRET_MEMBER = "gcp:secretmanager/secretIamMember:SecretIamMember"  # noqa: S105 (a type token)

# Parts in braces are inputs of the resource, `project` the resource's own or else the stack's.
FORMATS: Mapping[str, str] = MappingProxyType(
    {
        "gcp:compute/address:Address": "projects/{project}/regions/{region}/addresses/{name}",
        "gcp:compute/network:Network": "projects/{project}/global/networks/{name}",
        "gcp:compute/regionSslPolicy:RegionSslPolicy": "projects/{project}/regions/{region}/sslPolicies/{name}",
        RESOURCE_POLICY: "projects/{project}/regions/{region}/resourcePolicies/{name}",
        "gcp:compute/router:Router": "projects/{project}/regions/{region}/routers/{name}",
        "gcp:compute/routerNat:RouterNat": "projects/{project}/regions/{region}/routers/{router}/{name}",
        "gcp:compute/subnetwork:Subnetwork": "projects/{project}/regions/{region}/subnetworks/{name}",
        CLUSTER: "projects/{project}/locations/{location}/clusters/{name}",
        NODE_POOL: "{project}/{location}/{cluster}/{name}",
        ACCOUNT: "projects/{project}/serviceAccounts/{email}",
        PROJECT_MEMBER: "{project} {role} {member}",
        SECRET_MEMBER: "projects/{project}/secrets/{secretId} {role} {member}",
        BUCKET_MEMBER: "b/{bucket} {role} {member}",
        "gcp:projects/service:Service": "{project}/{service}",
    }
)


class UnknownIdError(LookupError):
    """The id of a resource does not follow from its inputs, because Google chooses it."""


def import_id(resource: Recorded, graph: Graph, project: str) -> str:
    """The id of a resource as `pulumi import` takes it. Raises UnknownIdError if Google chooses it."""
    form = FORMATS.get(resource.type)
    if form is None:
        raise UnknownIdError(f"Google chooses the id of {resource.type.rpartition(':')[2]} {resource.name}")
    values = {key: value for key, value in resource.inputs.items() if isinstance(value, str)}
    values.setdefault("project", project)
    if resource.type == ACCOUNT:
        values["email"] = service_account_address(values["accountId"], values["project"])
    if "{member}" in form and "member" not in values:
        values["member"] = f"serviceAccount:{_email_of_dependency(resource, graph, project)}"
    return form.format_map(values)


def _email_of_dependency(resource: Recorded, graph: Graph, project: str) -> str:
    """The address of the account that a binding is for: known to Google only, but it follows from the account's id."""
    for urn in resource.property_dependencies.get("member", ()):
        account = graph.find(urn)
        if account is not None and account.type == ACCOUNT:
            return service_account_address(str(account["accountId"]), str(account.inputs.get("project") or project))
    raise UnknownIdError(f"the member of {resource.name} is not known before it exists")
