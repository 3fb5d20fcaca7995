"""The Google credentials of this machine, for the commands that ask Google Cloud."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from google.auth.credentials import Credentials


class NoCredentialsError(Exception):
    """Google Cloud cannot be queried from here. The message names the correction."""


def default_credentials() -> tuple[Credentials, str | None]:
    """Credentials, and the project that they name. Raises NoCredentialsError."""
    try:
        import google.auth
        from google.auth.exceptions import DefaultCredentialsError
    except ImportError:
        raise NoCredentialsError(
            "Google's client libraries are missing: pip install -r requirements-preflight.txt"
        ) from None
    try:
        credentials, project = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
    except DefaultCredentialsError:
        raise NoCredentialsError("No Google credentials here: run `gcloud auth application-default login`.") from None
    return credentials, project
