"""Gateway, routes, pools, policies and certificate, as their controllers report them."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from cryptography import x509

from llm_d_gke.operations.live_stack.stack import LiveStack, find_condition, is_true
from llm_d_gke.operations.verify.context import CheckContext
from llm_d_gke.operations.verify.result import Result, failed, judged, passed
from llm_d_gke.planning.routing.network_policies import GATEWAY_LABEL
from llm_d_gke.wording import count

GATEWAY_API = "gateway.networking.k8s.io/v1"
POOL_API = "inference.networking.k8s.io/v1"
GKE_API = "networking.gke.io/v1"
_POLICIES = ("HealthCheckPolicy", "GCPBackendPolicy")
_CONNECT_SECONDS = 10.0
# Issuers renew when a third of the time is left (cert-manager, Certificate Manager): half of that is too late.
_ENDS_SOON, _SHARE_LEFT = timedelta(days=14), 6


def gateway_programmed(ctx: CheckContext) -> Result:
    """The Gateway is programmed, has an address, and every route of the plan is attached to its listener."""
    live, plan = ctx.live, ctx.live.plan
    look = f"{live.kubectl} describe gateway {plan.gateway.name}"
    gateway = live.cluster.find(GATEWAY_API, "Gateway", plan.gateway.name, live.namespace)
    if gateway is None:
        return failed(f"Gateway/{plan.gateway.name} does not exist", look)
    if not is_true(gateway, "Programmed"):
        condition = find_condition(gateway, "Programmed") or {}
        return failed(f"Programmed is not True: {condition.get('message') or 'no message'}", live.diagnose)
    status = gateway["status"]
    addresses = [address["value"] for address in status.get("addresses") or []]
    if not addresses:
        return failed("programmed, but without an address", look)
    attached = sum(int(listener.get("attachedRoutes", 0)) for listener in status.get("listeners") or [])
    if attached < len(plan.routes):
        return failed(f"{attached} routes are attached, {len(plan.routes)} are planned", look)
    return passed(f"address {', '.join(addresses)}, {count(attached, 'route')} attached")


def routes_accepted(ctx: CheckContext) -> Result:
    """Every HTTPRoute is accepted, and everything that it refers to exists."""
    return _parents(ctx.live, GATEWAY_API, "HTTPRoute", [route.name for route in ctx.live.plan.routes])


def pools_accepted(ctx: CheckContext) -> Result:
    """Every InferencePool is accepted by the Gateway, with its endpoint picker."""
    return _parents(ctx.live, POOL_API, "InferencePool", [model.pool.name for model in ctx.live.plan.models])


def _parents(live: LiveStack, version: str, kind: str, names: list[str]) -> Result:
    wrong = [sentence for name in names for sentence in _parent_problems(live, version, kind, name)]
    return judged(wrong, f"{live.kubectl} describe {kind.lower()}", f"{', '.join(names)}: Accepted and ResolvedRefs")


def _parent_problems(live: LiveStack, version: str, kind: str, name: str) -> Iterator[str]:
    item = live.cluster.find(version, kind, name, live.namespace)
    if item is None:
        yield f"{kind}/{name} does not exist"
        return
    parents = (item.get("status") or {}).get("parents") or []
    if not parents:
        yield f"{kind}/{name} has no status: no controller has looked at it"
    for parent in parents:
        # KServe and others write conditions of parents that are no Gateway.
        if (parent.get("parentRef") or {}).get("kind", "Gateway") != "Gateway":
            continue
        for condition in parent.get("conditions") or []:
            if condition["type"] in ("Accepted", "ResolvedRefs") and condition["status"] != "True":
                yield f"{kind}/{name} {condition['type']}: {condition.get('message') or condition.get('reason')}"


def policies_attached(ctx: CheckContext) -> Result:
    """Health check and backend policies are attached to their pools."""
    live, attached, wrong = ctx.live, 0, []
    for kind in _POLICIES:
        for policy in live.cluster.list(GKE_API, kind, live.namespace):
            attached += 1
            if not is_true(policy, "Attached"):
                condition = find_condition(policy, "Attached") or {}
                reason = condition.get("message") or condition.get("reason") or "no status"
                wrong.append(f"{kind}/{policy['metadata']['name']}: {reason}")
    if not attached:
        return failed("no policy exists", live.diagnose)
    return judged(wrong, f"{live.kubectl} describe healthcheckpolicy,gcpbackendpolicy", f"{attached} policies attached")


def network_policies_select(ctx: CheckContext) -> Result:
    """Every network policy of the plan selects pods that run."""
    live = ctx.live
    # A rehearsal's load balancer is a process of its own, also where Istio has pods for a Gateway.
    absent = [GATEWAY_LABEL] if live.target == "rehearsal" else []
    policies = [policy for policy in live.plan.network_policies if not {*absent} & {*policy.selector}]
    idle = [policy.name for policy in policies if not live.pods_of(policy.selector)]
    if idle:
        return failed(
            f"no pod is selected by {', '.join(idle)}", f"{live.kubectl} get networkpolicy,pods --show-labels"
        )
    return passed(f"{len(policies)} policies, each selects pods")


def certificate(ctx: CheckContext) -> Result:
    """The listener answers in TLS with a certificate for the host name that is valid now and does not end soon."""
    live, endpoint = ctx.live, ctx.live.endpoint
    look = f"{live.kubectl} describe gateway {live.plan.gateway.name}"
    if endpoint is None:
        return failed("no Gateway answers", live.diagnose)
    parts = urlsplit(endpoint.url)
    address = (parts.hostname or "", parts.port or 443)
    try:
        presented = x509.load_der_x509_certificate(presented_certificate(address, endpoint.host))
    except (OSError, ValueError) as error:
        return failed(f"no TLS at {address[0]}:{address[1]}: {error}", look)
    now = datetime.now(UTC)
    names = _names(presented)
    until = presented.not_valid_after_utc
    begins = presented.not_valid_before_utc
    if not begins <= now <= until:
        return failed(f"the certificate is valid from {begins} to {until}", look)
    if until - now < min(_ENDS_SOON, (until - begins) / _SHARE_LEFT):
        return failed(f"the certificate ends on {until:%Y-%m-%d %H:%M} UTC and was not renewed", look)
    if not endpoint.trusted:
        return passed(
            f"TLS with a certificate for {', '.join(names)}, until {until:%Y-%m-%d}; a stand-in, not verified"
        )
    problem = _verified(address, endpoint.host)
    if problem:
        return failed(f"the certificate for {', '.join(names)} does not verify as {endpoint.host}: {problem}", look)
    return passed(f"verified for {endpoint.host}, until {until:%Y-%m-%d}")


def presented_certificate(address: tuple[str, int], host: str) -> bytes:
    """The certificate that a server presents, regardless of its issuer."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection(address, timeout=_CONNECT_SECONDS) as connection,
        context.wrap_socket(connection, server_hostname=host) as secured,
    ):
        return secured.getpeercert(binary_form=True) or b""


def _verified(address: tuple[str, int], host: str) -> str:
    """The reason why a certificate does not verify against the public authorities; empty if it does."""
    try:
        with (
            socket.create_connection(address, timeout=_CONNECT_SECONDS) as connection,
            ssl.create_default_context().wrap_socket(connection, server_hostname=host),
        ):
            return ""
    except OSError as error:
        return str(error)


def _names(presented: x509.Certificate) -> list[str]:
    try:
        extension = presented.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ["(no name)"]
    return [str(name.value) for name in extension.value]
