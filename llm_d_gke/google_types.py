"""The Google Cloud types of stacks: the ids that the provider gives and takes, and changes that replace a resource."""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

ACCOUNT: Final = "gcp:serviceaccount/account:Account"
ADDRESS: Final = "gcp:compute/address:Address"
BUCKET_MEMBER: Final = "gcp:storage/bucketIAMMember:BucketIAMMember"
CLUSTER: Final = "gcp:container/cluster:Cluster"
FLEET_FEATURE: Final = "gcp:gkehub/feature:Feature"
MEMBERSHIP: Final = "gcp:gkehub/membership:Membership"
NAT: Final = "gcp:compute/routerNat:RouterNat"
NETWORK: Final = "gcp:compute/network:Network"
NODE_POOL: Final = "gcp:container/nodePool:NodePool"
PROJECT_MEMBER: Final = "gcp:projects/iAMMember:IAMMember"
RESOURCE_POLICY: Final = "gcp:compute/resourcePolicy:ResourcePolicy"
ROUTER: Final = "gcp:compute/router:Router"
SECRET_MEMBER: Final = "gcp:secretmanager/secretIamMember:SecretIamMember"  # noqa: S105 (a type token)
SERVICE: Final = "gcp:projects/service:Service"
SUBNETWORK: Final = "gcp:compute/subnetwork:Subnetwork"

# Of an InferencePool that a fleet's Gateway sends requests to.
EXPORT_ANNOTATION: Final = "networking.gke.io/export"
# Name of the object that keeps a member of a fleet from being destroyed while it exports its pool.
FLEET_GUARD: Final = "fleet-member"

# Arguments of the provider that are no properties of the resource.
_VIRTUAL: Final = (
    "deletionPolicy",
    "deletionProtection",
    "disableOnDestroy",
    "ignoreNodeCountChanges",
    "skipNodePoolRefresh",
)
# Features of a cluster that can only be turned on in place.
_ONE_WAY: Final = ("enableL4IlbSubsetting", "enableFqdnNetworkPolicy")


@dataclass(frozen=True, kw_only=True)
class GoogleType:
    """One type, as google_types.yaml describes it. `id` is None where Google chooses the id."""

    token: str
    id: str | None = None
    import_id: str | None = None
    force_new: tuple[str, ...] = ()
    updates: tuple[str, ...] = ()

    @property
    def import_format(self) -> str | None:
        """What `pulumi import` takes."""
        return self.import_id or self.id

    def replaces(self, path: tuple[str | int, ...], old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
        """Whether the change at a path, ("nodeConfig", "taints", 0), from one set of inputs to another replaces it."""
        if under(path, *_VIRTUAL, *self.updates):
            return False
        fields = (*self.force_new, *_replaced_by_values(self.token, old, new))
        return "*" in fields or under(path, *fields)


def under(path: tuple[str | int, ...], *prefixes: str) -> bool:
    """Whether the path is one of the dotted prefixes or lies below one. List positions do not count: a[0].b is a.b."""
    names = [part for part in path if isinstance(part, str)]
    return any(
        names[: len(prefix_names)] == prefix_names for prefix_names in (prefix.split(".") for prefix in prefixes)
    )


def account_address(account: str, project: str) -> str:
    """The address of a service account. Projects of a domain, such as example.com:chat, have the domain behind."""
    domain, colon, name = project.partition(":")
    return f"{account}@{f'{name}.{domain}' if colon else project}.iam.gserviceaccount.com"


def _replaced_by_values(token: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    """Fields whose change replaces the resource or not, by their values."""
    if token == CLUSTER:
        return tuple(key for key in _ONE_WAY if old.get(key) and not new.get(key))
    if token == SUBNETWORK and not _grows(old.get("ipCidrRange"), new.get("ipCidrRange")):
        return ("ipCidrRange",)
    return ()


def _grows(old: Any, new: Any) -> bool:
    try:
        return ipaddress.IPv4Network(old).subnet_of(ipaddress.IPv4Network(new))
    except (ValueError, TypeError):
        return False


@functools.cache
def google_types() -> Mapping[str, GoogleType]:
    """All types, by token."""
    entries = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
    return {token: _described(token, entry) for token, entry in entries.items()}


def _described(token: str, entry: Mapping[str, Any]) -> GoogleType:
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
    return GoogleType(token=token, **values)
