"""Pattern `single-replica`: one model with independent replicas."""

from __future__ import annotations

from dataclasses import dataclass

from llm_d_gke.planning.patterns.base import Pattern
from llm_d_gke.settings.stack import Pattern as Name


@dataclass(frozen=True)
class SingleReplica(Pattern):
    """The defaults of every pattern."""

    name: Name = "single-replica"
