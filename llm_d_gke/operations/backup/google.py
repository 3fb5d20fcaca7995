"""Questions to Google Cloud about buckets, keys and secrets. Reads only.

Without a session (no credentials) and without an answer they raise UnansweredError with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llm_d_gke.operations.google_cloud import TIMEOUT, Session, UnansweredError, answer_of


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
        raise UnansweredError("no Google credentials here")
    response = session.request("GET", url, timeout=TIMEOUT)
    return None if response.status_code == 404 else answer_of(response)
