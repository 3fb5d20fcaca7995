"""Reserved address, Gateway, and the routes to the pools."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pulumi
import pulumi_gcp as gcp
import pulumi_kubernetes as kubernetes

from llm_d_gke.components.custom_resources.base import custom_resource
from llm_d_gke.components.custom_resources.gateway_api import (
    Address,
    CertificateRef,
    GatewaySpec,
    Header,
    HeaderChange,
    HeaderMatch,
    HttpRouteSpec,
    ImportBackendRef,
    Infrastructure,
    Listener,
    ListenerTls,
    Match,
    NewPath,
    ParametersRef,
    ParentRef,
    PathMatch,
    PoolBackendRef,
    RedirectFilter,
    ResponseHeaderFilter,
    RewriteFilter,
    Rule,
    ServiceBackendRef,
    Timeouts,
    UrlRewrite,
)
from llm_d_gke.components.infrastructure.network import NetworkResources
from llm_d_gke.components.infrastructure.services import ProjectServices
from llm_d_gke.components.instance import Component, named
from llm_d_gke.components.metadata import metadata, wait_for
from llm_d_gke.components.options import child
from llm_d_gke.components.routing.edge import create_gateway_guards
from llm_d_gke.components.scope import ClusterScope
from llm_d_gke.planning.plan.routing import HTTP_PORT, FleetPlan, GatewayPlan, RoutePlan, RouteRulePlan

EPHEMERAL = "networking.gke.io/ephemeral-ipv4-address"

_OWN, _OF_FLEET = "llm-d:gateway:InferenceGateway", "llm-d:gateway:FleetGateway"

# A regional load balancer takes 2 to 5 minutes. Its deletion waits for its parts.
_TIMEOUTS = pulumi.CustomTimeouts(create="30m", update="30m", delete="30m")


class InferenceGateway(Component):
    """A load balancer with a reserved address, which exists before the Gateway and survives its replacement."""

    gateway: kubernetes.apiextensions.CustomResource
    ready: list[pulumi.Resource]
    address: pulumi.Output[str]
    # What backends refer to by name.
    guards: list[pulumi.Resource]

    def __init__(
        self,
        plan: GatewayPlan,
        network: NetworkResources,
        services: ProjectServices,
        provider: pulumi.ProviderResource,
        scope: ClusterScope,
        depends_on: Sequence[pulumi.Resource],
    ) -> None:
        super().__init__(_OWN, "gateway", _also_called(_OF_FLEET, scope.opts))
        reserved = self._address(plan, scope.project, network, [*services.services, provider])
        self.address = reserved.address
        gke_managed = plan.implementation == "gke"
        self.guards = create_gateway_guards(self, plan, scope, [*services.services, *depends_on])
        # Without the proxy-only subnet the Gateway is accepted but never gets an address.
        depends_on = [*network.proxies, *depends_on, *self.guards]
        infrastructure = None
        if plan.pods:
            depends_on = [*depends_on, self._parameters(plan, scope.namespace, depends_on)]
            infrastructure = Infrastructure(
                annotations=dict(plan.annotations) or None, parameters_ref=ParametersRef(name=_parameters_of(plan))
            )
        self.gateway = custom_resource(
            "gateway",
            GatewaySpec(
                gateway_class_name=plan.class_name,
                addresses=[Address(value=plan.address)] if gke_managed else None,
                infrastructure=infrastructure,
                listeners=_listeners(plan),
            ),
            metadata=metadata(plan.name, scope.namespace, annotations=wait_for("condition=Programmed")),
            # Istio sets it on the Service of its proxies, which accepts only numeric addresses.
            late=None if gke_managed else {"addresses": [{"type": "IPAddress", "value": self.address}]},
            opts=_gateway_options(
                self,
                [reserved, *services.services, *depends_on],
                # Google deletes no address or subnet that a load balancer uses: the Gateway goes before it is replaced.
                [*([reserved] if plan.create_address else []), *network.proxies],
            ),
        )
        self.ready = [self.gateway]
        if plan.edge.redirect:
            self._redirect(plan, scope.namespace)
        self.register_outputs({"address": self.address})

    def _redirect(self, plan: GatewayPlan, namespace: str) -> pulumi.Resource:
        """Port 80 leads to HTTPS, and nowhere else: the other routes belong to the listener with the certificate."""
        return custom_resource(
            "redirect",
            HttpRouteSpec(
                parent_refs=[ParentRef(name=plan.name, section_name="http")],
                hostnames=[plan.hostname] if plan.hostname else None,
                rules=[Rule(filters=[RedirectFilter()])],
            ),
            metadata=metadata("redirect-to-https", namespace),
            opts=child(self, depends_on=[self.gateway]),
        )

    def _parameters(
        self, plan: GatewayPlan, namespace: str, depends_on: Sequence[pulumi.Resource]
    ) -> kubernetes.core.v1.ConfigMap:
        return kubernetes.core.v1.ConfigMap(
            named("gateway-parameters", self),
            metadata=metadata(_parameters_of(plan), namespace),
            # JSON is YAML as well.
            data={
                "deployment": json.dumps(plan.pods),
                **({"service": json.dumps(plan.service)} if plan.service else {}),
            },
            opts=child(self, depends_on=depends_on),
        )

    def _address(
        self, plan: GatewayPlan, project: str, network: NetworkResources, depends_on: Sequence[pulumi.Resource]
    ) -> gcp.compute.Address:
        """The address. It depends on the Gateway's provider as the proxy-only subnets do."""
        if not plan.create_address:
            identifier = f"projects/{project}/regions/{plan.region}/addresses/{plan.address}"
            return gcp.compute.Address.get(named("existing", self), identifier, opts=child(self))
        return gcp.compute.Address(
            named("address", self),
            name=plan.address,
            region=plan.region,
            address_type="EXTERNAL" if plan.external else "INTERNAL",
            # Addresses of this purpose can be shared by the forwarding rules of several ports.
            purpose=None if plan.external else "SHARED_LOADBALANCER_VIP",
            subnetwork=None if plan.external else network.subnetwork,
            opts=child(self, depends_on=depends_on),
        )


class FleetGateway(Component):
    """A load balancer across the regions of a fleet, with an ephemeral address in each.

    Only the config cluster has it. Google chooses the addresses: `kubectl get gateway` shows them.
    """

    # The Gateway; empty in a member's cluster.
    ready: list[pulumi.Resource]
    address: pulumi.Output[str]
    guards: list[pulumi.Resource]

    def __init__(
        self,
        plan: GatewayPlan,
        fleet: FleetPlan,
        proxies: Sequence[pulumi.Resource],
        scope: ClusterScope,
        depends_on: Sequence[pulumi.Resource],
    ) -> None:
        super().__init__(_OF_FLEET, "gateway", _also_called(_OWN, scope.opts))
        self.address, self.guards = pulumi.Output.from_input(""), []
        self.ready = []
        if fleet.config:
            spec = GatewaySpec(
                gateway_class_name=plan.class_name,
                addresses=[Address(type=f"{EPHEMERAL}/{region}", value=region) for region in fleet.regions],
                listeners=_listeners(plan),
            )
            self.ready.append(
                custom_resource(
                    "gateway",
                    spec,
                    metadata=metadata(plan.name, scope.namespace, annotations=wait_for("condition=Programmed")),
                    opts=_gateway_options(self, depends_on, proxies),
                )
            )
        self.register_outputs({})


def _also_called(other: str, opts: pulumi.ResourceOptions) -> pulumi.ResourceOptions:
    """Options of the component of a Gateway that takes over the objects of the other one, which have the same names."""
    return pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(aliases=[pulumi.Alias(type_=other)]))


def _gateway_options(
    parent: pulumi.Resource, depends_on: Sequence[pulumi.Resource], replaced_after: Sequence[pulumi.Resource]
) -> pulumi.ResourceOptions:
    """Options of a Gateway that is deleted before it, or what it needs of `replaced_after`, is replaced.

    The controller of its old class removes what it made only for a Gateway that is deleted.
    """
    return pulumi.ResourceOptions.merge(
        child(parent, depends_on=depends_on, timeouts=_TIMEOUTS),
        pulumi.ResourceOptions(
            delete_before_replace=True,
            replace_on_changes=["spec.gatewayClassName"],
            replace_with=list(replaced_after),
        ),
    )


class InferenceRoute(Component):
    """HTTPRoute from the Gateway to pools, and to the Service for requests that no pool serves."""

    route: kubernetes.apiextensions.CustomResource

    def __init__(
        self,
        plan: RoutePlan,
        gateway: GatewayPlan,
        scope: ClusterScope,
        depends_on: Sequence[pulumi.Resource],
    ) -> None:
        super().__init__("llm-d:gateway:InferenceRoute", plan.name, scope.opts)
        accepted = "jsonpath={.status.parents[*].conditions[?(@.type=='Accepted')].status}=True"
        resolved = "jsonpath={.status.parents[*].conditions[?(@.type=='ResolvedRefs')].status}=True"
        self.route = custom_resource(
            plan.name,
            HttpRouteSpec(
                parent_refs=[
                    ParentRef(name=gateway.name, section_name=gateway.listener if gateway.edge.redirect else None)
                ],
                hostnames=[gateway.hostname] if gateway.hostname else None,
                rules=[_rule(rule, gateway.edge.hsts_seconds, gateway.fleet) for rule in plan.rules],
            ),
            metadata=metadata(
                plan.name,
                scope.namespace,
                annotations=None if plan.early else wait_for(accepted, resolved),
            ),
            opts=child(self, depends_on=depends_on, timeouts=_TIMEOUTS),
        )
        self.register_outputs({})


def _parameters_of(plan: GatewayPlan) -> str:
    return f"{plan.name}-config"


def _rule(plan: RouteRulePlan, hsts_seconds: int, fleet: FleetPlan | None) -> Rule:
    headers = [HeaderMatch(name=plan.header[0], value=plan.header[1])] if plan.header is not None else None
    matches = [
        Match(path=PathMatch(value=path.value, type="PathPrefix" if path.prefix else "Exact"), headers=headers)
        for path in plan.paths
    ]
    pool_ref = PoolBackendRef if fleet is None else ImportBackendRef
    backends: list[PoolBackendRef | ImportBackendRef | ServiceBackendRef] = []
    backends += [pool_ref(name=name, weight=weight) for name, weight in plan.pools]
    if plan.service is not None:
        backends.append(ServiceBackendRef(name=plan.service[0], port=plan.service[1]))
    filters: list[RewriteFilter | RedirectFilter | ResponseHeaderFilter] = []
    if plan.rewrite is not None:
        filters.append(RewriteFilter(url_rewrite=UrlRewrite(path=NewPath(replace_prefix_match=plan.rewrite))))
    if hsts_seconds:
        header = Header(name="Strict-Transport-Security", value=f"max-age={hsts_seconds}")
        filters.append(ResponseHeaderFilter(response_header_modifier=HeaderChange(set=[header])))
    timeouts = Timeouts(request=f"{plan.timeout_seconds}s") if plan.timeout_seconds is not None else None
    return Rule(matches=matches, filters=filters or None, backend_refs=backends, timeouts=timeouts)


def _listeners(plan: GatewayPlan) -> list[Listener]:
    tls = None
    if plan.tls is not None:
        refs = [CertificateRef(name=plan.tls.secret)] if plan.tls.secret else None
        tls = ListenerTls(certificate_refs=refs, options=dict(plan.tls.options) or None)
    listeners = [Listener(name=plan.listener, port=plan.port, protocol=plan.protocol, hostname=plan.hostname, tls=tls)]
    if plan.edge.redirect:
        listeners.append(Listener(name="http", port=HTTP_PORT, protocol="HTTP", hostname=plan.hostname))
    return listeners
