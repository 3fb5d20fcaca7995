"""vLLM: identity, Deployment, and the optional way in that goes past the Gateway."""

from __future__ import annotations

from typing import Any, cast

import pulumi
import pulumi_gcp as gcp
import pulumi_kubernetes as kubernetes

from components.options import child
from components.pods import pod_template
from planning.model_server import PORT
from planning.plan import ModelPlan
from planning.start_up import NODE_SECONDS


class ModelServer(pulumi.ComponentResource):
    """The vLLM replicas of one model.

    `up` waits until they answer: a node may have to come first, then the image, the weights and the compiler.
    """

    deployment: kubernetes.apps.v1.Deployment

    def __init__(
        self,
        plan: ModelPlan,
        namespace: str,
        project: str,
        workload_pool: str,
        after: list[pulumi.Resource],
        deleted_with: pulumi.Resource | None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("llm-d:inference:ModelServer", plan.server.name, None, opts)
        server = plan.server
        metadata: dict[str, Any] = {"name": server.name, "namespace": namespace, "labels": dict(server.selector)}
        options = child(self, depends_on=after, deleted_with=deleted_with)
        account = kubernetes.core.v1.ServiceAccount(
            server.service_account,
            metadata=metadata | {"name": server.service_account},
            automount_service_account_token=False,
            opts=options,
        )
        if server.workload_identity_secret is not None:
            gcp.secretmanager.SecretIamMember(
                f"{server.name}-token",
                project=project,
                secret_id=server.workload_identity_secret,
                role="roles/secretmanager.secretAccessor",
                member=f"serviceAccount:{workload_pool}[{namespace}/{server.service_account}]",
                opts=child(self),
            )
        deadline = server.start_up_seconds + NODE_SECONDS
        seconds = f"{deadline + 300}s"
        self.deployment = kubernetes.apps.v1.Deployment(
            server.name,
            metadata=metadata,
            spec={
                "replicas": server.replicas,
                "selector": {"match_labels": dict(server.selector)},
                "progress_deadline_seconds": deadline,
                "strategy": {
                    "type": "RollingUpdate",
                    "rolling_update": {"max_surge": server.max_surge, "max_unavailable": server.max_unavailable},
                },
                "template": cast(Any, pod_template(server.pod)),
            },
            opts=child(
                self,
                depends_on=[*after, account],
                deleted_with=deleted_with,
                timeouts=pulumi.CustomTimeouts(create=seconds, update=seconds),
            ),
        )
        if plan.direct_service is not None:
            # A load balancer owns Google Cloud parts: it is deleted by itself, never together with the cluster.
            kubernetes.core.v1.Service(
                plan.direct_service,
                metadata=metadata | {"name": plan.direct_service},
                spec={
                    "type": "LoadBalancer",
                    "selector": dict(server.selector),
                    "ports": [{"name": "http", "port": PORT, "target_port": PORT, "protocol": "TCP"}],
                },
                opts=child(self, depends_on=[*after, self.deployment]),
            )
        self.register_outputs({})
