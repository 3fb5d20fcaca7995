"""The endpoint picker of one pool: identity, permissions, configuration, Deployment, Service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.apps import v1 as apps
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from llm_d_gke.components.cluster_service import cluster_service, service_port
from llm_d_gke.components.disruption import disruption_budget
from llm_d_gke.components.infrastructure.permissions import READ, grant_role, rule
from llm_d_gke.components.instance import Component, named
from llm_d_gke.components.metadata import metadata, wait_for
from llm_d_gke.components.options import child
from llm_d_gke.components.pods import deployment_spec
from llm_d_gke.components.routing.metrics_access import grant_token_review
from llm_d_gke.components.scope import ClusterScope
from llm_d_gke.go_yaml import dump_yaml
from llm_d_gke.planning.plan.routing import PickerPlan, TokenizerServicePlan

_SKIP_AWAIT = {"pulumi.com/skipAwait": "true"}


class EndpointPicker(Component):
    """A picker that watches its pool's pods, scrapes their metrics and answers the load balancer's calls."""

    deployment: apps.Deployment
    service: kubernetes.core.v1.Service

    def __init__(self, plan: PickerPlan, scope: ClusterScope, depends_on: Sequence[pulumi.Resource]) -> None:
        super().__init__("llm-d:inference:EndpointPicker", plan.name, scope.opts)
        self._plan, self._namespace = plan, scope.namespace
        options = scope.deleted_with_cluster(self, depends_on)
        account = kubernetes.core.v1.ServiceAccount(
            named(plan.name, options), metadata=self._metadata(), automount_service_account_token=False, opts=options
        )
        permissions = self._permissions(options)
        config = kubernetes.core.v1.ConfigMap(
            named(plan.name, options),
            metadata=self._metadata(),
            data={plan.config_file: dump_yaml(dict(plan.config))},
            opts=options,
        )
        self.service = self._service(options)
        self.deployment = apps.Deployment(
            named(plan.name, self),
            metadata=self._metadata(annotations=wait_for(*plan.wait_for)),
            spec=deployment_spec(plan.replicas, plan.selector, plan.pod, max_unavailable=plan.max_unavailable),
            # Deleted separately: deletion of the namespace ends the pods much more slowly.
            opts=child(self, depends_on=[*depends_on, account, *permissions, config]),
        )
        disruption_budget(plan.name, scope.namespace, plan.selector, plan.ready_replicas, options)
        if plan.tokenizer_service is not None:
            self._tokenizer_service(plan.tokenizer_service, options)
        self.register_outputs({})

    def _service(self, options: pulumi.ResourceOptions) -> kubernetes.core.v1.Service:
        """Create the Service that the load balancer calls, by gRPC."""
        plan = self._plan
        ports = [
            service_port("grpc", plan.grpc_port, app_protocol="kubernetes.io/h2c"),
            service_port("grpc-health", plan.health_port, app_protocol="kubernetes.io/h2c"),
            service_port("metrics", plan.metrics_port),
        ]
        # A picker is ready once it has seen its pool, and the pool comes after this Service: waiting for the
        # Service's pods would be waiting for each other.
        described = self._metadata(annotations=_SKIP_AWAIT)
        return cluster_service(plan.name, described, plan.selector, ports, options)

    def _tokenizer_service(self, plan: TokenizerServicePlan, options: pulumi.ResourceOptions) -> None:
        # It becomes ready only with model servers, which may wait for nodes.
        described = metadata(plan.name, self._namespace, labels=self._plan.selector, annotations=_SKIP_AWAIT)
        cluster_service(plan.name, described, plan.selector, [service_port("http", plan.port, plan.port)], options)

    def _metadata(self, annotations: Mapping[str, str] | None = None) -> ObjectMetaArgs:
        return metadata(self._plan.name, self._namespace, labels=self._plan.selector, annotations=annotations)

    def _permissions(self, options: pulumi.ResourceOptions) -> list[pulumi.Resource]:
        """Grant what the picker's Helm chart grants: read pods and pools, authorize metrics requests."""
        plan = self._plan
        rules = [
            rule([""], ["pods"], READ),
            rule(["inference.networking.k8s.io"], ["inferencepools"], READ),
            rule(plan.objective_groups, ["inferenceobjectives", "inferencemodelrewrites"], READ),
        ]
        if plan.lease is not None:
            rules += [
                # A name cannot limit what may be created.
                rule(["coordination.k8s.io"], ["leases"], ["create"]),
                rule(["coordination.k8s.io"], ["leases"], ["get", "update"], names=[plan.lease]),
                rule([""], ["events"], ["create", "patch"]),
            ]
        return [
            *grant_role(plan.name, self._namespace, rules, plan.selector, options),
            *grant_token_review(plan.name, self._namespace, plan.selector, options),
        ]
