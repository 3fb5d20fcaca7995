"""Pulumi's state, the key that opens it, and the stack file in Git."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from llm_d_gke.operations.backup import google
from llm_d_gke.operations.backup.item import Item, State
from llm_d_gke.operations.leftovers.google import Session
from llm_d_gke.stackfile import stack_file

_BUCKET, _KMS = "gs://", "gcpkms://"
_PASSPHRASE = ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE")
_STATE, _KEY, _FILE = "Pulumi's state", "encryption key", "stack file"


def backend_url(environment: Mapping[str, str] = os.environ) -> str | None:
    """Where Pulumi keeps states: PULUMI_BACKEND_URL, else the last `pulumi login`. None where neither says so."""
    if environment.get("PULUMI_BACKEND_URL"):
        return environment["PULUMI_BACKEND_URL"]
    home = Path(environment.get("PULUMI_HOME") or Path(environment.get("HOME", "~")).expanduser() / ".pulumi")
    try:
        current = json.loads((home / "credentials.json").read_text(encoding="utf-8")).get("current")
    except (OSError, ValueError):
        return None
    return str(current) if current else None


def state_item(backend: str | None, session: Session | None) -> Item:
    """Whether the state outlives this machine and a mistake."""
    if backend is None:
        action = "pulumi login gs://BUCKET, then run this again"
        return Item(what=_STATE, place="?", state=State.ELSEWHERE, evidence="no `pulumi login` here", action=action)
    if backend.startswith("file://"):
        action = "keep it in a bucket: pulumi stack export, pulumi login gs://BUCKET, pulumi stack import"
        return Item(what=_STATE, place=backend, state=State.MISSING, evidence="only on this machine", action=action)
    if backend.startswith("https://"):
        return Item(what=_STATE, place=backend, state=State.SAFE, evidence="Pulumi Cloud keeps every state")
    if not backend.startswith(_BUCKET):
        action = "check that this store keeps earlier versions"
        return Item(what=_STATE, place=backend, state=State.ELSEWHERE, evidence="no bucket of Google", action=action)
    name = backend.removeprefix(_BUCKET).partition("/")[0]
    return _bucket_item(_STATE, name, session, versions=True)


def key_item(document: Mapping[str, Any], backend: str | None, session: Session | None) -> Item:
    """Whether the key that encrypts the stack's secrets is there. Without it neither file nor state can be read."""
    provider = str(document.get("secretsprovider") or "")
    if provider.startswith(_KMS):
        return _kms_item(provider.removeprefix(_KMS), session)
    if document.get("encryptionsalt"):
        variables = [name for name in _PASSPHRASE if os.environ.get(name)]
        if variables:
            return Item(what=_KEY, place="passphrase", state=State.SAFE, evidence=f"{variables[0]} is set")
        action = "keep the passphrase in a password store, and set PULUMI_CONFIG_PASSPHRASE_FILE to check it"
        return Item(what=_KEY, place="passphrase", state=State.MISSING, evidence="no passphrase here", action=action)
    if backend is not None and backend.startswith("https://"):
        return Item(what=_KEY, place="Pulumi Cloud", state=State.SAFE, evidence="Pulumi Cloud holds the key")
    action = "pulumi stack init STACK --secrets-provider gcpkms://projects/P/locations/L/keyRings/R/cryptoKeys/K"
    evidence = "the stack file names no secrets provider: the stack was not initialized, or its file not committed"
    return Item(what=_KEY, place="?", state=State.MISSING, evidence=evidence, action=action)


def file_item(root: Path, stack: str) -> Item:
    """Whether the stack file is in Git as it is here, and in a remote repository."""
    path = stack_file(root, stack)
    name = str(path.relative_to(root))
    if _git(root, "ls-files", "--error-unmatch", name) is None:
        action = f"git add {name} && git commit"
        return Item(what=_FILE, place=name, state=State.MISSING, evidence="not in Git", action=action)
    if _git(root, "status", "--porcelain", "--", name):
        action = f"git commit {name}"
        return Item(
            what=_FILE, place=name, state=State.MISSING, evidence="changed since the last commit", action=action
        )
    if not _git(root, "branch", "--remotes", "--contains", "HEAD"):
        evidence = "no remote branch has this commit"
        return Item(what=_FILE, place=name, state=State.MISSING, evidence=evidence, action="git push")
    return Item(what=_FILE, place=name, state=State.SAFE, evidence="committed and pushed")


def bucket_items(what: str, name: str, session: Session | None) -> Iterator[Item]:
    yield _bucket_item(what, name, session, versions=False)


def _bucket_item(what: str, name: str, session: Session | None, *, versions: bool) -> Item:
    place = f"{_BUCKET}{name}"
    look = f"gcloud storage buckets describe {place}"
    if session is None:
        return Item(what=what, place=place, state=State.ELSEWHERE, evidence="no Google credentials here", action=look)
    try:
        answer = google.bucket(name, session)
    except google.UnknownError as reason:
        return Item(what=what, place=place, state=State.ELSEWHERE, evidence=str(reason), action=look)
    if answer is None:
        return Item(
            what=what, place=place, state=State.MISSING, evidence="there is no such bucket", action="restore it"
        )
    location = str(answer.get("location", "?")).lower()
    if versions and not (answer.get("versioning") or {}).get("enabled"):
        action = f"gcloud storage buckets update {place} --versioning"
        return Item(what=what, place=place, state=State.MISSING, evidence="keeps no earlier versions", action=action)
    if answer.get("locationType") == "region":
        action = f"copy it to a bucket elsewhere: gcloud storage rsync --recursive {place} gs://OTHER"
        evidence = f"in the one region {location}: lost with it"
        return Item(what=what, place=place, state=State.SAFE, evidence=evidence, action=action)
    return Item(what=what, place=place, state=State.SAFE, evidence=f"in {location}, more than one region")


def _kms_item(path: str, session: Session | None) -> Item:
    path = path.partition("?")[0]
    action = f"gcloud kms keys describe {path}"
    if session is None:
        return Item(what=_KEY, place=path, state=State.ELSEWHERE, evidence="no Google credentials here", action=action)
    try:
        answer = google.key(path, session)
    except google.UnknownError as reason:
        return Item(what=_KEY, place=path, state=State.ELSEWHERE, evidence=str(reason), action=action)
    status = None if answer is None else (answer.get("primary") or {}).get("state")
    if status != "ENABLED":
        evidence = "there is no such key" if answer is None else f"its primary version is {status}"
        action = "restore the version while it is only scheduled for destruction: gcloud kms keys versions restore"
        return Item(what=_KEY, place=path, state=State.MISSING, evidence=evidence, action=action)
    return Item(what=_KEY, place=path, state=State.SAFE, evidence="its primary version is enabled")


def _git(root: Path, *arguments: str) -> str | None:
    """Output of a git command, None where it fails."""
    command = ["git", *arguments]
    try:
        done = subprocess.run(command, cwd=root, check=False, capture_output=True, text=True)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
