"""The endpoint picker of one pool: identity, permissions, configuration, Deployment, Service."""

from __future__ import annotations

from typing import Any, cast

import pulumi
import pulumi_kubernetes as kubernetes
import yaml

from components.options import child
from components.pods import pod_template
from planning.plan import PickerPlan


class EndpointPicker(pulumi.ComponentResource):
    """A picker that watches its pool's pods, scrapes their metrics and answers the load balancer's calls."""

    deployment: kubernetes.apps.v1.Deployment
    service: kubernetes.core.v1.Service

    def __init__(
        self,
        plan: PickerPlan,
        namespace: str,
        after: list[pulumi.Resource],
        deleted_with: pulumi.Resource | None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("llm-d:inference:EndpointPicker", plan.name, None, opts)
        self._plan, self._namespace = plan, namespace
        options = child(self, depends_on=after, deleted_with=deleted_with)
        account = kubernetes.core.v1.ServiceAccount(
            plan.name, metadata=self._metadata(), automount_service_account_token=False, opts=options
        )
        permissions = self._permissions(options)
        config = kubernetes.core.v1.ConfigMap(
            plan.name,
            metadata=self._metadata(),
            data={plan.config_file: yaml.safe_dump(dict(plan.config), sort_keys=False)},
            opts=options,
        )
        self.service = kubernetes.core.v1.Service(
            plan.name,
            metadata=self._metadata(),
            spec={
                "type": "ClusterIP",
                "selector": dict(plan.selector),
                "ports": [
                    # The load balancer speaks gRPC to the picker.
                    _port("grpc", plan.grpc_port, app_protocol="kubernetes.io/h2c"),
                    _port("grpc-health", plan.health_port, app_protocol="kubernetes.io/h2c"),
                    _port("metrics", plan.metrics_port),
                ],
            },
            opts=options,
        )
        self.deployment = kubernetes.apps.v1.Deployment(
            plan.name,
            metadata=self._metadata(),
            spec={
                "replicas": plan.replicas,
                "selector": {"match_labels": dict(plan.selector)},
                "strategy": {"type": "RollingUpdate", "rolling_update": {"max_surge": 1, "max_unavailable": 0}},
                "template": cast(Any, pod_template(plan.pod)),
            },
            opts=child(self, depends_on=[*after, account, *permissions, config], deleted_with=deleted_with),
        )
        self.register_outputs({})

    def _metadata(self, name: str | None = None) -> dict[str, Any]:
        return {"name": name or self._plan.name, "namespace": self._namespace, "labels": dict(self._plan.selector)}

    def _permissions(self, options: pulumi.ResourceOptions) -> list[pulumi.Resource]:
        """What the picker's own chart grants: read pods and pools of its namespace, check who asks for metrics."""
        plan, rbac = self._plan, kubernetes.rbac.v1
        read = ["get", "list", "watch"]
        rules = [
            {"api_groups": [""], "resources": ["pods"], "verbs": read},
            {"api_groups": ["inference.networking.k8s.io"], "resources": ["inferencepools"], "verbs": read},
            {
                "api_groups": list(plan.objective_groups),
                "resources": ["inferenceobjectives", "inferencemodelrewrites"],
                "verbs": read,
            },
        ]
        if plan.replicas > 1:
            every = ["get", "list", "watch", "create", "update", "patch", "delete"]
            rules += [
                {"api_groups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": every},
                {"api_groups": [""], "resources": ["events"], "verbs": ["create", "patch"]},
            ]
        subject = {"kind": "ServiceAccount", "name": plan.name, "namespace": self._namespace}
        # Cluster-wide objects need names of their own: another stack may use the same picker name.
        wide = f"{self._namespace}-{plan.name}-metrics-auth"
        role = rbac.Role(plan.name, metadata=self._metadata(), rules=cast(Any, rules), opts=options)
        binding = rbac.RoleBinding(
            plan.name,
            metadata=self._metadata(),
            role_ref={"api_group": "rbac.authorization.k8s.io", "kind": "Role", "name": plan.name},
            subjects=[cast(Any, subject)],
            opts=options,
        )
        check = rbac.ClusterRole(
            plan.name,
            metadata={"name": wide, "labels": dict(plan.selector)},
            rules=[
                {"api_groups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]},
                {"api_groups": ["authorization.k8s.io"], "resources": ["subjectaccessreviews"], "verbs": ["create"]},
            ],
            opts=options,
        )
        check_binding = rbac.ClusterRoleBinding(
            plan.name,
            metadata={"name": wide, "labels": dict(plan.selector)},
            role_ref={"api_group": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": wide},
            subjects=[cast(Any, subject)],
            opts=options,
        )
        return [role, binding, check, check_binding]


def _port(name: str, number: int, app_protocol: str | None = None) -> Any:
    port: dict[str, Any] = {"name": name, "port": number, "target_port": name, "protocol": "TCP"}
    return port | ({"app_protocol": app_protocol} if app_protocol else {})
