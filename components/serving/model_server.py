"""vLLM: identity, Deployment, and the optional way in that goes past the Gateway."""

from __future__ import annotations

import pulumi
import pulumi_gcp as gcp
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.apps import v1 as apps

from components.metadata import metadata
from components.options import child
from components.serving.disruption import disruption_budget
from components.serving.leader_worker_set import claim_template, leader_worker_set
from components.serving.pods import deployment_spec
from planning.plan.serving import ModelServerPlan
from planning.serving.startup import NODE_SECONDS


class ModelServer(pulumi.ComponentResource):
    """The vLLM replicas of one model in one role.

    `up` waits until they answer: a node may have to come first, then the image, the weights and the compiler.
    """

    # A Deployment, or a LeaderWorkerSet where a replica takes several hosts.
    workload: pulumi.Resource

    def __init__(
        self,
        server: ModelServerPlan,
        namespace: str,
        project: str,
        workload_pool: str,
        after: list[pulumi.Resource],
        deleted_with: pulumi.Resource | None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("llm-d:inference:ModelServer", server.name, None, opts)
        options = child(self, depends_on=after, deleted_with=deleted_with)
        identity = server_identity(self, server, namespace, project, workload_pool, after, options)
        deadline = server.start_up_seconds + NODE_SECONDS
        seconds = f"{deadline + 300}s"
        claims: list[pulumi.Resource] = []
        if server.claim_template is not None:
            claims.append(claim_template(server.claim_template, namespace, dict(server.selector), options))
        workload = child(
            self,
            # Not deleted together with the cluster, as the picker's is not.
            depends_on=[*after, *identity, *claims],
            timeouts=pulumi.CustomTimeouts(create=seconds, update=seconds),
        )
        if server.group is not None:
            self.workload = leader_worker_set(server, server.group, namespace, workload)
        else:
            self.workload = apps.Deployment(
                server.name,
                metadata=metadata(server.name, namespace, labels=server.selector),
                spec=deployment_spec(
                    server.replicas,
                    server.selector,
                    server.pod,
                    max_surge=server.max_surge,
                    max_unavailable=server.max_unavailable,
                    progress_deadline=deadline,
                ),
                opts=workload,
            )
        disruption_budget(server.name, namespace, server.selector, server.replicas, options)
        direct_way_in(self, server, namespace, [*after, self.workload])
        self.register_outputs({})


def server_identity(
    parent: pulumi.Resource,
    server: ModelServerPlan,
    namespace: str,
    project: str,
    workload_pool: str,
    after: list[pulumi.Resource],
    options: pulumi.ResourceOptions,
) -> list[pulumi.Resource]:
    """The service account of a model's pods, and what it may read."""
    account = kubernetes.core.v1.ServiceAccount(
        server.service_account,
        metadata=metadata(server.service_account, namespace, labels=server.selector),
        automount_service_account_token=False,
        opts=options,
    )
    if server.workload_identity_secret is None:
        return [account]
    reader = gcp.secretmanager.SecretIamMember(
        f"{server.name}-token",
        project=project,
        secret_id=server.workload_identity_secret,
        role="roles/secretmanager.secretAccessor",
        member=f"serviceAccount:{workload_pool}[{namespace}/{server.service_account}]",
        # A project has its identity pool from its first cluster on: before that, the member is refused.
        opts=child(parent, depends_on=after),
    )
    return [account, reader]


def direct_way_in(
    parent: pulumi.Resource, server: ModelServerPlan, namespace: str, after: list[pulumi.Resource]
) -> None:
    """A Service of type LoadBalancer past the Gateway, where the plan has one."""
    if server.direct_service is None:
        return
    # A load balancer owns Google Cloud parts: it is deleted by itself, never together with the cluster.
    kubernetes.core.v1.Service(
        server.direct_service,
        metadata=metadata(server.direct_service, namespace, labels=server.selector),
        spec=kubernetes.core.v1.ServiceSpecArgs(
            type="LoadBalancer",
            selector=dict(server.serving_selector),
            ports=[
                kubernetes.core.v1.ServicePortArgs(
                    name=port.name,
                    port=port.number,
                    target_port=port.number,
                    protocol="TCP",
                    app_protocol="https" if server.protocol == "https" else None,
                )
                for port in server.serving_ports
            ],
        ),
        opts=child(parent, depends_on=after),
    )
