"""The model router of one Gateway: identity, permissions, model names, Deployment, Service, and callout."""

from __future__ import annotations

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.apps import v1 as apps
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from llm_d_gke.components.cluster_service import cluster_service, service_port
from llm_d_gke.components.custom_resources.base import PolicyTarget, custom_resource
from llm_d_gke.components.custom_resources.gateway_api import GROUP
from llm_d_gke.components.custom_resources.gke_extensions import (
    ExtensionChain,
    GcpRoutingExtensionSpec,
    RoutingCallout,
    ServiceRef,
)
from llm_d_gke.components.custom_resources.gke_policies import GrpcCheck, health_check
from llm_d_gke.components.disruption import disruption_budget
from llm_d_gke.components.infrastructure.permissions import READ, grant_role, rule
from llm_d_gke.components.instance import Component, named
from llm_d_gke.components.metadata import metadata
from llm_d_gke.components.options import child
from llm_d_gke.components.pods import deployment_spec
from llm_d_gke.components.routing.metrics_access import grant_token_review
from llm_d_gke.components.scope import ClusterScope
from llm_d_gke.go_yaml import dump_yaml
from llm_d_gke.planning.plan.routing import RouterPlan, RoutingExtensionPlan


class ModelRouter(Component):
    """A router that reads request bodies and sets a header with the base model, which the HTTPRoute matches.

    The callout is attached to the Gateway after the router is ready, because every request then waits for the router.
    """

    extension: kubernetes.apiextensions.CustomResource

    def __init__(self, plan: RouterPlan, gateway: pulumi.Resource, scope: ClusterScope) -> None:
        super().__init__("llm-d:gateway:ModelRouter", plan.name, scope.opts)
        self._plan, self._namespace = plan, scope.namespace
        options = scope.deleted_with_cluster(self, scope.ready)
        account = kubernetes.core.v1.ServiceAccount(
            named(plan.name, options), metadata=self._metadata(), automount_service_account_token=False, opts=options
        )
        needed = [account, *self._permissions(options), *self._config_maps(options)]
        # HTTP/2 with TLS: the router creates a self-signed certificate.
        ports = [service_port("grpc", plan.grpc_port, app_protocol="HTTP2")]
        service = cluster_service(plan.name, self._metadata(), plan.selector, ports, options)
        health = self._health_check(service)
        deployment = apps.Deployment(
            named(plan.name, self),
            metadata=self._metadata(),
            spec=deployment_spec(plan.replicas, plan.selector, plan.pod),
            opts=child(self, depends_on=[*scope.ready, *needed]),
        )
        disruption_budget(plan.name, scope.namespace, plan.selector, plan.replicas, options)
        self.extension = self._callout(plan.callout, [gateway, service, health, deployment])
        self.register_outputs({})

    def _metadata(self) -> ObjectMetaArgs:
        return metadata(self._plan.name, self._namespace, labels=self._plan.selector)

    def _permissions(self, options: pulumi.ResourceOptions) -> list[pulumi.Resource]:
        """Let the router read ConfigMaps of the namespace. A role cannot select them by label."""
        plan, rules = self._plan, [rule([""], ["configmaps"], READ)]
        return [
            *grant_role(plan.name, self._namespace, rules, plan.selector, options),
            *grant_token_review(plan.name, self._namespace, plan.selector, options),
        ]

    def _config_maps(self, options: pulumi.ResourceOptions) -> list[pulumi.Resource]:
        """Create a ConfigMap of names for each model, and one for the router's configuration file if it has one."""
        plan = self._plan
        texts: list[pulumi.Resource] = [
            kubernetes.core.v1.ConfigMap(
                named(base.key, options),
                metadata=metadata(base.key, self._namespace, labels=plan.mapping_labels),
                data={
                    "baseModel": base.name,
                    "adapters": dump_yaml(list(base.others)),
                },
                opts=options,
            )
            for base in plan.names
        ]
        if plan.config is not None:
            texts.append(
                kubernetes.core.v1.ConfigMap(
                    named(plan.name, options),
                    metadata=self._metadata(),
                    data={plan.config_file: dump_yaml(dict(plan.config))},
                    opts=options,
                )
            )
        return texts

    def _health_check(self, service: kubernetes.core.v1.Service) -> kubernetes.apiextensions.CustomResource:
        plan = self._plan
        return custom_resource(
            f"{plan.name}-health",
            health_check(
                PolicyTarget(group="", kind="Service", name=plan.name),
                plan.health_interval,
                grpc=GrpcCheck(port=plan.health_port),
            ),
            metadata=metadata(plan.name, self._namespace),
            opts=child(self, depends_on=[service]),
        )

    def _callout(
        self, plan: RoutingExtensionPlan, depends_on: list[pulumi.Resource]
    ) -> kubernetes.apiextensions.CustomResource:
        callout = RoutingCallout(
            name="model-name",
            authority=plan.authority,
            backend_ref=ServiceRef(name=self._plan.name, port=self._plan.grpc_port),
            timeout=f"{plan.timeout_seconds}s",
            # Bodies are streamed in full; the router responds after the end of the body.
            supported_events=["RequestHeaders", "RequestBody", "RequestTrailers"],
            request_body_send_mode="FullDuplexStreamed",
            fail_open=plan.fail_open,
        )
        return custom_resource(
            f"{plan.name}-callout",
            GcpRoutingExtensionSpec(
                target_refs=[PolicyTarget(group=GROUP, kind="Gateway", name=plan.gateway)],
                extension_chains=[ExtensionChain(name="models", extensions=[callout])],
            ),
            metadata=metadata(plan.name, self._namespace),
            opts=child(self, depends_on=depends_on),
        )
