"""Resources that a restore in another region leaves behind."""

from __future__ import annotations

from collections.abc import Iterator

from llm_d_gke.catalog.schema import region_of
from llm_d_gke.operations.backup import google
from llm_d_gke.operations.leftovers.google import Session
from llm_d_gke.planning.findings import path_of
from llm_d_gke.settings import StackSettings
from llm_d_gke.settings.leaves import display_text, leaves
from llm_d_gke.settings.models import BucketSource, VolumeClaimSource


def left_behind(before: StackSettings, location: str, session: Session | None) -> Iterator[str]:
    """One line for each thing of the old region that the stack uses and the new one does not have."""
    old, new = region_of(before.location), region_of(location)
    if old == new:
        return
    for leaf in leaves(before):
        text = display_text(leaf.value)
        if leaf.path != ("location",) and _names(text, old):
            yield f"{path_of(*leaf.path)} = {text} is in {old}: create it in {new} and name that one"
    for bucket in sorted({m.source.bucket for m in before.models if isinstance(m.source, BucketSource)}):
        yield from _bucket(bucket, new, session)
    for model in before.models:
        if isinstance(model.source, VolumeClaimSource):
            yield (
                f"weights of {model.id} are on claim {model.source.claim}, a disk of {before.location}:"
                f" create a disk in {location} from a snapshot, and a claim of that name"
            )
    network = before.network.existing
    if network is not None:
        yield f"subnetwork {network.subnetwork} is of {old}: name one of {new}, with ranges for pods and services"
    if before.gateway.tls.kind in ("pre-shared", "certificate-manager"):
        yield f"a certificate of the Gateway is regional: create it in {new}"
    yield f"the address of the Gateway is of {old}: the new one has another, and DNS records have to follow"
    yield f"quotas of {new} are separate: make preflight with -c llm-d:location={location}"


def _names(text: str, region: str) -> bool:
    """Whether a path or a host names the region: `locations/us-central1`, `us-central1-docker.pkg.dev`."""
    return any(f"{before}{region}" in text for before in ("locations/", "regions/", "zones/")) or text.startswith(
        f"{region}-docker.pkg.dev"
    )


def _bucket(name: str, region: str, session: Session | None) -> Iterator[str]:
    try:
        bucket = None if session is None else google.bucket(name, session)
    except google.UnknownError:
        bucket = None
    if bucket is None:
        yield f"bucket {name}: its location is not established; weights read across regions are slow and cost traffic"
    elif bucket.get("locationType") == "region" and str(bucket.get("location", "")).lower() != region:
        place = str(bucket["location"]).lower()
        yield f"bucket {name} is in {place}: copy it to {region}, or pods read across regions, slowly and at a price"
