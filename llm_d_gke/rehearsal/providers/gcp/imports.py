"""What an import reads: a resource by any of the ids that the provider documents, and its arguments."""

from __future__ import annotations

from collections.abc import Mapping

from llm_d_gke.rehearsal.providers.gcp import arguments
from llm_d_gke.rehearsal.providers.gcp.kinds import Kind, visible
from llm_d_gke.rehearsal.providers.gcp.naming import DEFAULTS
from llm_d_gke.rehearsal.providers.gcp.store import MARKS, Record
from llm_d_gke.rehearsal.providers.properties import Properties

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
    accepted = arguments.arguments_of(kind.type).types
    created_with = record[MARKS].get("inputs", visible(record))
    return {key: value for key, value in created_with.items() if key in accepted} | {DEFAULTS: []}
