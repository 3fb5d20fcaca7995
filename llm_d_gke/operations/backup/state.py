"""Items of a backup, and whether each is kept: Pulumi's state, the key that opens it, and the stack file in Git."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from llm_d_gke.operations.backup import google
from llm_d_gke.operations.google_cloud import Session, UnansweredError
from llm_d_gke.stackfile import stack_file


class State(Enum):
    """SAFE and MISSING were looked at. ELSEWHERE cannot be looked at from here."""

    SAFE = "kept"
    MISSING = "missing"
    ELSEWHERE = "not established"


@dataclass(frozen=True, kw_only=True)
class Item:
    """`what` has to be kept at `place`; `evidence` says how that is known, `action` what to do where it is not."""

    what: str
    place: str
    state: State
    evidence: str
    action: str = ""


def safe(what: str, place: str, evidence: str, action: str = "") -> Item:
    return Item(what=what, place=place, state=State.SAFE, evidence=evidence, action=action)


def missing(what: str, place: str, evidence: str, action: str) -> Item:
    return Item(what=what, place=place, state=State.MISSING, evidence=evidence, action=action)


def not_established(what: str, place: str, evidence: str, action: str = "") -> Item:
    return Item(what=what, place=place, state=State.ELSEWHERE, evidence=evidence, action=action)


_BUCKET, _KMS = "gs://", "gcpkms://"
_PASSPHRASE = ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE")
_STATE, _KEY, _FILE = "Pulumi's state", "encryption key", "stack file"


def backend_url(environment: Mapping[str, str] = os.environ) -> str | None:
    """Where Pulumi keeps states: PULUMI_BACKEND_URL, otherwise the last `pulumi login`. None where neither says so."""
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
        return not_established(_STATE, "", "no `pulumi login` here", action)
    if backend.startswith("file://"):
        action = "keep it in a bucket: pulumi stack export, pulumi login gs://BUCKET, pulumi stack import"
        return missing(_STATE, backend, "only on this machine", action)
    if backend.startswith("https://"):
        return safe(_STATE, backend, "Pulumi Cloud keeps every state")
    if not backend.startswith(_BUCKET):
        action = "check that this store keeps earlier versions"
        return not_established(_STATE, backend, "no bucket of Google", action)
    name = backend.removeprefix(_BUCKET).partition("/")[0]
    return bucket_item(_STATE, name, session, versions=True)


def key_item(stack: str, document: Mapping[str, Any], backend: str | None, session: Session | None) -> Item:
    """Whether the key that encrypts the stack's secrets is there. Without it neither file nor state can be read."""
    provider = str(document.get("secretsprovider") or "")
    if provider.startswith(_KMS):
        return _kms_item(provider.removeprefix(_KMS), session)
    if document.get("encryptionsalt"):
        variables = [name for name in _PASSPHRASE if os.environ.get(name)]
        if variables:
            return safe(_KEY, "passphrase", f"{variables[0]} is set")
        action = "keep the passphrase in a password store, and set PULUMI_CONFIG_PASSPHRASE_FILE to check it"
        return missing(_KEY, "passphrase", "no passphrase here", action)
    if backend is not None and backend.startswith("https://"):
        return safe(_KEY, "Pulumi Cloud", "Pulumi Cloud holds the key")
    action = f"pulumi stack init {stack} --secrets-provider gcpkms://KEY"
    evidence = (
        "the stack file names no secrets provider: the stack was not initialized, or its file not committed"
        " (KEY: projects/P/locations/L/keyRings/R/cryptoKeys/K)"
    )
    return missing(_KEY, "", evidence, action)


def file_item(root: Path, stack: str) -> Item:
    """Whether the stack file is in Git as it is here, and in a remote repository."""
    path = stack_file(root, stack)
    name = str(path.relative_to(root))
    if _git(root, "ls-files", "--error-unmatch", name) is None:
        action = f"git add {name} && git commit"
        return missing(_FILE, name, "not in Git", action)
    if _git(root, "status", "--porcelain", "--", name):
        action = f"git commit {name}"
        return missing(_FILE, name, "changed since the last commit", action)
    if not _git(root, "branch", "--remotes", "--contains", "HEAD"):
        evidence = "no remote branch has this commit"
        return missing(_FILE, name, evidence, "git push")
    return safe(_FILE, name, "committed and pushed")


def bucket_item(what: str, name: str, session: Session | None, *, versions: bool = False) -> Item:
    """Whether a bucket is there, and with `versions` whether it keeps earlier versions of its objects."""
    place = f"{_BUCKET}{name}"
    look = f"gcloud storage buckets describe {place}"
    try:
        answer = google.bucket(name, session)
    except UnansweredError as reason:
        return not_established(what, place, str(reason), look)
    if answer is None:
        return missing(what, place, "there is no such bucket", "restore it")
    location = str(answer.get("location", "?")).lower()
    if versions and not (answer.get("versioning") or {}).get("enabled"):
        action = f"gcloud storage buckets update {place} --versioning"
        return missing(what, place, "keeps no earlier versions", action)
    if answer.get("locationType") == "region":
        action = f"copy it to a bucket elsewhere: gcloud storage rsync --recursive {place} gs://OTHER"
        evidence = f"in the one region {location}: lost with it"
        return safe(what, place, evidence, action)
    return safe(what, place, f"in {location}, more than one region")


def _kms_item(path: str, session: Session | None) -> Item:
    path = path.partition("?")[0]
    action = f"gcloud kms keys describe {path}"
    try:
        answer = google.key(path, session)
    except UnansweredError as reason:
        return not_established(_KEY, path, str(reason), action)
    status = None if answer is None else (answer.get("primary") or {}).get("state")
    if status != "ENABLED":
        evidence = "there is no such key" if answer is None else f"its primary version is {status}"
        action = "restore the version while it is only scheduled for destruction: gcloud kms keys versions restore"
        return missing(_KEY, path, evidence, action)
    return safe(_KEY, path, "its primary version is enabled")


def _git(root: Path, *arguments: str) -> str | None:
    """Output of a git command, None where it fails."""
    command = ["git", *arguments]
    try:
        done = subprocess.run(command, cwd=root, check=False, capture_output=True, text=True)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
