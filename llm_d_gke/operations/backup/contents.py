"""Secrets, certificates, weights and pins that a stack's settings name, and which of them another region lacks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from llm_d_gke.catalog import load
from llm_d_gke.catalog.locks import load_lock
from llm_d_gke.catalog.schema import region_of
from llm_d_gke.operations.backup import google
from llm_d_gke.operations.backup.state import Item, bucket_item, missing, not_established, safe
from llm_d_gke.operations.google_cloud import Session, UnansweredError
from llm_d_gke.planning.findings import path_of
from llm_d_gke.planning.fix_words import GOOGLE_CERTIFICATES
from llm_d_gke.planning.serving.hub_revision import revision_of
from llm_d_gke.settings import StackSettings
from llm_d_gke.settings.leaves import Leaf, display_text, leaves
from llm_d_gke.settings.models import BucketSource, HuggingFaceSource, ImageSource, VolumeClaimSource

_COMMIT = re.compile(r"[0-9a-f]{40}")
_BY_TAG = "by tag: a registry may move it"


def secret_items(settings: StackSettings, encrypted: Mapping[str, object], session: Session | None) -> Iterator[Item]:
    """Values that are encrypted in the stack file, and Secrets that the stack expects."""
    for path in sorted(encrypted):
        evidence = "encrypted in the stack file: as safe as the file and the key"
        yield safe(f"secret {path}", "stack file", evidence)
    for leaf in leaves(settings):
        if leaf.value is None or not isinstance(leaf.value, str):
            continue
        if leaf.path[-1] == "secretManagerSecret":
            yield _managed(settings, leaf, session)
        elif leaf.path[-1] in ("existingSecret", "secret"):
            yield _in_cluster(leaf)


def certificate_items(settings: StackSettings) -> Iterator[Item]:
    """What the Gateway's certificate needs elsewhere."""
    tls, what = settings.gateway.tls, "TLS certificate"
    if tls.kind == "cert-manager":
        issuer = "signs itself: clients that trust it have to trust another one"
        issuer = issuer if tls.issuer is None else f"{tls.issuer.name} has to be in the new cluster"
        yield safe(what, "cert-manager", f"signed again; the issuer {issuer}")
    elif tls.kind == "pre-shared":
        for name in tls.certificates:
            create = f"gcloud compute ssl-certificates create {name}"
            action = f"keep certificate and key, and create it in the new region: {create}"
            yield not_established(what, name, "regional; its key cannot be read back", action)
    elif tls.kind == "certificate-manager":
        action = "gcloud certificate-manager certificates describe; create it in the new region"
        yield not_established(what, "Certificate Manager", "not the stack's own", action)


def weight_items(settings: StackSettings, session: Session | None) -> Iterator[Item]:
    """Where each model's weights come from when pods start elsewhere."""
    seen: set[str] = set()
    catalog = load()
    for model in settings.models:
        source, what = model.source, f"weights of {model.id}"
        if isinstance(source, BucketSource):
            if source.bucket not in seen:
                yield bucket_item(what, source.bucket, session)
            seen.add(source.bucket)
        elif isinstance(source, VolumeClaimSource):
            action = "keep a snapshot (gcloud compute snapshots create), or stage the weights in a bucket: make stage"
            evidence = "on a disk of one zone, in the cluster: gone with either"
            yield missing(what, f"claim {source.claim}", evidence, action)
        elif isinstance(source, HuggingFaceSource):
            yield _hub(what, revision_of(model, catalog.find_model(model.id)))
        elif isinstance(source, ImageSource):
            yield _image(what, source.reference)


def pin_items(settings: StackSettings) -> Iterator[Item]:
    """Whether the same images come elsewhere, months later."""
    release = load().releases.get(settings.release)
    if release is not None:
        what, place = f"images and charts of {release.name}", f"llm_d_gke/catalog/locks/{release.name}.yaml"
        if load_lock(release.name) is not None:
            yield safe(what, place, "by digest")
        else:
            action = f"make lock RELEASE={release.name}, and commit llm_d_gke/catalog/locks"
            yield missing(what, place, _BY_TAG, action)
    for model in settings.models:
        if model.image:
            yield _image(f"engine image of {model.id}", model.image)


def _hub(what: str, revision: str | None) -> Item:
    if revision and _COMMIT.fullmatch(revision):
        return safe(what, f"Hub, {revision[:12]}", "pinned to a commit")
    action = "set models[].source.revision to a commit, or stage the weights in a bucket of yours: make stage"
    evidence = f"from the Hub at {revision or 'its main branch'}: the owner may change or remove them"
    return missing(what, "Hugging Face Hub", evidence, action)


def _image(what: str, reference: str | None) -> Item:
    if reference is None:
        return safe(what, "the engine's image", "as safe as that image")
    if "@sha256:" in reference:
        return safe(what, reference, "pinned by digest")
    action = "name it by digest: image@sha256:..."
    return missing(what, reference, _BY_TAG, action)


def _in_cluster(leaf: Leaf) -> Item:
    action = "keep it outside: it has to be created in the new cluster before `up`"
    return not_established(
        f"Secret {leaf.value} ({path_of(*leaf.path)})",
        "the cluster only",
        "the stack expects it and does not hold it",
        action,
    )


def _managed(settings: StackSettings, leaf: Leaf, session: Session | None) -> Item:
    what, place = f"secret {leaf.value} ({path_of(*leaf.path)})", "Secret Manager"
    try:
        entry = google.secret(str(settings.project), str(leaf.value), session)
    except UnansweredError as reason:
        return not_established(what, place, str(reason))
    if entry is None:
        return missing(what, place, "there is no such secret", "create it")
    automatic = "automatic" in (entry.get("replication") or {})
    evidence = "replicated by Google" if automatic else "in chosen regions only"
    return safe(what, place, evidence)


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
    if before.gateway.tls.kind in GOOGLE_CERTIFICATES:
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
    except UnansweredError:
        bucket = None
    if bucket is None:
        yield f"bucket {name}: its location is not established; weights read across regions are slow and cost traffic"
    elif bucket.get("locationType") == "region" and str(bucket.get("location", "")).lower() != region:
        place = str(bucket["location"]).lower()
        yield f"bucket {name} is in {place}: copy it to {region}, or pods read across regions, slowly and at a price"
