"""The endpoint for requests without a known model: an Envoy with fixed responses, which needs no own program."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.patterns import pattern_of
from llm_d_gke.planning.plan.platform import PullSecretPlan
from llm_d_gke.planning.plan.pods import PodPlan, PortPlan, ProbePlan
from llm_d_gke.planning.plan.routing import ModelsEndpointPlan, RequestNamePlan
from llm_d_gke.planning.routing.edge import backend_access
from llm_d_gke.planning.serving.shutdown import END_SECONDS, LISTED_SECONDS, NOTICE_SECONDS

NAME = "model-index"
PORT = 8080
HEALTH_PATH = "/health"
MODELS_PATH = "/v1/models"

_SELECTOR = {"app.kubernetes.io/name": NAME}

# Envoy's distroless image runs as this user.
_USER = 65532

# Envoy refuses fixed responses above 4096 bytes by default; the list of models grows with them.
_LONGEST_ANSWER = 1 << 20

_TYPE = "@type"
_FILTERS = "type.googleapis.com/envoy.extensions.filters"


def plan_models_endpoint(
    ctx: PlanContext, names: Sequence[RequestNamePlan], pull_secret: PullSecretPlan | None
) -> ModelsEndpointPlan | None:
    """With several models behind a Gateway, requests without a known model are routed here and get a response."""
    if not pattern_of(ctx.settings).routes_by_model:
        return None
    return ModelsEndpointPlan(
        name=NAME,
        replicas=1,
        pod=_pod(ctx, names, pull_secret),
        selector=_SELECTOR,
        port=PORT,
        health_path=HEALTH_PATH,
        health_interval=5,
        timeout_seconds=ctx.settings.gateway.timeout_seconds,
        access=backend_access(ctx),
    )


def _pod(ctx: PlanContext, names: Sequence[RequestNamePlan], pull_secret: PullSecretPlan | None) -> PodPlan:
    """An Envoy with its whole configuration as an argument."""
    config = json.dumps(envoy_config(names), separators=(",", ":"))
    return PodPlan(
        container="envoy",
        image=ctx.release.index_image,
        labels=_SELECTOR | {"app.kubernetes.io/component": NAME, "app.kubernetes.io/part-of": "llm-d"},
        # As an argument, so that a changed list of models is a new pod. Kubernetes would expand `$(...)`.
        args=(
            "--config-yaml",
            config.replace("$", "$$"),
            "--disable-hot-restart",
            "--concurrency",
            "1",
            "--log-level",
            "warning",
        ),
        ports=(PortPlan(name="http", number=PORT),),
        requests={"cpu": "50m", "memory": "128Mi", "ephemeral-storage": "64Mi"},
        limits={"cpu": "1", "memory": "128Mi", "ephemeral-storage": "256Mi"},
        # Answers are fixed: an Envoy that accepts connections is alive.
        liveness=ProbePlan(port=PORT, initial_delay=5, period=10, timeout=5, failures=3),
        readiness=ProbePlan(port=PORT, path=HEALTH_PATH, period=2, timeout=2, failures=3),
        service_account=NAME,
        mount_api_token=False,
        user=_USER,
        node_selector=ctx.own_nodes,
        min_ready_seconds=LISTED_SECONDS,
        pre_stop_seconds=NOTICE_SECONDS,
        grace_seconds=NOTICE_SECONDS + END_SECONDS,
        pull_secret=pull_secret.name if pull_secret else None,
    )


def envoy_config(names: Sequence[RequestNamePlan]) -> dict[str, Any]:
    """One listener, fixed answers: health, the list of models, each model by its name, and 404 for the rest."""
    cards = _cards(names)
    routes = [
        _route({"path": HEALTH_PATH}, 200, {"status": "ok"}),
        _route(_get(MODELS_PATH), 200, {"object": "list", "data": cards}),
        *(_route(_get(f"{MODELS_PATH}/{card['id']}"), 200, card) for card in cards),
        _route({"prefix": "/"}, 404, _not_found([card["id"] for card in cards])),
    ]
    manager = {
        _TYPE: f"{_FILTERS}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": NAME,
        "route_config": {
            "max_direct_response_body_size_bytes": _LONGEST_ANSWER,
            "virtual_hosts": [{"name": NAME, "domains": ["*"], "routes": routes}],
        },
        "http_filters": [{"name": "router", "typed_config": {_TYPE: f"{_FILTERS}.http.router.v3.Router"}}],
    }
    listener = {
        "name": "http",
        "address": {"socket_address": {"address": "0.0.0.0", "port_value": PORT}},  # noqa: S104 - inside its pod
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    return {"static_resources": {"listeners": [listener]}}


def _cards(names: Sequence[RequestNamePlan]) -> list[dict[str, Any]]:
    """Entries in the form of vLLM's /v1/models: `parent` names the base model of an adapter; an alias has none."""
    own = {"object": "model", "created": 0, "owned_by": "llm-d"}
    cards: list[dict[str, Any]] = []
    for base in names:
        adapters = [other for other in base.others if other not in base.aliases]
        cards += [{"id": name, **own, "root": base.root, "parent": None} for name in (base.name, *base.aliases)]
        cards += [{"id": adapter, **own, "root": adapter, "parent": base.name} for adapter in adapters]
    return cards


def _not_found(names: list[str]) -> dict[str, Any]:
    """OpenAI's form of an error, with the models that there are."""
    message = (
        f"Nothing here serves this request: it names no model, or none of those served. Models: {', '.join(names)}. "
        "Requests to a model are POST below /v1/ with its name as `model`."
    )
    error = {"message": message, "type": "invalid_request_error", "param": "model", "code": "model_not_found"}
    return {"error": error, "models": names}


def _get(path: str) -> dict[str, Any]:
    return {"path": path, "headers": [{"name": ":method", "string_match": {"exact": "GET"}}]}


def _route(match: dict[str, Any], status: int, answer: dict[str, Any]) -> dict[str, Any]:
    return {
        "match": match,
        "direct_response": {"status": status, "body": {"inline_string": json.dumps(answer)}},
        "response_headers_to_add": [
            {
                "header": {"key": "content-type", "value": "application/json"},
                "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
            }
        ],
    }
