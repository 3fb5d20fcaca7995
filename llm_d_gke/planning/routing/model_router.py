"""The model router: reads the model's name in a request's body and puts its base model's into a header."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.patterns import pattern_of
from llm_d_gke.planning.plan.platform import PullSecretPlan
from llm_d_gke.planning.plan.pods import EnvPlan, ProbePlan
from llm_d_gke.planning.plan.routing import GatewayPlan, RequestNamePlan, RouterPlan, RoutingExtensionPlan
from llm_d_gke.planning.platform.autopilot_pods import spreadable_size
from llm_d_gke.planning.routing.endpoint_picker import METRICS_READER
from llm_d_gke.planning.routing.ext_proc_pod import CONFIG_DIRECTORY, ExtProcProgram, ext_proc_pod, port_arguments
from llm_d_gke.planning.serving.backends import ExtProcIdentity
from llm_d_gke.planning.serving.shutdown import NOTICE_SECONDS

NAME = "model-router"
GRPC_PORT, HEALTH_PORT, METRICS_PORT = 9004, 9005, 9090

CONFIG_FILE = "router.yaml"

# GKE's longest. A message waits for the whole body, so the client's upload is included.
_TIMEOUT_SECONDS = 10

_MODEL_HEADER = "X-Gateway-Model-Name"
# Of English text; a body has little else in it.
_BYTES_A_TOKEN = 4
# Plugin type, name, parameters, in the order in which they run.
_PLUGINS: tuple[tuple[str, str, Mapping[str, str] | None], ...] = (
    ("body-field-to-header", "model-extractor", {"fieldName": "model", "headerName": _MODEL_HEADER}),
    ("base-model-to-header", "base-model-mapper", None),
)
_SELECTOR = {"app.kubernetes.io/name": NAME}
_IDENTITY = ExtProcIdentity(
    name=NAME,
    container="router",
    service_account=NAME,
    selector=_SELECTOR,
    labels={**_SELECTOR, "app.kubernetes.io/component": NAME, "app.kubernetes.io/part-of": "llm-d"},
)


def plan_router(
    ctx: PlanContext,
    names: tuple[RequestNamePlan, ...],
    gateway: GatewayPlan,
    pull_secret: PullSecretPlan | None,
) -> RouterPlan | None:
    """One router for the Gateway, where several models share it."""
    if not pattern_of(ctx.settings).routes_by_model:
        return None
    settings, release = ctx.settings.router, ctx.release.router
    _check_bodies(ctx)
    config = _config(release.config_api) if release.plugins == "file" else None
    return RouterPlan(
        name=NAME,
        replicas=settings.replicas,
        pod=ext_proc_pod(
            _IDENTITY, _program(ctx, config), spreadable_size(ctx, settings), config, NOTICE_SECONDS, pull_secret
        ),
        selector=_IDENTITY.selector,
        grpc_port=GRPC_PORT,
        health_port=HEALTH_PORT,
        health_interval=5,
        names=names,
        # Of every release: an upgrade labels the ConfigMaps first, and the router that still runs has to see them.
        mapping_labels={other.router.mapping_label: "true" for other in ctx.catalog.releases.values()},
        config=config,
        config_file=CONFIG_FILE,
        callout=RoutingExtensionPlan(
            name=NAME,
            gateway=gateway.name,
            authority=NAME,
            timeout_seconds=_TIMEOUT_SECONDS,
            fail_open=settings.failure_mode == "open",
        ),
        metrics_reader=METRICS_READER if ctx.settings.monitoring.enabled else None,
    )


def _program(ctx: PlanContext, config: Mapping[str, Any] | None) -> ExtProcProgram:
    """The router's image, arguments, ports and probes."""
    release, ports = ctx.release.router, (GRPC_PORT, HEALTH_PORT, METRICS_PORT)
    return ExtProcProgram(
        image=release.image,
        args=(
            *release.flags,
            *(_plugin_flags() if release.plugins == "flags" else ()),
            *((f"--config-file={CONFIG_DIRECTORY}/{CONFIG_FILE}",) if config is not None else ()),
            *port_arguments(*ports),
        ),
        # Without it the router would read the ConfigMaps of every namespace, which it may not.
        env=(EnvPlan(name="NAMESPACE", field_path="metadata.namespace"),),
        ports=ports,
        liveness=ProbePlan(port=HEALTH_PORT, grpc_service="", initial_delay=5, period=10, timeout=5, failures=3),
        # Its health service answers while the router still makes its certificate: ready is when the port opens.
        readiness=ProbePlan(port=GRPC_PORT, period=2, timeout=2, failures=3),
        node_selector=ctx.own_nodes,
    )


def _check_bodies(ctx: PlanContext) -> None:
    """Warns of prompts longer than the longest request body that passed an older router and its picker."""
    seen = ctx.release.router.body_bytes_seen
    if seen is None:
        return
    for index, model in enumerate(ctx.settings.models):
        stated = model.load.prompt_tokens
        tokens = stated or model.max_model_len
        if tokens is None or tokens * _BYTES_A_TOKEN <= seen:
            continue
        ctx.warning(
            "LLMD-ROUTER-BODY",
            *("models", index, *(("load", "promptTokens") if stated else ("maxModelLen",))),
            value=tokens,
            bytes=tokens * _BYTES_A_TOKEN,
            seen=seen,
            router=ctx.release.router.version,
        )
        return


def _plugin_flags() -> tuple[str, ...]:
    flags = []
    for kind, name, parameters in _PLUGINS:
        text = f"{kind}:{name}" + (f":{json.dumps(parameters, separators=(',', ':'))}" if parameters else "")
        flags += ["--plugin", text]
    return tuple(flags)


def _config(api_version: str | None) -> dict[str, Any]:
    """PayloadProcessorConfig, by which later releases name the same plugins."""
    plugins: list[dict[str, Any]] = [
        {"type": kind, "name": name} | ({"parameters": dict(parameters)} if parameters else {})
        for kind, name, parameters in _PLUGINS
    ]
    refs = [{"pluginRef": name} for _, name, _ in _PLUGINS]
    return {
        "apiVersion": api_version,
        "kind": "PayloadProcessorConfig",
        "plugins": plugins,
        "profiles": [{"name": "default", "plugins": {"request": refs}}],
    }
