"""The simulated gcp provider and its Google Cloud.

`provider` answers the engine, with the resource types of `table`, each as `kinds` defines; `arguments` and `naming`
hold for all of them. Google's rules are in `cluster`, `pools`, `machines`, `network` and `platform`. `store` keeps the
state, which others read by `cloud_view`; `existing` and `controller_resources` are in it beside a stack's own.
`lifecycle` starts and stops the cluster.
"""

from __future__ import annotations

from llm_d_gke.rehearsal.providers.gcp.provider import GcpProvider
from llm_d_gke.rehearsal.providers.gcp.store import CloudStore

__all__ = ["CloudStore", "GcpProvider"]
