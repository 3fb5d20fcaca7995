"""Questions to Google Cloud about buckets, keys and secrets. Reads only.

Without a session (no credentials) and without an answer they raise UnknownError with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llm_d_gke.operations.leftovers.google import Session

_SECONDS = 30


class UnknownError(Exception):
    """Google did not answer the question. The message holds the reason."""


def bucket(name: str, session: Session | None) -> Mapping[str, Any] | None:
    """A bucket's properties, None where there is no such bucket."""
    return _get(f"https://storage.googleapis.com/storage/v1/b/{name}", session)


def key(path: str, session: Session | None) -> Mapping[str, Any] | None:
    """A key of Cloud KMS by its path, None where there is none."""
    return _get(f"https://cloudkms.googleapis.com/v1/{path}", session)


def secret(project: str, name: str, session: Session | None) -> Mapping[str, Any] | None:
    """A secret of Secret Manager, None where there is none."""
    return _get(f"https://secretmanager.googleapis.com/v1/projects/{project}/secrets/{name}", session)


def _get(url: str, session: Session | None) -> Mapping[str, Any] | None:
    if session is None:
        raise UnknownError("no Google credentials here")
    answer = session.request("GET", url, timeout=_SECONDS)
    if answer.status_code == 404:
        return None
    body = answer.json()
    if answer.status_code >= 400:
        error = body.get("error", {}) if isinstance(body, Mapping) else {}
        raise UnknownError(f"{answer.status_code}: {error.get('message', 'no reason given')}")
    return body if isinstance(body, Mapping) else {}
