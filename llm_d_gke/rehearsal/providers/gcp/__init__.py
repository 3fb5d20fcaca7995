"""The simulated gcp provider and its Google Cloud."""

from __future__ import annotations

from llm_d_gke.rehearsal.providers.gcp.provider import GcpProvider
from llm_d_gke.rehearsal.providers.gcp.store import CloudStore

__all__ = ["CloudStore", "GcpProvider"]
