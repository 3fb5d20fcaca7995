"""The resource types around the cluster: service APIs, identities, secrets, buckets, certificates, monitoring, budgets.

Apart from a few references they have no rules worth rehearsing: a type is mostly an entry of types.yaml.
"""

from __future__ import annotations

import json

from llm_d_gke.google_types import ACCOUNT, SERVICE, account_address
from llm_d_gke.rehearsal.providers.gcp.kinds import FACTS, ResourceContext, number_of, refusal
from llm_d_gke.rehearsal.providers.properties import Properties


def enabled(context: ResourceContext, api: str) -> bool:
    """Whether a service API is enabled: by the program, as a dependency of another one, or by default."""
    requested = {record["service"] for record in context.cloud["resources"].get(SERVICE, {}).values()}
    requested |= set(context.cloud.get("enabled", []))
    dependencies = {dependency for name in requested for dependency in FACTS["services"]["dependencies"].get(name, ())}
    return api in requested | dependencies or api in FACTS["services"]["always"]


def creating_service(context: ResourceContext) -> None:
    service = context.inputs["service"]
    if not service.endswith(".googleapis.com"):
        raise refusal(
            f"Service '{service}' not found or permission denied: a service is named like container.googleapis.com"
        )


def deleting_service(context: ResourceContext) -> None:
    """Keep a service enabled unless the program sets `disableOnDestroy`."""
    record = context.record or {}
    on = context.cloud.setdefault("enabled", [])
    if not record.get("disableOnDestroy") and record.get("service") not in on:
        on.append(record["service"])


def network_outputs(context: ResourceContext) -> Properties:
    number = number_of(context.id)
    return {"gatewayIpv4": "", "networkId": number, "numericId": number, "mtu": context.inputs.get("mtu", 0)}


def account_outputs(context: ResourceContext) -> Properties:
    email = account_address(context.inputs["accountId"], context.project)
    return {
        "email": email,
        "member": f"serviceAccount:{email}",
        "name": f"projects/{context.project}/serviceAccounts/{email}",
        "uniqueId": number_of(context.id),
    }


def refuse_missing_account(context: ResourceContext, email: str) -> None:
    """Refuse a missing service account of this project. Accounts of other projects are not checked."""
    ours = email.endswith(account_address("", context.project))
    if ours and not any(record["email"] == email for _, record in context.all(ACCOUNT)):
        raise refusal(f"Service account {email} does not exist")


def creating_member(context: ResourceContext) -> None:
    """Refuse a grant to a member that does not exist, as Google does for service accounts of the project.

    Buckets and secrets are outside of the stack: what the stack file names is taken to exist.
    """
    member = context.inputs["member"]
    kind, _, email = member.partition(":")
    has_valid_member = (
        kind in ("user", "serviceAccount", "group", "domain", "principal", "principalSet", "deleted") and email
    )
    if not has_valid_member and member not in ("allUsers", "allAuthenticatedUsers"):
        raise refusal(f"Invalid member '{member}': it reads <kind>:<who>")
    if kind == "serviceAccount":
        refuse_missing_account(context, email)


def checking_dashboard(context: ResourceContext) -> None:
    try:
        dashboard = json.loads(context.inputs["dashboardJson"])
    except ValueError as error:
        raise refusal(f"Invalid dashboardJson: {error}") from error
    layouts = {"gridLayout", "mosaicLayout", "rowLayout", "columnLayout"}
    if not isinstance(dashboard, dict) or not dashboard.get("displayName") or len(layouts & dashboard.keys()) != 1:
        raise refusal(f"Invalid dashboardJson: it needs a displayName and one of {sorted(layouts)}")
