"""Controllers installed by Helm charts, and a check of the CRDs of controllers that exist already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes

from llm_d_gke.components.custom_resources.base import custom_resource
from llm_d_gke.components.custom_resources.istio import IstioSpec
from llm_d_gke.components.infrastructure.namespace_bounds import namespace_bounds
from llm_d_gke.components.infrastructure.pull_secret import pull_secret
from llm_d_gke.components.instance import Component, named
from llm_d_gke.components.metadata import metadata, wait_for
from llm_d_gke.components.network_policies import network_policy
from llm_d_gke.components.options import child
from llm_d_gke.planning.plan.platform import ChartPlan, IstioPlan, NamespacePlan
from llm_d_gke.planning.plan.routing import NetworkPolicyPlan


@dataclass(frozen=True, kw_only=True)
class Controllers:
    """Charts, the namespaces that they are installed into, and the policies of each namespace by its name."""

    charts: Sequence[ChartPlan]
    namespaces: Sequence[NamespacePlan]
    policies: Mapping[str, Sequence[NetworkPolicyPlan]]


class PlatformCharts(Component):
    """Creates one Helm release for each chart, after those that it depends on.

    Helm returns when the chart's CRDs are established, its Deployments are available and its hooks have ended; a failed
    installation is rolled back. For objects that an operator creates, `up` waits for their status. `ready` holds the
    releases, the operators' objects and the CRDs of existing controllers. Other CRDs are not read: a read CRD is stored
    in the state, and each of KServe's has almost 1 MB.
    """

    ready: list[pulumi.Resource]

    def __init__(
        self,
        plan: Controllers,
        after: Sequence[pulumi.Resource],
        deleted_with: pulumi.Resource | None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("llm-d:platform:PlatformCharts", "charts", opts)
        self._deleted_with = deleted_with
        self._after = list(after)
        self._namespaces = {
            namespace.name: self._namespace(namespace, plan.policies.get(namespace.name, ()))
            for namespace in plan.namespaces
        }
        self.ready = []
        by_name: dict[str, list[pulumi.Resource]] = {}
        for chart in plan.charts:
            dependencies = [resource for name in chart.after for resource in by_name.get(name, [])]
            by_name[chart.name] = self._existing(chart) if chart.existing else self._install(chart, dependencies)
            self.ready += by_name[chart.name]
        self.register_outputs({})

    def _namespace(self, plan: NamespacePlan, policies: Sequence[NetworkPolicyPlan]) -> list[pulumi.Resource]:
        """The namespace, with the policies and bounds that apply to its pods from their start."""
        namespace = kubernetes.core.v1.Namespace(
            named(plan.name, self),
            metadata=metadata(plan.name, labels=plan.labels),
            opts=child(self, depends_on=self._after, deleted_with=self._deleted_with),
        )
        options = child(self, depends_on=[namespace], deleted_with=namespace)
        return [
            namespace,
            *namespace_bounds(plan, options),
            *(network_policy(f"{plan.name}-{policy.name}", policy, plan.name, options) for policy in policies),
        ]

    def _install(self, plan: ChartPlan, dependencies: list[pulumi.Resource]) -> list[pulumi.Resource]:
        repository = None
        if plan.repository is not None:
            repository = kubernetes.helm.v3.RepositoryOptsArgs(repo=plan.repository)
        release = kubernetes.helm.v3.Release(
            named(plan.name, self),
            name=plan.name,
            chart=plan.chart,
            repository_opts=repository,
            version=plan.version,
            namespace=plan.namespace,
            values=dict(plan.values),
            atomic=True,
            timeout=plan.timeout_seconds,
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[*self._after, *self._namespaces[plan.namespace], *dependencies],
                deleted_with=self._deleted_with,
                retain_on_delete=plan.retain,
            ),
        )
        return [release] if plan.istio is None else [release, self._istio(plan.istio, release)]

    def _istio(self, plan: IstioPlan, operator: pulumi.Resource) -> pulumi.Resource:
        dependencies: list[pulumi.Resource] = [operator, *self._namespaces[plan.namespace]]
        if plan.pull_secret is not None and plan.pull_secret.create:
            options = child(self, depends_on=dependencies, deleted_with=self._deleted_with)
            dependencies.append(pull_secret("istio-pull-secret", plan.pull_secret, plan.namespace, options))
        return custom_resource(
            "istio",
            IstioSpec(namespace=plan.namespace, version=plan.version, values=dict(plan.values)),
            metadata=metadata(plan.name, annotations=wait_for("condition=Ready")),
            opts=child(self, depends_on=dependencies, deleted_with=self._deleted_with),
        )

    def _existing(self, plan: ChartPlan) -> list[pulumi.Resource]:
        """Read the CRDs of an existing controller, so that a missing one already fails the preview."""
        options = child(self)
        return [
            kubernetes.apiextensions.v1.CustomResourceDefinition.get(named(name, options), name, opts=options)
            for name in plan.crds
        ]
