"""Namespaces of controllers: their Pod Security level, their bounds, and the traffic that they need.

Controllers talk to the API server and answer its webhooks; on GKE both cross the network from addresses that differ
with the kind of cluster. The ports of their webhooks are open to all sources; outward only HTTPS and DNS are open.
Ports: charts/lws of kubernetes-sigs/lws v0.9.0, charts/kserve-llmisvc-resources of kserve/kserve v0.20.0,
deploy/charts/cert-manager of cert-manager v1.20.2, keda of kedacore/charts v2.20.2,
istio.io/latest/docs/ops/deployment/application-requirements.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from llm_d_gke.planning.plan.platform import ChartPlan, NamespacePlan
from llm_d_gke.planning.plan.routing import AccessPlan, NetworkPolicyPlan, PeerPlan
from llm_d_gke.planning.platform.helm_releases import KEDA_NAMESPACE
from llm_d_gke.planning.platform.istio import ISTIO_NAMESPACE

# Ports that pods of a namespace answer on, beside the kubelet's probes, which always pass. Istio: configuration of
# proxies (15012) and webhooks (15017). KEDA: the external metrics API (6443), webhooks, and the operator's
# values for that API (9666).
_PORTS: Mapping[str, tuple[int, ...]] = {
    "lws-system": (9443,),
    "kserve": (9443,),
    "cert-manager": (10250,),
    ISTIO_NAMESPACE: (15012, 15017),
    KEDA_NAMESPACE: (6443, 9443, 9666),
}
_ANYWHERE = PeerPlan(cidr="0.0.0.0/0")
_NAMES: tuple[tuple[Literal["UDP", "TCP"], int], ...] = (("UDP", 53), ("TCP", 53))
# cert-manager looks at its own answers to a challenge before it asks the authority to: ACME's HTTP-01.
# KEDA's metrics server reads from its operator, which gets its token from the node's metadata server (80, or 988).
_WEB: Mapping[str, tuple[int, ...]] = {"cert-manager": (80, 443), KEDA_NAMESPACE: (80, 443, 988, 9666)}

# Controllers have few pods; a hook of Helm is one for a minute. Each asks for no load balancer.
_QUOTA = {"pods": "20", "services.loadbalancers": "0"}
# Charts state CPU and memory of their own, and some leave out the rest.
_DEFAULT_LIMITS = {"ephemeral-storage": "1Gi"}
_DEFAULT_REQUESTS = {"ephemeral-storage": "64Mi"}


def plan_chart_namespaces(charts: Sequence[ChartPlan]) -> tuple[NamespacePlan, ...]:
    """The namespaces of charts that are installed, at the strictest Pod Security level that their pods keep."""
    levels: dict[str, str] = {}
    for chart in charts:
        if not chart.existing:
            levels.setdefault(chart.namespace, chart.pod_security)
        if chart.istio is not None:
            levels.setdefault(chart.istio.namespace, "restricted")
    return tuple(
        NamespacePlan(
            name=name,
            create=True,
            labels={"pod-security.kubernetes.io/enforce": level, "app.kubernetes.io/part-of": "llm-d"},
            quota=_QUOTA,
            default_limits=_DEFAULT_LIMITS,
            default_requests=_DEFAULT_REQUESTS,
        )
        for name, level in levels.items()
    )


def plan_chart_policies(
    namespaces: Sequence[NamespacePlan], *, enabled: bool
) -> Mapping[str, tuple[NetworkPolicyPlan, ...]]:
    """The policy of each namespace of controllers; none where the stack has none at all."""
    return {namespace.name: (_policy(namespace.name),) for namespace in namespaces} if enabled else {}


def _policy(namespace: str) -> NetworkPolicyPlan:
    ports = _PORTS.get(namespace, ())
    web = _WEB.get(namespace, (443,))
    return NetworkPolicyPlan(
        name="controllers",
        selector={},
        ingress=(AccessPlan(peers=(_ANYWHERE,), ports=tuple(("TCP", port) for port in ports)),) if ports else (),
        egress=(
            AccessPlan(peers=(_ANYWHERE,), ports=_NAMES),
            AccessPlan(peers=(_ANYWHERE,), ports=tuple(("TCP", port) for port in web)),
        ),
    )
