"""Namespaces of controllers: their Pod Security level, their bounds, and the traffic that they need.

Controllers talk to the API server and answer its webhooks; on GKE both cross the network from addresses that differ
with the kind of cluster. The ports of their webhooks are open to all sources; outward HTTPS and DNS are open to all
addresses, everything else to the pods or addresses that need it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from llm_d_gke.catalog.charts import load_charts
from llm_d_gke.planning.plan.platform import ChartPlan, NamespacePlan
from llm_d_gke.planning.plan.routing import METADATA_SERVER, AccessPlan, NetworkPolicyPlan, PeerPlan

_ANYWHERE = PeerPlan(cidr="0.0.0.0/0")
_NAMES: tuple[tuple[Literal["UDP", "TCP"], int], ...] = (("UDP", 53), ("TCP", 53))
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
    charts = [chart for chart in load_charts().values() if chart.namespace == namespace]
    ports = next((chart.ports for chart in charts if chart.ports), ())
    web = next((chart.web for chart in charts if chart.web), (443,))
    inside = [port for chart in charts for port in chart.inside]
    own = (_access(PeerPlan(namespace=namespace), inside),) if inside else ()
    tokens = METADATA_SERVER if any(chart.metadata for chart in charts) else ()
    return NetworkPolicyPlan(
        name="controllers",
        selector={},
        ingress=(*((_access(_ANYWHERE, ports),) if ports else ()), *own),
        egress=(
            AccessPlan(peers=(_ANYWHERE,), ports=_NAMES),
            _access(_ANYWHERE, web),
            *own,
            *(_access(PeerPlan(cidr=cidr), [port]) for cidr, port in tokens),
        ),
    )


def _access(peer: PeerPlan, ports: Sequence[int]) -> AccessPlan:
    return AccessPlan(peers=(peer,), ports=tuple(("TCP", port) for port in ports))
