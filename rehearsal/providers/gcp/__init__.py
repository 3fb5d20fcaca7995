"""The simulated gcp provider and its Google Cloud."""

from __future__ import annotations

from rehearsal.providers.gcp.provider import GcpProvider
from rehearsal.providers.gcp.store import CloudStore

__all__ = ["CloudStore", "GcpProvider"]
