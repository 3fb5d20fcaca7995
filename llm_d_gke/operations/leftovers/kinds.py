"""Kinds of resources that a stack or GKE's controllers make, with API, price and the command that removes one.

Compute Engine's collections: cloud.google.com/compute/docs/reference/rest/v1. The order is the one in which they can be
deleted: what refers to something else comes before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Kind:
    """`path` is below the API's host, with `{project}` and `{region}`; `items` is the key of the list in an answer.

    `scope` is the grouping of an answer of Compute Engine: by location (aggregated) or not. `refers` names fields that
    hold links to other resources of a load balancer. `price` is an item of catalog/prices.yaml, by unit or by GiB.
    `gcloud` is the group of the command.
    """

    title: str
    path: str
    gcloud: str
    api: str = "compute"
    items: str = "items"
    scope: Literal["aggregated", "global", "listed"] = "aggregated"
    refers: tuple[str, ...] = ()
    price: str | None = None
    graph: str | None = None  # Pulumi's type of the resources of this kind that the stack itself creates

    @property
    def host(self) -> str:
        return f"{self.api}.googleapis.com"


def _compute(title: str, collection: str, gcloud: str, **more: object) -> Kind:
    return Kind(
        title=title,
        path=f"/compute/v1/projects/{{project}}/aggregated/{collection}",
        gcloud=f"compute {gcloud}",
        **more,  # type: ignore[arg-type]
    )


def _global(title: str, collection: str, gcloud: str, **more: object) -> Kind:
    return Kind(
        title=title,
        path=f"/compute/v1/projects/{{project}}/global/{collection}",
        gcloud=f"compute {gcloud}",
        scope="global",
        **more,  # type: ignore[arg-type]
    )


UNMANAGED = "unmanaged instance group"

KINDS: tuple[Kind, ...] = (
    Kind(
        title="cluster",
        path="/v1/projects/{project}/locations/-/clusters",
        gcloud="container clusters",
        api="container",
        items="clusters",
        scope="listed",
        price="cluster",
        graph="gcp:container/cluster:Cluster",
    ),
    Kind(
        title="fleet membership",
        path="/v1/projects/{project}/locations/-/memberships",
        gcloud="container fleet memberships",
        api="gkehub",
        items="resources",
        scope="listed",
        graph="gcp:gkehub/membership:Membership",
    ),
    Kind(
        title="route extension",
        path="/v1/projects/{project}/locations/{region}/lbRouteExtensions",
        gcloud="service-extensions lb-route-extensions",
        api="networkservices",
        items="lbRouteExtensions",
        scope="listed",
        refers=("forwardingRules", "extensionChains"),
    ),
    Kind(
        title="traffic extension",
        path="/v1/projects/{project}/locations/{region}/lbTrafficExtensions",
        gcloud="service-extensions lb-traffic-extensions",
        api="networkservices",
        items="lbTrafficExtensions",
        scope="listed",
        refers=("forwardingRules", "extensionChains"),
    ),
    _compute(
        "forwarding rule",
        "forwardingRules",
        "forwarding-rules",
        refers=("target", "backendService", "IPAddress"),
        price="forwarding-rule-further",
    ),
    _compute("TCP proxy", "targetTcpProxies", "target-tcp-proxies", refers=("service",)),
    _global("TLS proxy", "targetSslProxies", "target-ssl-proxies", refers=("service", "sslCertificates")),
    _compute("target pool", "targetPools", "target-pools", refers=("healthChecks",)),
    _compute("HTTP proxy", "targetHttpProxies", "target-http-proxies", refers=("urlMap",)),
    _compute("HTTPS proxy", "targetHttpsProxies", "target-https-proxies", refers=("urlMap", "sslCertificates")),
    _compute("URL map", "urlMaps", "url-maps", refers=("defaultService", "pathMatchers")),
    _compute("backend service", "backendServices", "backend-services", refers=("backends", "healthChecks")),
    _compute("health check", "healthChecks", "health-checks"),
    _global("legacy health check", "httpHealthChecks", "http-health-checks"),
    _compute("network endpoint group", "networkEndpointGroups", "network-endpoint-groups"),
    _compute("TLS certificate", "sslCertificates", "ssl-certificates"),
    _compute("SSL policy", "sslPolicies", "ssl-policies", graph="gcp:compute/regionSslPolicy:RegionSslPolicy"),
    _compute(
        "security policy",
        "securityPolicies",
        "security-policies",
        graph="gcp:compute/regionSecurityPolicy:RegionSecurityPolicy",
    ),
    _compute("instance group", "instanceGroupManagers", "instance-groups managed"),
    # A managed group is in both lists; `match` drops it from this one.
    _compute(UNMANAGED, "instanceGroups", "instance-groups unmanaged"),
    _compute("instance", "instances", "instances"),
    _compute("instance template", "instanceTemplates", "instance-templates"),
    _compute("disk", "disks", "disks", price="pd-balanced"),
    _global("snapshot", "snapshots", "snapshots"),
    _compute(
        "placement policy",
        "resourcePolicies",
        "resource-policies",
        graph="gcp:compute/resourcePolicy:ResourcePolicy",
    ),
    _compute("address", "addresses", "addresses", price="static-address-unused", graph="gcp:compute/address:Address"),
    _global("firewall rule", "firewalls", "firewall-rules", graph="gcp:compute/firewall:Firewall"),
    _global("route", "routes", "routes"),
    _compute("router", "routers", "routers", price="nat-gateway", graph="gcp:compute/router:Router"),
    _compute("subnet", "subnetworks", "networks subnets", graph="gcp:compute/subnetwork:Subnetwork"),
    _global("network", "networks", "networks", graph="gcp:compute/network:Network"),
    Kind(
        title="service account",
        path="/v1/projects/{project}/serviceAccounts",
        gcloud="iam service-accounts",
        api="iam",
        items="accounts",
        scope="listed",
        graph="gcp:serviceaccount/account:Account",
    ),
    Kind(
        title="secret",
        path="/v1/projects/{project}/secrets",
        gcloud="secrets",
        api="secretmanager",
        items="secrets",
        scope="listed",
        graph="gcp:secretmanager/secret:Secret",
    ),
    Kind(
        title="managed certificate",
        path="/v1/projects/{project}/locations/-/certificates",
        gcloud="certificate-manager certificates",
        api="certificatemanager",
        items="certificates",
        scope="listed",
        graph="gcp:certificatemanager/certificate:Certificate",
    ),
    Kind(
        title="certificate map",
        path="/v1/projects/{project}/locations/global/certificateMaps",
        gcloud="certificate-manager maps",
        api="certificatemanager",
        items="certificateMaps",
        scope="listed",
    ),
    Kind(
        title="DNS authorization",
        path="/v1/projects/{project}/locations/-/dnsAuthorizations",
        gcloud="certificate-manager dns-authorizations",
        api="certificatemanager",
        items="dnsAuthorizations",
        scope="listed",
    ),
    Kind(
        title="alert",
        path="/v3/projects/{project}/alertPolicies",
        gcloud="monitoring policies",
        api="monitoring",
        items="alertPolicies",
        scope="listed",
        graph="gcp:monitoring/alertPolicy:AlertPolicy",
    ),
    Kind(
        title="dashboard",
        path="/v1/projects/{project}/dashboards",
        gcloud="monitoring dashboards",
        api="monitoring",
        items="dashboards",
        scope="listed",
        graph="gcp:monitoring/dashboard:Dashboard",
    ),
    Kind(
        title="DNS zone",
        path="/dns/v1/projects/{project}/managedZones",
        gcloud="dns managed-zones",
        api="dns",
        items="managedZones",
        scope="listed",
        graph="gcp:dns/managedZone:ManagedZone",
    ),
)

_LAST_PART = "TLS certificate"
_PARTS = [kind.title for kind in KINDS].index(_LAST_PART) + 1

# Kinds that make up a load balancer: whatever one of them refers to belongs to the same one.
LOAD_BALANCER: Mapping[str, Kind] = {kind.title: kind for kind in KINDS[1:_PARTS]}
