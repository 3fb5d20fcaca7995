"""vLLM: service account, workload, and the optional load balancer that bypasses the Gateway."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_gcp as gcp
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.apps import v1 as apps

from llm_d_gke.components.cluster_service import service_port
from llm_d_gke.components.disruption import disruption_budget
from llm_d_gke.components.instance import Component, named
from llm_d_gke.components.metadata import metadata
from llm_d_gke.components.options import child
from llm_d_gke.components.pods import deployment_spec
from llm_d_gke.components.scope import ClusterScope
from llm_d_gke.components.serving.leader_worker_set import claim_template, leader_worker_set, owned_replicas
from llm_d_gke.planning.plan.serving import ModelServerPlan
from llm_d_gke.planning.serving.startup import NODE_SECONDS


class ModelServer(Component):
    """The vLLM replicas of one model in one role.

    `up` waits until they are ready: for a node, the image, the weights and compilation.
    """

    # A Deployment, or a LeaderWorkerSet if a replica spans several hosts.
    workload: pulumi.Resource

    def __init__(
        self,
        server: ModelServerPlan,
        scope: ClusterScope,
        depends_on: Sequence[pulumi.Resource],
    ) -> None:
        super().__init__("llm-d:inference:ModelServer", server.name, scope.opts)
        namespace = scope.namespace
        options = scope.deleted_with_cluster(self, depends_on)
        needed = pod_needs(self, server, scope, depends_on)
        deadline = server.start_up_seconds + NODE_SECONDS
        seconds = f"{deadline + 300}s"
        workload = child(
            self,
            # Deleted separately from the cluster, like the picker's Deployment.
            depends_on=[*depends_on, *needed],
            timeouts=pulumi.CustomTimeouts(create=seconds, update=seconds),
        )
        if server.scaling is not None:
            # The number of replicas is the autoscaler's after the first `up`.
            workload = pulumi.ResourceOptions.merge(workload, pulumi.ResourceOptions(ignore_changes=["spec.replicas"]))
        if server.group is not None:
            self.workload = leader_worker_set(server, server.group, namespace, workload)
        else:
            spec = deployment_spec(
                server.replicas,
                server.selector,
                server.pod,
                max_surge=server.max_surge,
                max_unavailable=server.max_unavailable,
                progress_deadline=deadline,
            )
            spec.template = self.instance.resolved(spec.template)
            self.workload = apps.Deployment(
                named(server.name, workload),
                metadata=metadata(server.name, namespace, labels=server.selector, annotations=owned_replicas(server)),
                spec=spec,
                opts=workload,
            )
        disruption_budget(server.name, namespace, server.selector, server.most_replicas, options)
        direct_load_balancer(self, server, namespace, [*depends_on, self.workload])
        self.register_outputs({})


def pod_needs(
    parent: pulumi.Resource, server: ModelServerPlan, scope: ClusterScope, depends_on: Sequence[pulumi.Resource]
) -> list[pulumi.Resource]:
    """Create what a model's pods need: service account, access to the weights, chat template, template of claims."""
    options = scope.deleted_with_cluster(parent, depends_on)
    account = kubernetes.core.v1.ServiceAccount(
        named(server.service_account, parent),
        metadata=metadata(server.service_account, scope.namespace, labels=server.selector),
        automount_service_account_token=False,
        opts=options,
    )
    # The project's workload identity pool exists from its first cluster on. IAM refuses the member before that.
    granted = child(parent, depends_on=depends_on)
    member = f"serviceAccount:{scope.workload_pool}[{scope.namespace}/{server.service_account}]"
    grants: list[pulumi.Resource] = [
        gcp.storage.BucketIAMMember(
            # By bucket: a grant that moved to another name would be deleted after it was given again, and be gone.
            named(f"{server.name}-bucket-{bucket}", granted),
            bucket=bucket,
            # Lists and reads objects of this bucket, which is enough for a read-only mount by the FUSE driver.
            role="roles/storage.objectViewer",
            member=member,
            opts=pulumi.ResourceOptions.merge(
                granted, pulumi.ResourceOptions(aliases=[pulumi.Alias(name=named(earlier, granted))])
            ),
        )
        for bucket, earlier in zip(server.buckets, _earlier_grants(server), strict=True)
    ]
    if server.workload_identity_secret is not None:
        grants.append(
            gcp.secretmanager.SecretIamMember(
                named(f"{server.name}-token", granted),
                project=scope.project,
                secret_id=server.workload_identity_secret,
                role="roles/secretmanager.secretAccessor",
                member=member,
                opts=granted,
            )
        )
    template = server.chat_template
    if template is not None:
        grants.append(
            kubernetes.core.v1.ConfigMap(
                named(template.name, parent),
                metadata=metadata(template.name, scope.namespace, labels=server.selector),
                data={template.key: template.content},
                opts=options,
            )
        )
    if server.claim_template is not None:
        grants.append(claim_template(server.claim_template, scope.namespace, dict(server.selector), options))
    return [account, *grants]


def _earlier_grants(server: ModelServerPlan) -> list[str]:
    """Logical names, by position, that grants on buckets have in states of older versions."""
    return [f"{server.name}-bucket{f'-{number}' if number > 1 else ''}" for number in range(1, len(server.buckets) + 1)]


def direct_load_balancer(
    parent: pulumi.Resource, server: ModelServerPlan, namespace: str, depends_on: Sequence[pulumi.Resource]
) -> None:
    """Create the Service of type LoadBalancer that bypasses the Gateway, if planned."""
    if server.direct_service is None:
        return
    # A load balancer owns Google Cloud resources, so it is deleted separately from the cluster.
    kubernetes.core.v1.Service(
        named(server.direct_service, parent),
        metadata=metadata(
            server.direct_service, namespace, labels=server.selector, annotations=server.direct_annotations
        ),
        spec=kubernetes.core.v1.ServiceSpecArgs(
            type="LoadBalancer",
            load_balancer_source_ranges=list(server.direct_sources),
            selector=dict(server.serving_selector),
            ports=[
                service_port(
                    port.name,
                    port.number,
                    port.number,
                    app_protocol="https" if server.protocol == "https" else None,
                )
                for port in server.serving_ports
            ],
        ),
        opts=child(parent, depends_on=depends_on),
    )
