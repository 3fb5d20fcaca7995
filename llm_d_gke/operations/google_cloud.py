"""Google Cloud with the credentials of this machine, for the commands that ask it: credentials, HTTP, refusals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

# Of one request, in seconds.
TIMEOUT = 30


class NoCredentialsError(Exception):
    """Google Cloud cannot be queried from here. The message names the correction."""


class UnansweredError(Exception):
    """Google Cloud did not answer. The message holds the reason."""


class SwitchedOffError(UnansweredError):
    """The API is switched off in the project, so that none of its resources exist."""


class Response(Protocol):
    status_code: int

    def json(self) -> Any: ...


class Session(Protocol):
    """The HTTP session: `google.auth.transport.requests.AuthorizedSession`, or a test double."""

    def request(
        self, method: str, url: str, *, params: Any = None, json: Any = None, timeout: float | None = None
    ) -> Response: ...


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


def open_session() -> tuple[Session, str | None]:
    """A session with those credentials, and the project that they name. Raises NoCredentialsError."""
    credentials, project = default_credentials()
    from google.auth.transport.requests import AuthorizedSession

    session: Session = AuthorizedSession(credentials)  # type: ignore[no-untyped-call]
    return session, project


def answer_of(response: Response) -> Mapping[str, Any]:
    """The object in an answer, empty for one that has none. Raises UnansweredError with Google's reason."""
    answer = response.json() if response.status_code != 204 else {}
    body = answer if isinstance(answer, Mapping) else {}
    if response.status_code < 400:
        return body
    error = body.get("error", {})
    details = error.get("details") or error.get("errors") or ()
    reasons = {str(detail.get("reason", "")) for detail in details if isinstance(detail, Mapping)}
    message = str(error.get("message", "")).splitlines()
    kind = SwitchedOffError if reasons & {"SERVICE_DISABLED", "accessNotConfigured"} else UnansweredError
    raise kind(f"{response.status_code}: {message[0] if message else 'no reason given'}")
