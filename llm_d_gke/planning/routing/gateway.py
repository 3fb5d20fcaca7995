"""Address, Gateway and routes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from llm_d_gke.planning import names
from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.fix_words import GOOGLE_CERTIFICATES
from llm_d_gke.planning.plan.infrastructure import INTERNAL_LOAD_BALANCER, NetworkPlan
from llm_d_gke.planning.plan.routing import (
    GatewayPlan,
    ModelsEndpointPlan,
    PathPlan,
    RequestNamePlan,
    RoutePlan,
    RouteRulePlan,
    TlsPlan,
)
from llm_d_gke.planning.plan.stack import ModelPlan
from llm_d_gke.planning.platform.certificates import plan_listener_certificate
from llm_d_gke.planning.platform.istio import gateway_pods, gateway_service
from llm_d_gke.planning.routing.api_paths import MODELS_LIST, api_paths, extra_paths
from llm_d_gke.planning.routing.edge import GATEWAY_NAME, plan_edge
from llm_d_gke.planning.routing.fleet import FLEET_CLASS, check_fleet, plan_fleet
from llm_d_gke.settings.gateway import EXTERNAL_CLASS, CertificateManagerTls, CertManagerTls, PreSharedTls, SecretTls

ISTIO_CLASS = "istio"

# Only the two regional classes take an InferencePool in one cluster (GKE, "GatewayClass capabilities").
_CLASSES = {"external": EXTERNAL_CLASS, "internal": "gke-l7-rilb"}

ROUTE = "inference"
KSERVE_ROUTE = "inference-kserve"
POOLS_ROUTE = "inference-pools"

# Requests for the list of models with this header go to the pool that it names.
POOL_HEADER = "llm-d-pool"

# The header into which the model router writes the base model's name, also for an adapter or alias; empty
# for a name it does not know.
BASE_MODEL_HEADER = "X-Gateway-Base-Model-Name"
API_PREFIX = "/v1"

# HTTPRoute: rules of one route, and matches of all its rules together (Gateway API v1.5, CRD).
MAX_RULES = 16
MAX_MATCHES = 128


def plan_gateway(ctx: PlanContext, network: NetworkPlan, encrypted: frozenset[str]) -> GatewayPlan:
    """One regional load balancer with a reserved address. `encrypted` names the settings that came encrypted."""
    settings = ctx.settings.gateway
    tls = _tls(ctx)
    external = settings.exposure == "external"
    class_name = _class(ctx)
    if tls is None and (external or settings.hostname is not None):
        ctx.warning(
            "LLMD-TLS-NONE", "gateway.tls.kind", case="external" if external else "internal", hostname=settings.hostname
        )
    _check_direct(ctx)
    edge = plan_edge(ctx, encrypted)
    check_fleet(ctx)
    return GatewayPlan(
        name=GATEWAY_NAME,
        implementation=settings.implementation,
        class_name=class_name,
        annotations=INTERNAL_LOAD_BALANCER if settings.implementation == "istio" and not external else {},
        pods=gateway_pods(edge) if settings.implementation == "istio" else {},
        service=gateway_service(settings.limits) if settings.implementation == "istio" else {},
        region=ctx.region,
        address=settings.existing_address or names.join("llm-d", ctx.stack, "gateway"),
        # A fleet's Gateway has an ephemeral address in each region.
        create_address=settings.existing_address is None and ctx.settings.fleet is None,
        external=external,
        subnetwork=network.subnet.name,
        port=443 if tls else 80,
        protocol="HTTPS" if tls else "HTTP",
        tls=tls,
        hostname=settings.hostname,
        edge=edge,
        fleet=plan_fleet(ctx),
    )


def _check_direct(ctx: PlanContext) -> None:
    """The way past the Gateway is refused where it would leave out something that the Gateway does to requests."""
    settings = ctx.settings.gateway
    if not settings.direct_load_balancer:
        return
    guards = {
        "authentication": settings.auth.kind != "none",
        "limits": settings.limits.any,
        "Cloud Armor policy": settings.security_policy is not None,
        "TLS": settings.tls.kind != "none" and settings.backend_tls.kind == "none",
    }
    passed = [name for name, is_set in guards.items() if is_set]
    if settings.exposure == "external":
        rule, fix = "to the internet over plain HTTP", "set exposure: internal, or remove directLoadBalancer"
    elif passed:
        rule, fix = f"past the Gateway's {' and '.join(passed)}", "remove directLoadBalancer"
    else:
        return
    ctx.error(
        "LLMD-DIRECT-EXPOSED",
        "gateway.directLoadBalancer",
        rule=f"a load balancer that bypasses the Gateway exposes every path of vLLM, administration included, {rule}",
        fix=f"{fix} and use kubectl port-forward",
    )


def plan_routes(
    ctx: PlanContext,
    models: Sequence[ModelPlan],
    names: Sequence[RequestNamePlan],
    models_endpoint: ModelsEndpointPlan | None,
) -> tuple[RoutePlan, ...]:
    """The routes of the API, and before them those that have to exist before the pools' servers are ready.

    A route holds 16 rules: with more models there are more routes. A backend that is a pool never has a port, and GKE
    takes no timeouts there: Istio takes them nowhere else.

    The API's routes change when the servers of their pools are ready: until then the old servers answer.
    """
    settings = ctx.settings
    if settings.fleet is not None and settings.fleet.role == "member":
        # The config cluster's routes lead to this cluster's pools.
        return ()
    timeout = settings.gateway.timeout_seconds if settings.gateway.implementation == "istio" else None
    early = _early_routes(ctx, models, timeout)
    if models_endpoint is not None:
        return (*early, *_routes_by_model((*api_paths(ctx), *extra_paths(ctx)), names, models_endpoint))
    # Without a models endpoint all requests go to the one pool.
    paths = (*api_paths(ctx), *MODELS_LIST, *extra_paths(ctx))
    rule = RouteRulePlan(paths=paths, pools=((models[0].pool.name, 1),), timeout_seconds=timeout)
    return (*early, RoutePlan(name=ROUTE, rules=(rule,)))


def _early_routes(ctx: PlanContext, models: Sequence[ModelPlan], timeout: int | None) -> tuple[RoutePlan, ...]:
    """Routes of the pools, which come first so that the load balancer has its backends and their health in time.

    Under KServe such a route serves a model below a separate path, as KServe's own routes do, and KServe waits for it.
    Otherwise it serves the list of models.
    """
    # Under KServe a path holds several models: a prefix can be rewritten, a list of exact paths cannot. Where some of
    # the paths below it end the picker, each of the others has a rule.
    opened = (*api_paths(ctx), MODELS_LIST[0])
    prefixes = [path.value for path in opened] if ctx.picker.fatal_paths else [API_PREFIX]
    by_path = [
        RouteRulePlan(
            paths=(PathPlan(value=f"{model.inference_service.path}{prefix}", prefix=True),),
            rewrite=prefix,
            pools=((model.pool.name, 1),),
            timeout_seconds=timeout,
        )
        for model in models
        if model.inference_service is not None
        for prefix in prefixes
    ]
    by_pool = [
        RouteRulePlan(
            paths=MODELS_LIST[:1],
            header=(POOL_HEADER, model.pool.name),
            pools=((model.pool.name, 1),),
            timeout_seconds=timeout,
        )
        for model in models
        if model.inference_service is None
    ]
    return tuple(
        route
        for name, rules in ((KSERVE_ROUTE, by_path), (POOLS_ROUTE, by_pool))
        for route in _numbered_routes(name, _chunks(rules, MAX_RULES), early=True)
    )


def _routes_by_model(
    paths: tuple[PathPlan, ...], names: Sequence[RequestNamePlan], models_endpoint: ModelsEndpointPlan
) -> tuple[RoutePlan, ...]:
    """Requests with a model's name to its pools by weight, all others to the models endpoint."""
    by_model = [RouteRulePlan(paths=paths, header=(BASE_MODEL_HEADER, base.name), pools=base.pools) for base in names]
    rest = RouteRulePlan(
        paths=(PathPlan(value="/", prefix=True),), service=(models_endpoint.name, models_endpoint.port)
    )
    # The rest stays in the first route, however many models there are.
    rule_limit = min(MAX_RULES, MAX_MATCHES // len(paths))
    full = rule_limit - 1
    return _numbered_routes(ROUTE, [(*by_model[:full], rest), *_chunks(by_model[full:], rule_limit)])


def _chunks(rules: Sequence[RouteRulePlan], most: int) -> list[tuple[RouteRulePlan, ...]]:
    """Split the rules into parts of at most `most`, in order."""
    return [tuple(rules[start : start + most]) for start in range(0, len(rules), most)]


def _numbered_routes(
    name: str, parts: Iterable[tuple[RouteRulePlan, ...]], *, early: bool = False
) -> tuple[RoutePlan, ...]:
    """A route for each part of the rules; from the second on the name has a number."""
    return tuple(
        RoutePlan(name=name if number == 1 else f"{name}-{number}", rules=rules, early=early)
        for number, rules in enumerate(parts, start=1)
    )


def _class(ctx: PlanContext) -> str:
    """The GatewayClass: as set if the implementation has it, otherwise by implementation and exposure."""
    settings = ctx.settings.gateway
    fitting = ISTIO_CLASS if settings.implementation == "istio" else _CLASSES[settings.exposure]
    if ctx.settings.fleet is not None:
        fitting = FLEET_CLASS
    if settings.class_name is None or settings.class_name == fitting:
        return fitting
    gke_managed = settings.class_name.startswith("gke-")
    if gke_managed is not (settings.implementation == "gke"):
        ctx.error(
            "LLMD-GATEWAY-CLASS",
            "gateway.className",
            rule=f"the class belongs to {'Google' if gke_managed else 'another controller'}, and implementation: "
            f"{settings.implementation} does not use it",
            fix=f"remove it, or use {fitting}"
            + (", or implementation: gke" if gke_managed else ", or implementation: istio"),
        )
    elif gke_managed:
        ctx.error("LLMD-GATEWAY-CLASS-EXPOSURE", "gateway.className", exposure=settings.exposure, fitting=fitting)
    return settings.class_name


def _check_certificates(ctx: PlanContext) -> None:
    settings = ctx.settings.gateway
    if settings.implementation == "istio" and settings.tls.kind in GOOGLE_CERTIFICATES:
        ctx.error("LLMD-TLS-KIND-ISTIO", "gateway.tls.kind")


def _tls(ctx: PlanContext) -> TlsPlan | None:
    _check_certificates(ctx)
    match ctx.settings.gateway.tls:
        case CertificateManagerTls(certificates=certificates):
            return TlsPlan(options={"networking.gke.io/cert-manager-certs": ",".join(certificates)}, secret=None)
        case PreSharedTls(certificates=certificates):
            return TlsPlan(options={"networking.gke.io/pre-shared-certs": ",".join(certificates)}, secret=None)
        case SecretTls(secret=secret):
            return TlsPlan(options={}, secret=secret)
        case CertManagerTls() as settings:
            certificate = plan_listener_certificate(ctx, settings)
            return TlsPlan(options={}, secret=certificate.secret, certificate=certificate)
        case _:
            return None
