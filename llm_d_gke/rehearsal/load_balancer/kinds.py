"""Kinds and classes of Gateway API, GKE and Istio that the load balancer reads."""

from __future__ import annotations

from llm_d_gke.kube import Manifest
from llm_d_gke.rehearsal.load_balancer.backends import POOL_GROUP

GATEWAY_API = "gateway.networking.k8s.io/v1"
GKE_GROUP = "networking.gke.io"
GKE_API = f"{GKE_GROUP}/v1"
ISTIO_API = "networking.istio.io/v1"
POOL_API = f"{POOL_GROUP}/v1"

# The class of a fleet's Gateway, and the prefix of its addresses' types, which end with a region.
FLEET_CLASS = "gke-l7-cross-regional-internal-managed-mc"
EPHEMERAL = f"{GKE_GROUP}/ephemeral-ipv4-address/"
CLASSES = ("gke-l7-regional-external-managed", "gke-l7-rilb", FLEET_CLASS)
# What a fleet's controller creates of exported pools.
IMPORT = "GCPInferencePoolImport"
ISTIO = "istio"

# The kinds that the load balancer watches, besides pods.
KINDS = (
    ("v1", "Service"),
    (GATEWAY_API, "Gateway"),
    (GATEWAY_API, "HTTPRoute"),
    (POOL_API, "InferencePool"),
    (GKE_API, IMPORT),
    (GKE_API, "HealthCheckPolicy"),
    (GKE_API, "GCPBackendPolicy"),
    (GKE_API, "GCPRoutingExtension"),
    (ISTIO_API, "DestinationRule"),
    ("networking.istio.io/v1alpha3", "EnvoyFilter"),
    ("security.istio.io/v1", "RequestAuthentication"),
    ("security.istio.io/v1", "AuthorizationPolicy"),
)


def is_istio_gateway(gateway: Manifest) -> bool:
    return bool(gateway["spec"]["gatewayClassName"] == ISTIO)
