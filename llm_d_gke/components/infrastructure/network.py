"""VPC, node subnet, proxy-only subnet, NAT."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from llm_d_gke.components.infrastructure.services import ProjectServices
from llm_d_gke.components.instance import Component, named
from llm_d_gke.components.options import SLOW_DELETE, child
from llm_d_gke.planning.plan.infrastructure import NetworkPlan


@dataclass(frozen=True, kw_only=True)
class NetworkResources:
    """The network as other components use it. Nodes have no outbound traffic before `ready` exists."""

    network: pulumi.Output[str]
    subnetwork: pulumi.Output[str]
    # Names of the secondary ranges of pods and Services.
    pod_range: pulumi.Input[str]
    service_range: pulumi.Input[str]
    ready: list[pulumi.Resource]
    # A Gateway needs those of all its regions; empty where others created them.
    proxies: list[gcp.compute.Subnetwork]


class InferenceNetwork(Component):
    """Creates the VPC, the node subnet with pod and service ranges, the proxy-only subnet, and Cloud NAT.

    A regional Gateway needs the proxy-only subnet. Without it the Gateway gets no address and stays Programmed=False.
    """

    resources: NetworkResources

    def __init__(
        self, plan: NetworkPlan, project: str, services: ProjectServices, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("llm-d:network:InferenceNetwork", "network", opts)
        if plan.create:
            network, subnetwork, ready = self._create(plan, services)
        else:
            base = f"projects/{plan.project or project}"
            network = pulumi.Output.concat(base, "/global/networks/", self.instance.text(plan.network))
            nodes = self.instance.text(plan.subnet.name)
            subnetwork = pulumi.Output.concat(base, f"/regions/{plan.region}/subnetworks/", nodes)
            ready = []
        self._plan, self._services = plan, services
        self.resources = NetworkResources(
            network=network,
            subnetwork=subnetwork,
            pod_range=self.instance.text(plan.subnet.pod_range),
            service_range=self.instance.text(plan.subnet.service_range),
            ready=ready,
            proxies=[],
        )
        self.register_outputs({"network": network, "subnetwork": subnetwork})

    def _create(
        self, plan: NetworkPlan, services: ProjectServices
    ) -> tuple[pulumi.Output[str], pulumi.Output[str], list[pulumi.Resource]]:
        network = gcp.compute.Network(
            named("network", self),
            name=plan.network,
            auto_create_subnetworks=False,
            routing_mode="REGIONAL",
            opts=child(self, depends_on=services.services, timeouts=SLOW_DELETE),
        )
        nodes = gcp.compute.Subnetwork(
            named("nodes", self),
            name=plan.subnet.name,
            network=network.id,
            region=plan.region,
            ip_cidr_range=plan.subnet.node_cidr,
            # Nodes without public addresses reach Google's APIs and registries by Private Google Access.
            private_ip_google_access=True,
            secondary_ip_ranges=[
                {"range_name": plan.subnet.pod_range, "ip_cidr_range": plan.subnet.pod_cidr},
                {"range_name": plan.subnet.service_range, "ip_cidr_range": plan.subnet.service_cidr},
            ],
            log_config=_flow_logs() if plan.flow_logs else None,
            opts=child(self, timeouts=SLOW_DELETE),
        )
        ready: list[pulumi.Resource] = [nodes]
        if plan.create_nat:
            router = gcp.compute.Router(
                named("router", self), name=plan.router, network=network.id, region=plan.region, opts=child(self)
            )
            ready.append(
                gcp.compute.RouterNat(
                    named("nat", self),
                    name=plan.nat,
                    router=router.name,
                    region=plan.region,
                    nat_ip_allocate_option="AUTO_ONLY",
                    source_subnetwork_ip_ranges_to_nat="ALL_SUBNETWORKS_ALL_IP_RANGES",
                    log_config={"enable": True, "filter": "ERRORS_ONLY"},
                    # Deleted first: a subnet can be in use by it (hashicorp/terraform-provider-google, issue 26776).
                    opts=child(self, depends_on=[nodes]),
                )
            )
        return network.id, nodes.id, ready

    def create_proxies(self, provider: pulumi.ProviderResource) -> None:
        """Create the proxy-only subnets, which a Gateway has to be deleted before.

        `provider` is the one of Gateways: Pulumi can delete them for a subnet that is replaced only if it knows their
        provider by then (findResourcesReplacedWith in pkg/resource/deploy/step_generator.go of Pulumi 3.259.0).
        """
        if self._plan.create_proxy_subnet:
            self.resources.proxies.extend(self._proxies(self._plan, provider))

    def _proxies(self, plan: NetworkPlan, provider: pulumi.Resource) -> Iterator[gcp.compute.Subnetwork]:
        others = [(f"proxies-{other.region}", other.name, other.region, other.cidr) for other in plan.other_proxies]
        own = ("proxies", plan.proxy_subnet, plan.region, plan.proxy_cidr)
        for logical_name, name, region, cidr in (own, *others):
            yield gcp.compute.Subnetwork(
                named(logical_name, self),
                name=name,
                # Subnets of a Shared VPC belong to its host project.
                project=plan.project,
                network=self.resources.network,
                region=region,
                ip_cidr_range=cidr,
                purpose=plan.proxy_purpose,
                role="ACTIVE",
                # The provider would patch a changed purpose, as when a stack joins a fleet. Google documents patches of
                # `role` only, and a region of a VPC has one active subnet of either purpose.
                opts=pulumi.ResourceOptions.merge(
                    child(self, depends_on=[*self._services.services, provider], timeouts=SLOW_DELETE),
                    pulumi.ResourceOptions(replace_on_changes=["purpose"], delete_before_replace=True),
                ),
            )


def _flow_logs() -> gcp.compute.SubnetworkLogConfigArgs:
    """Sample half of the connections, aggregated over ten minutes: enough for traffic analysis at a moderate price."""
    return gcp.compute.SubnetworkLogConfigArgs(
        aggregation_interval="INTERVAL_10_MIN", flow_sampling=0.5, metadata="INCLUDE_ALL_METADATA"
    )
