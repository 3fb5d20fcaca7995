"""Names, locations and ids that the provider generates when the program sets none, and the ids of imports."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Any, Final

from llm_d_gke.google_types import ACCOUNT, CLUSTER, NODE_POOL, account_address
from llm_d_gke.rehearsal.providers.gcp import arguments
from llm_d_gke.rehearsal.providers.gcp.cloud_view import short_name
from llm_d_gke.rehearsal.providers.gcp.kinds import Kind, hash_of, visible
from llm_d_gke.rehearsal.providers.gcp.store import MARKS, Cloud, Record
from llm_d_gke.rehearsal.providers.properties import Properties
from llm_d_gke.rehearsal.providers.requests import CheckRequest, Refused, Request

DEFAULTS: Final = "__defaults"  # the key under which the real provider lists the inputs that it generated


def automatic_name(request: CheckRequest, key: str) -> Any:
    """The provider's generated name: the logical name and seven hexadecimal digits."""
    before = request.olds or {}
    if key in before.get(DEFAULTS, []) and before.get(key):
        return before[key]
    digits = hash_of(request.seed.hex() or uuid.uuid4().hex, 7)
    return f"{re.sub(r'[^-a-z0-9]', '-', request.name.lower())}-{digits}"


def place_of(request: Request, kind: Kind, inputs: Properties) -> Properties:
    """Project and region of a resource: its own, else the provider's."""
    place = {"project": inputs.get("project") or request.config.get("project")}
    if not place["project"]:
        raise Refused(f"{request.type}: project is required, as an argument or in the provider's configuration")
    if kind.regional:
        place["region"] = inputs.get("region") or request.config.get("region")
    elif request.type == CLUSTER:
        place["location"] = inputs.get("location") or request.config.get("zone") or request.config.get("region")
    return place


def identify(cloud: Cloud, kind: Kind, values: Properties) -> str:
    """The id that the provider gives: the template of the kind, with the last part of references to parents."""
    parts = dict(values)
    if kind.token == ACCOUNT:
        parts["email"] = account_address(parts["accountId"], parts["project"])
    for key in ("cluster", "router", "secretId", "bucket"):
        if isinstance(parts.get(key), str):
            parts[key] = short_name(parts[key])
    if kind.token == NODE_POOL and not parts.get("location"):
        parts["location"] = next((record["location"] for record in cloud["resources"].get(CLUSTER, {}).values()), "-")
    if "{serial}" in kind.id:
        serials = cloud.setdefault("serials", {})
        counted = kind.token + str(parts.get("secret", ""))
        serials[counted] = serials.get(counted, 0) + 1
        parts["serial"] = serials[counted]
    return kind.id.format_map(parts)


# Words of an id that are the same for every resource of a type.
_COLLECTIONS = frozenset(
    "projects locations regions zones global clusters nodePools routers subnetworks networks addresses "  # noqa: SIM905
    "serviceAccounts sslPolicies secrets b".split()
)


def matching_id(records: Mapping[str, Record], requested: str) -> str | None:
    """The id of the resource that is meant: the same id, or one with the same parts and fewer words between them.

    The real provider takes `project/location/cluster/name` for a node pool, and stores the long form.
    """
    if requested in records:
        return requested
    parts = _parts(requested)
    return next((identifier for identifier in records if _parts(identifier) == parts), None)


def _parts(identifier: str) -> list[str]:
    return [part for part in identifier.replace(" ", "/").split("/") if part not in _COLLECTIONS]


def imported_inputs(kind: Kind, record: Record) -> Properties:
    """The arguments that the resource was created with.

    The real provider returns what Google filled in as well. It knows from its schema that this is no difference to a
    program that leaves it out, which the stand-in knows from the request.
    """
    accepted = arguments.arguments_of(kind.token).types
    created_with = record[MARKS].get("inputs", visible(record))
    return {key: value for key, value in created_with.items() if key in accepted} | {DEFAULTS: []}
