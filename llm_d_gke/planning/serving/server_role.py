"""The part of each request that a model's servers compute, as inputs of their pods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from llm_d_gke.planning.context import Role
from llm_d_gke.planning.parallelism.ports import PORT
from llm_d_gke.planning.plan.pods import ContainerPlan, EnvPlan, PortPlan
from llm_d_gke.planning.serving.labels import ROLE_LABEL

_HTTP = PortPlan(name="http", number=PORT)


@dataclass(frozen=True, kw_only=True)
class ServerRole:
    """The additions of a role to the pods of its servers.

    `label` is the value of the role label. `port` is the engine's port, `sidecars` are in front of the engine, and
    `args`, `env` and `ports` come after the engine's own.
    """

    name: Role
    label: str
    port: PortPlan = _HTTP
    args: tuple[str, ...] = ()
    env: tuple[EnvPlan, ...] = ()
    ports: tuple[PortPlan, ...] = ()
    sidecars: tuple[ContainerPlan, ...] = ()

    @property
    def selector(self) -> Mapping[str, str]:
        """Labels that separate the pods and nodes of this role from another role's of the same model."""
        return {} if self.name == "both" else {ROLE_LABEL: self.label}

    @property
    def takes_requests(self) -> bool:
        """Prefill servers compute prompts for decode servers only."""
        return self.name != "prefill"
