"""Stand-in for Google Cloud as the gcp provider shows it."""

from __future__ import annotations

from rehearsal.providers.gcp.provider import GcpProvider
from rehearsal.providers.gcp.store import CloudStore

__all__ = ["CloudStore", "GcpProvider"]
