"""Controllers by their Helm charts, and the sight of their kinds before anything is made of them."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.apiextensions.v1 import CustomResourceDefinition

from components.metadata import metadata
from planning.plan import ChartPlan, NamespacePlan


class PlatformCharts(pulumi.ComponentResource):
    """One Helm release for each chart, each after those it needs.

    Helm returns when the kinds of a chart are established, its Deployments are available and its hooks have ended; a
    failed installation is taken back as a whole. `ready` are the releases and the kinds as they were seen afterwards.
    """

    ready: list[pulumi.Resource]

    def __init__(
        self,
        charts: Sequence[ChartPlan],
        namespaces: Sequence[NamespacePlan],
        after: Sequence[pulumi.Resource],
        deleted_with: pulumi.Resource | None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("llm-d:platform:PlatformCharts", "charts", None, opts)
        self._deleted_with = deleted_with
        self._after = list(after)
        self._namespaces = {plan.name: self._namespace(plan) for plan in namespaces}
        self.ready = []
        by_name: dict[str, list[pulumi.Resource]] = {}
        for plan in charts:
            before = [resource for name in plan.after for resource in by_name.get(name, [])]
            by_name[plan.name] = self._existing(plan) if plan.existing else self._install(plan, before)
            self.ready += by_name[plan.name]
        self.register_outputs({})

    def _namespace(self, plan: NamespacePlan) -> kubernetes.core.v1.Namespace:
        return kubernetes.core.v1.Namespace(
            plan.name,
            metadata=metadata(plan.name, labels=plan.labels),
            opts=pulumi.ResourceOptions(parent=self, depends_on=self._after, deleted_with=self._deleted_with),
        )

    def _install(self, plan: ChartPlan, before: list[pulumi.Resource]) -> list[pulumi.Resource]:
        release = kubernetes.helm.v3.Release(
            plan.name,
            name=plan.name,
            chart=plan.chart,
            version=plan.version,
            namespace=plan.namespace,
            values=dict(plan.values),
            atomic=True,
            timeout=plan.timeout_seconds,
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[*self._after, self._namespaces[plan.namespace], *before],
                deleted_with=self._deleted_with,
                retain_on_delete=plan.retain,
            ),
        )
        # An id that is unknown until the release is there: what does not exist yet cannot be read in a preview.
        return [release, *(self._kind(name, _once(release, name)) for name in plan.crds)]

    def _existing(self, plan: ChartPlan) -> list[pulumi.Resource]:
        """Fails in the preview already where a kind is missing."""
        return [self._kind(name, name) for name in plan.crds]

    def _kind(self, name: str, resource_id: pulumi.Input[str]) -> pulumi.Resource:
        return CustomResourceDefinition.get(name, resource_id, opts=pulumi.ResourceOptions(parent=self))


def _once(release: kubernetes.helm.v3.Release, name: str) -> pulumi.Output[str]:
    """The name, known as soon as the release is."""
    return release.status.apply(lambda _: name)
