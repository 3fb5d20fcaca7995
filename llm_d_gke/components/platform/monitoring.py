"""Metrics of model servers, pickers and model router, by Google Cloud Managed Service for Prometheus."""

from __future__ import annotations

import pulumi_kubernetes as kubernetes

from llm_d_gke.components.custom_resources.base import custom_resource
from llm_d_gke.components.custom_resources.inference_pool import Selector
from llm_d_gke.components.custom_resources.pod_monitoring import (
    Authorization,
    Endpoint,
    PodMonitoringSpec,
    ScrapeTls,
    SecretKey,
    SecretSource,
)
from llm_d_gke.components.infrastructure.permissions import role_ref_of, rule, service_account
from llm_d_gke.components.instance import Component, named
from llm_d_gke.components.metadata import metadata
from llm_d_gke.components.options import after
from llm_d_gke.components.scope import ClusterScope
from llm_d_gke.planning.plan.platform import MonitoringPlan
from llm_d_gke.planning.plan.routing import PickerPlan, RouterPlan
from llm_d_gke.planning.plan.stack import ModelPlan

# Namespace and service account of GKE's managed collectors.
_COLLECTOR = ("gmp-system", "collector")


class Monitoring(Component):
    """PodMonitoring of every model server and picker, and of the model router.

    Pickers and routers serve metrics only to authorized callers. The collectors use the token of an account that may
    only read metrics.
    """

    def __init__(
        self,
        plan: MonitoringPlan,
        models: tuple[ModelPlan, ...],
        router: RouterPlan | None,
        scope: ClusterScope,
    ) -> None:
        super().__init__("llm-d:monitoring:Monitoring", "monitoring", scope.opts)
        self._namespace = scope.namespace
        self._options = scope.deleted_with_cluster(self, scope.ready)
        interval = f"{plan.interval_seconds}s"
        guarded: list[PickerPlan | RouterPlan] = [model.picker for model in models]
        if router is not None:
            guarded.append(router)
        readers = {server.metrics_reader for server in guarded if server.metrics_reader is not None}
        for reader in sorted(readers):
            self._reader(reader)
        for model in models:
            for server in model.servers:
                https = server.protocol == "https"
                ranks = [
                    Endpoint(
                        port=port.name,
                        interval=interval,
                        scheme="https" if https else None,
                        tls=ScrapeTls() if https else None,
                    )
                    for port in server.serving_ports
                ]
                self._scrape(server.name, dict(server.serving_selector), *ranks)
        for workload in guarded:
            if workload.metrics_reader is not None:
                token = SecretSource(secret=SecretKey(name=workload.metrics_reader, key="token"))
                endpoint = Endpoint(port="metrics", interval=interval, authorization=Authorization(credentials=token))
                self._scrape(workload.name, dict(workload.selector), endpoint)
        self.register_outputs({})

    def _scrape(self, name: str, labels: dict[str, str], *endpoints: Endpoint) -> None:
        custom_resource(
            name,
            PodMonitoringSpec(selector=Selector(match_labels=labels), endpoints=list(endpoints)),
            metadata=metadata(name, self._namespace),
            opts=self._options,
        )

    def _reader(self, name: str) -> None:
        """Create an account that may read /metrics, its token, and the collectors' permission to read that token."""
        core, rbac, namespace = kubernetes.core.v1, kubernetes.rbac.v1, self._namespace
        wide = f"{namespace}-{name}"
        account = core.ServiceAccount(
            named(name, self),
            metadata=metadata(name, namespace),
            automount_service_account_token=False,
            opts=self._options,
        )
        core.Secret(
            named(name, self),
            metadata=metadata(name, namespace, annotations={"kubernetes.io/service-account.name": name}),
            type="kubernetes.io/service-account-token",
            opts=after(self._options, account),
        )
        rbac.ClusterRole(
            named(name, self),
            metadata=metadata(wide),
            rules=[rbac.PolicyRuleArgs(non_resource_urls=["/metrics"], verbs=["get"])],
            opts=self._options,
        )
        rbac.ClusterRoleBinding(
            named(name, self),
            metadata=metadata(wide),
            role_ref=role_ref_of("ClusterRole", wide),
            subjects=[service_account(namespace, name)],
            opts=self._options,
        )
        rbac.Role(
            named(name, self),
            metadata=metadata(name, namespace),
            rules=[rule([""], ["secrets"], ["get"], names=[name])],
            opts=self._options,
        )
        rbac.RoleBinding(
            named(name, self),
            metadata=metadata(name, namespace),
            role_ref=role_ref_of("Role", name),
            subjects=[service_account(*_COLLECTOR)],
            opts=self._options,
        )
