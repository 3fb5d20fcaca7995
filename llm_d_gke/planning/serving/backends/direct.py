"""Deployment `direct`: this program creates pool, picker and servers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llm_d_gke.catalog.release import DisaggregationRelease, Release
from llm_d_gke.planning.context import Role
from llm_d_gke.planning.plan.pods import EnvPlan
from llm_d_gke.planning.plan.serving import InferenceServicePlan, ModelServerPlan
from llm_d_gke.planning.served_model import ServedModel
from llm_d_gke.planning.serving.backends.base import ExtProcIdentity, PoolNames, Rollout, ServerNames
from llm_d_gke.planning.serving.labels import selector_of


@dataclass(frozen=True)
class DirectBackend:
    """Every object is stated in full, under names of this program."""

    container: str = "vllm"
    sidecar_container: str = "routing-proxy"
    decode_engine_port: int = 8200
    needs_kserve: bool = False
    creates_tokenizer_service: bool = True
    # The sidecar's /health is its own in some versions and the engine's in others.
    sidecar_health_path: str | None = None

    def engine_command(self, command: tuple[str, ...], release: Release) -> tuple[str, ...]:
        return command

    def engine_environment(self) -> tuple[EnvPlan, ...]:
        return ()

    def pod_labels(self, labels: Mapping[str, str]) -> Mapping[str, str]:
        return labels

    def sidecar_command(self, release: DisaggregationRelease) -> tuple[str, ...]:
        return ()

    def server_names(self, key: str, role: Role, *, multi_node: bool) -> ServerNames:
        name = f"{key}-vllm" if role == "both" else f"{key}-{role}"
        return ServerNames(
            workload=name,
            service_account=name,
            claim_template=f"{key}-rdma" if role == "both" else f"{name}-rdma",
            direct_service=f"{key}-direct",
        )

    def rollout(self, *, spare: bool, multi_node: bool) -> Rollout:
        """Without a spare accelerator a new pod would wait for one forever: an old one ends first."""
        return Rollout(max_surge=1 if spare else 0, max_unavailable=0 if spare else 1)

    def pool(self, key: str, serving_labels: Mapping[str, str]) -> PoolNames:
        return PoolNames(name=key, selector={**selector_of(key), **serving_labels}, picker_service=f"{key}-epp")

    def picker(self, key: str, release: Release) -> ExtProcIdentity:
        name = f"{key}-epp"
        selector = {"app.kubernetes.io/name": "endpoint-picker", "app.kubernetes.io/instance": key}
        return ExtProcIdentity(
            name=name,
            container="epp",
            service_account=name,
            selector=selector,
            labels={
                **selector,
                "app.kubernetes.io/component": "endpoint-picker",
                "app.kubernetes.io/part-of": "llm-d",
            },
        )

    def inference_service(self, served: ServedModel, key: str) -> InferenceServicePlan | None:
        return None

    def presets(self, servers: Sequence[ModelServerPlan]) -> tuple[str, ...]:
        return ()

    def check_model(self, served: ServedModel, key: str) -> None:
        """Nothing: all rules about these objects hold under any back end."""

    def check_server(self, served: ServedModel, server: ModelServerPlan) -> None:
        """Nothing, as for the model."""
