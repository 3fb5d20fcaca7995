"""The input of verify and diagnose: one running stack, on GKE or in the rehearsal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from llm_d_gke.cli.exits import CommandError
from llm_d_gke.kube.conditions import find_condition as find_condition
from llm_d_gke.kube.conditions import is_true as is_true
from llm_d_gke.operations.choices import Target
from llm_d_gke.planning.plan.stack import StackPlan
from llm_d_gke.stackfile import StackConfig

Manifest: TypeAlias = dict[str, Any]


# Without it the provider leaves fields that kubectl changed: `apply conflict` (provider 4.29, in a rehearsal).
FORCE = "PULUMI_K8S_ENABLE_PATCH_FORCE"


class LiveStackError(CommandError):
    """There is no running stack to check. The message holds the reason and the correction."""


class Cluster(Protocol):
    """The read-only part of a Kubernetes client."""

    def serves(self, api_version: str, kind: str) -> bool: ...

    def find(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> Manifest | None: ...

    def list(
        self,
        api_version: str,
        kind: str,
        namespace: str | None = None,
        *,
        labels: str | None = None,
        fields: str | None = None,
    ) -> list[Manifest]: ...


class PodAccess(Protocol):
    """Access to ports and logs of single pods."""

    def address(self, pod: Manifest, port: int) -> str:
        """`host:port` at which a pod's port answers here. Raises LiveStackError where it cannot be reached."""
        ...

    def log(self, pod: Manifest, container: str, *, previous: bool = False) -> str:
        """The last lines of a container's log, empty where there are none."""
        ...


# Headers of clients with a key or a token.
_CREDENTIALS = {"authorization", "x-api-key"}


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """The address and certificate settings of the Gateway.

    `url` is the address, `host` the name under which clients know it. `trusted`: whether the certificate must verify;
    the rehearsal has substitutes for certificates that only Google has. `headers`: an API key of a rehearsed stack.
    """

    url: str
    host: str
    trusted: bool
    headers: Mapping[str, str] = field(default_factory=dict)

    def headers_with(self, further: Mapping[str, str]) -> dict[str, str]:
        """Headers of a request. A key or token among `further` replaces the endpoint's own one.

        Two credentials in one request would say nothing about the further one: the Gateway reads x-api-key first.
        """
        own = {} if _CREDENTIALS & {name.lower() for name in further} else self.headers
        return {"Host": self.host, **own, **further}


@dataclass(frozen=True, kw_only=True)
class LiveStack:
    """One running stack. `looked_at` describes it in one sentence; `endpoint` is None if no Gateway has an address.

    `unfinished`: a rehearsed up was interrupted or failed. `changed_settings` are those of the stack file that differ
    from the last rehearsed `up`. `simulated_engine`: no vLLM answers, but the rehearsal's simulator.
    """

    name: str
    target: Target
    looked_at: str
    config: StackConfig
    plan: StackPlan
    cluster: Cluster
    pods: PodAccess
    endpoint: Endpoint | None
    changed_settings: tuple[str, ...] = ()
    unfinished: bool = False
    simulated_engine: bool = False

    @property
    def namespace(self) -> str:
        return self.plan.namespace.name

    @property
    def kubectl(self) -> str:
        """The beginning of a kubectl command for this stack's namespace."""
        where = f" --kubeconfig .rehearsal/{self.name}/cluster/admin.kubeconfig" if self.target == "rehearsal" else ""
        return f"kubectl{where} -n {self.namespace}"

    @property
    def diagnose(self) -> str:
        """What to run after a promise that is not kept. A changed stack file explains it where it was not applied."""
        return f"make {'up' if self.changed_settings else 'diagnose'} STACK={self.name}"

    @property
    def restore(self) -> str:
        """The command that gives objects which were changed or deleted by hand their planned values again."""
        if self.target == "rehearsal":
            return f"make up STACK={self.name}{'' if self.changed_settings else ' ARGS=--refresh'}"
        return f"{FORCE}=true pulumi up --refresh --stack {self.name}"

    def pods_of(self, selector: Mapping[str, str]) -> list[Manifest]:
        """Pods with these labels that are not being deleted, by name."""
        labels = ",".join(f"{key}={value}" for key, value in sorted(selector.items()))
        pods = self.cluster.list("v1", "Pod", self.namespace, labels=labels)
        alive = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
        return sorted(alive, key=lambda pod: str(pod["metadata"]["name"]))


def is_ready(pod: Manifest) -> bool:
    return is_true(pod, "Ready")
