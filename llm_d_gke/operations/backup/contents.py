"""Secrets, certificates, weights and pins that a stack's settings name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from llm_d_gke.catalog import load
from llm_d_gke.operations.backup import google
from llm_d_gke.operations.backup.item import Item, State
from llm_d_gke.operations.backup.state import bucket_items
from llm_d_gke.operations.leftovers.google import Session
from llm_d_gke.planning.findings import path_of
from llm_d_gke.settings import StackSettings
from llm_d_gke.settings.leaves import Leaf, leaves
from llm_d_gke.settings.models import BucketSource, HuggingFaceSource, ImageSource, VolumeClaimSource

_COMMIT = re.compile(r"[0-9a-f]{40}")


def secret_items(settings: StackSettings, encrypted: Mapping[str, object], session: Session | None) -> Iterator[Item]:
    """Values that are encrypted in the stack file, and Secrets that the stack expects."""
    for path in sorted(encrypted):
        evidence = "encrypted in the stack file: as safe as the file and the key"
        yield Item(what=f"secret {path}", place="stack file", state=State.SAFE, evidence=evidence)
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
        yield Item(what=what, place="cert-manager", state=State.SAFE, evidence=f"signed again; the issuer {issuer}")
    elif tls.kind == "pre-shared":
        for name in tls.certificates:
            create = f"gcloud compute ssl-certificates create {name}"
            action = f"keep certificate and key, and create it in the new region: {create}"
            yield Item(
                what=what,
                place=name,
                state=State.ELSEWHERE,
                evidence="regional; its key cannot be read back",
                action=action,
            )
    elif tls.kind == "certificate-manager":
        action = "gcloud certificate-manager certificates describe; create it in the new region"
        yield Item(
            what=what, place="Certificate Manager", state=State.ELSEWHERE, evidence="not the stack's own", action=action
        )


def weight_items(settings: StackSettings, session: Session | None) -> Iterator[Item]:
    """Where each model's weights come from when pods start elsewhere."""
    seen: set[str] = set()
    for model in settings.models:
        source, what = model.source, f"weights of {model.id}"
        if isinstance(source, BucketSource):
            if source.bucket not in seen:
                yield from bucket_items(what, source.bucket, session)
            seen.add(source.bucket)
        elif isinstance(source, VolumeClaimSource):
            action = "keep a snapshot (gcloud compute snapshots create), or stage the weights in a bucket: make stage"
            evidence = "on a disk of one zone, in the cluster: gone with either"
            yield Item(what=what, place=f"claim {source.claim}", state=State.MISSING, evidence=evidence, action=action)
        elif isinstance(source, HuggingFaceSource):
            yield _hub(what, source.revision)
        elif isinstance(source, ImageSource):
            yield _image(what, source.reference)


def pin_items(settings: StackSettings) -> Iterator[Item]:
    """Whether the same images come elsewhere, months later."""
    from llm_d_gke.catalog.locks import load_lock

    release = load().releases.get(settings.release)
    if release is not None:
        locked = load_lock(release.name) is not None
        action = "" if locked else f"make lock RELEASE={release.name}, and commit llm_d_gke/catalog/locks"
        state, evidence = (State.SAFE, "by digest") if locked else (State.MISSING, "by tag: a registry may move it")
        what = f"images and charts of {release.name}"
        yield Item(
            what=what,
            place=f"llm_d_gke/catalog/locks/{release.name}.yaml",
            state=state,
            evidence=evidence,
            action=action,
        )
    for model in settings.models:
        if model.image:
            yield _image(f"engine image of {model.id}", model.image)


def _hub(what: str, revision: str | None) -> Item:
    if revision and _COMMIT.fullmatch(revision):
        return Item(what=what, place=f"Hub, {revision[:12]}", state=State.SAFE, evidence="pinned to a commit")
    action = "set models[].source.revision to a commit, or stage the weights in a bucket of yours: make stage"
    evidence = f"from the Hub at {revision or 'its main branch'}: the owner may change or remove them"
    return Item(what=what, place="Hugging Face Hub", state=State.MISSING, evidence=evidence, action=action)


def _image(what: str, reference: str | None) -> Item:
    if reference is None:
        return Item(what=what, place="the engine's image", state=State.SAFE, evidence="as safe as that image")
    if "@sha256:" in reference:
        return Item(what=what, place=reference, state=State.SAFE, evidence="pinned by digest")
    action = "name it by digest: image@sha256:..."
    return Item(
        what=what, place=reference, state=State.MISSING, evidence="by tag: a registry may move it", action=action
    )


def _in_cluster(leaf: Leaf) -> Item:
    action = "keep it outside: it has to be created in the new cluster before `up`"
    return Item(
        what=f"Secret {leaf.value} ({path_of(*leaf.path)})",
        place="the cluster only",
        state=State.ELSEWHERE,
        evidence="the stack expects it and does not hold it",
        action=action,
    )


def _managed(settings: StackSettings, leaf: Leaf, session: Session | None) -> Item:
    what, place = f"secret {leaf.value} ({path_of(*leaf.path)})", "Secret Manager"
    if session is None:
        return Item(what=what, place=place, state=State.ELSEWHERE, evidence="no Google credentials here")
    try:
        entry = google.secret(str(settings.project), str(leaf.value), session)
    except google.UnknownError as reason:
        return Item(what=what, place=place, state=State.ELSEWHERE, evidence=str(reason))
    if entry is None:
        return Item(what=what, place=place, state=State.MISSING, evidence="there is no such secret", action="create it")
    automatic = "automatic" in (entry.get("replication") or {})
    evidence = "replicated by Google" if automatic else "in chosen regions only"
    return Item(what=what, place=place, state=State.SAFE, evidence=evidence)
