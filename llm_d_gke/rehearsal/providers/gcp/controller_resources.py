"""Resources that GKE's controllers create in Google Cloud, and those that a deleted cluster leaves behind.

Load balancers belong to Gateways, disks to volumes: a controller in the cluster creates them and removes them when the
object is deleted. A cluster that is deleted first takes its controllers along, and they stay. GKE itself removes the
firewall rules, instance groups and machines of the cluster. Sources: cloud.google.com/kubernetes-engine/docs/how-to/
deleting-a-cluster; reports of networks that could not be deleted (terraform-google-kubernetes-engine#2411,
pulumi-kubernetes#1787: network endpoint groups and firewall rules of Gateways).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.providers.gcp.kinds import hash_of
from llm_d_gke.rehearsal.providers.gcp.store import Record

# Prefix of the tokens of records that no stack declares: `gke:compute/forwardingRules`.
PREFIX: Final = "gke:compute/"
# The classes that Google's controller implements. Istio's Gateway has a Service of type LoadBalancer instead.
_CLASS_PREFIX: Final = "gke-l7-"
_ISTIO: Final = "istio"
_INTERNAL: Final = "networking.gke.io/load-balancer-type"
_GATEWAY_API: Final = "gateway.networking.k8s.io/v1"
_LINK: Final = "https://www.googleapis.com/compute/v1/"

Manifest = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Site:
    """Where a cluster is: names of Google's resources contain them."""

    cluster: str
    project: str
    region: str
    zone: str
    network: str  # link


@dataclass(frozen=True)
class ControllerResource:
    """One resource: its collection in Compute Engine's API, its path, and its properties."""

    collection: str
    id: str
    record: Record

    @property
    def token(self) -> str:
        return f"{PREFIX}{self.collection}"

    @property
    def link(self) -> str:
        return str(self.record["selfLink"])


def left_by_cluster(paths: StackPaths, cluster: Record, region: str) -> list[ControllerResource]:
    """What stays when the cluster is deleted now: load balancers and disks of objects that still exist."""
    from llm_d_gke.kube import KubeError
    from llm_d_gke.rehearsal.cluster_client import client

    if not paths.kubeconfig.exists():
        return []
    try:
        with client(paths) as kube:
            gateways = kube.list(_GATEWAY_API, "Gateway") if kube.serves(_GATEWAY_API, "Gateway") else []
            routes = kube.list(_GATEWAY_API, "HTTPRoute") if gateways else []
            services = kube.list("v1", "Service")
            volumes = kube.list("v1", "PersistentVolume")
    except KubeError:
        return []
    site = site_of(cluster, region)
    return [
        *load_balancers(gateways, routes, site),
        *service_load_balancers([*services, *istio_services(gateways)], site),
        *disks(volumes, site),
    ]


def site_of(cluster: Record, region: str) -> Site:
    location = str(cluster["location"])
    network = str(cluster.get("network") or "default")
    project = str(cluster["project"])
    if "/" not in network:
        network = f"projects/{project}/global/networks/{network}"
    return Site(
        cluster=str(cluster["name"]),
        project=project,
        region=region,
        zone=location if location != region else f"{region}-a",
        network=network if network.startswith("https://") else f"{_LINK}{network}",
    )


def load_balancers(
    gateways: Sequence[Manifest], routes: Sequence[Manifest], site: Site
) -> Iterator[ControllerResource]:
    """The parts of each Gateway's load balancer, in the order in which Google accepts their deletion."""
    for gateway in gateways:
        if not str(gateway["spec"].get("gatewayClassName", "")).startswith(_CLASS_PREFIX):
            continue
        about = gateway["metadata"]
        own = f"{about['namespace']}-{about['name']}"
        backends = [_backend(*backend, site) for backend in sorted(_backends(gateway, routes))]
        services = [service for service, _, _ in backends]
        url_map = _regional(site, "urlMaps", own, {"defaultService": services[0].link if services else None})
        fronts: list[ControllerResource] = []
        for listener in gateway["spec"].get("listeners") or ():
            secure = listener.get("protocol") == "HTTPS"
            collection = "targetHttpsProxies" if secure else "targetHttpProxies"
            proxy = _regional(site, collection, f"{own}-{listener['name']}", {"urlMap": url_map.link})
            rule = {"target": proxy.link, "network": site.network, "portRange": str(listener["port"])}
            fronts += [_regional(site, "forwardingRules", f"{own}-{listener['name']}", rule), proxy]
        yield from sorted(fronts, key=lambda resource: resource.collection != "forwardingRules")
        yield url_map
        for parts in zip(*backends, strict=True):
            yield from parts
        name = f"gkegw1-l7-{site.network.rpartition('/')[2]}-{site.region}"
        yield _resource(site, "firewalls", "global", name, {"network": site.network})


def istio_services(gateways: Sequence[Manifest]) -> Iterator[Manifest]:
    """The Services that Istio's control plane, which does not run here, creates for its Gateways."""
    for gateway in gateways:
        about = gateway["metadata"]
        if gateway["spec"].get("gatewayClassName") == _ISTIO:
            name = f"{about['name']}-{_ISTIO}"
            annotations = (gateway["spec"].get("infrastructure") or {}).get("annotations") or {}
            metadata = {"namespace": about["namespace"], "name": name, "annotations": annotations}
            yield {"metadata": metadata, "spec": {"type": "LoadBalancer"}}


def service_load_balancers(services: Sequence[Manifest], site: Site) -> Iterator[ControllerResource]:
    """The parts of the passthrough load balancers of Services, named after a uid (kubernetes/cloud-provider-gcp)."""
    exposed = [service for service in services if service["spec"].get("type") == "LoadBalancer"]
    own = hash_of(site.cluster, 16)
    check = _resource(site, "httpHealthChecks", "global", f"k8s-{own}-node", {})
    tags = {"network": site.network, "targetTags": [f"gke-{site.cluster}-{hash_of(site.cluster)}-node"]}
    region = f"regions/{site.region}"
    for service in exposed:
        about = service["metadata"]
        title = f"{about['namespace']}/{about['name']}"
        name = f"a{hash_of(site.cluster + title, 31)}"
        described = {"description": json.dumps({"kubernetes.io/service-name": title}), "region": site.region}
        pool = _resource(site, "targetPools", region, name, {**described, "healthChecks": [check.link]})
        internal = {"network": site.network} if (about.get("annotations") or {}).get(_INTERNAL) == "Internal" else {}
        yield _resource(site, "forwardingRules", region, name, {**described, "target": pool.link, **internal})
        yield pool
        yield _resource(
            site, "firewalls", "global", f"k8s-fw-{name}", {**tags, "description": described["description"]}
        )
    if exposed:
        yield check
        description = json.dumps({"kubernetes.io/cluster-id": own})
        yield _resource(site, "firewalls", "global", f"k8s-{own}-node-http-hc", {**tags, "description": description})


def disks(volumes: Sequence[Manifest], site: Site) -> Iterator[ControllerResource]:
    """The disks of volumes that Compute Engine's CSI driver created."""
    for volume in volumes:
        source = volume["spec"].get("csi") or {}
        if source.get("driver") == "pd.csi.storage.gke.io":
            size = str((volume["spec"].get("capacity") or {}).get("storage", "0")).removesuffix("Gi")
            body = {"labels": {"goog-k8s-cluster-name": site.cluster}, "sizeGb": size}
            yield _resource(site, "disks", f"zones/{site.zone}", volume["metadata"]["name"], body)


def _backends(gateway: Manifest, routes: Sequence[Manifest]) -> set[tuple[str, str]]:
    """Namespace and name of the Services and pools that routes of a Gateway lead to."""
    about = gateway["metadata"]
    return {
        (reference.get("namespace") or route["metadata"]["namespace"], reference["name"])
        for route in routes
        for parent in route["spec"].get("parentRefs") or ()
        if (parent.get("namespace") or route["metadata"]["namespace"], parent["name"])
        == (about["namespace"], about["name"])
        for rule in route["spec"].get("rules") or ()
        for reference in rule.get("backendRefs") or ()
    }


def _backend(
    namespace: str, name: str, site: Site
) -> tuple[ControllerResource, ControllerResource, ControllerResource]:
    """Back end, health check and endpoint group of one Service or pool."""
    title = f"{namespace}-{name}"
    check = _regional(site, "healthChecks", title, {})
    group_name = f"k8s1-{hash_of(site.cluster)}-{title}"[:54] + f"-{hash_of(title)}"
    group = _resource(
        site, "networkEndpointGroups", f"zones/{site.zone}", group_name, {"network": site.network, "zone": site.zone}
    )
    body = {"backends": [{"group": group.link}], "healthChecks": [check.link]}
    return _regional(site, "backendServices", title, body), check, group


def _regional(site: Site, collection: str, title: str, body: Record) -> ControllerResource:
    """A regional part of a Gateway, named as GKE names them: prefix, hash of the cluster, namespace and name, hash."""
    name = f"gkegw1-{hash_of(site.cluster, 4)}-{title}"[:50] + f"-{hash_of(site.cluster + title, 12)}"
    return _resource(site, collection, f"regions/{site.region}", name, {"region": site.region, **body})


def _resource(site: Site, collection: str, scope: str, name: str, body: Record) -> ControllerResource:
    path = f"projects/{site.project}/{scope}/{collection}/{name}"
    return ControllerResource(collection, path, {"name": name, "selfLink": f"{_LINK}{path}", **body})
