"""Request paths that clients reach through the Gateway.

vLLM serves its administration on the port of its API: /metrics, /pause, /update_weights, /tokenize, /invocations and
others take no key (docs.vllm.ai, "Security", which recommends an allowlist). A route therefore names the paths of the
API, and nothing else reaches an engine. The load balancer's health checks go to the pods and need no route.
"""

from __future__ import annotations

from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.picker_config import parsed_config
from llm_d_gke.planning.plan.routing import PathPlan

# OpenAI's and Anthropic's APIs for generation and embeddings, as vLLM serves them (docs.vllm.ai, "Online Serving").
# Left out on purpose: /v1/load_lora_adapter and /v1/unload_lora_adapter, which change an engine.
API_PATHS = (
    PathPlan(value="/v1/chat/completions"),
    PathPlan(value="/v1/completions"),
    PathPlan(value="/v1/responses"),
    PathPlan(value="/v1/messages"),
    PathPlan(value="/v1/embeddings"),
)
MODELS_LIST = (PathPlan(value="/v1/models"), PathPlan(value="/v1/models/", prefix=True))

# Paths that compute a prompt and are not among those that every stack opens (vllm/entrypoints/serve, 0.26).
GENERATION = ("/inference/v1/generate",)

# Further paths of vLLM's server that take a body and answer a client (routes of vllm/entrypoints, 0.26 and 0.32).
FURTHER = (
    *GENERATION,
    "/v1/chat/completions/render",
    "/v1/chat/completions/batch",
    "/v1/completions/render",
    "/v1/messages/count_tokens",
    "/v1/rerank",
    "/v2/rerank",
    "/rerank",
    "/v1/score",
    "/score",
    "/generative_scoring",
    "/pooling",
    "/classify",
    "/v2/embed",
    "/v1/audio/transcriptions",
    "/v1/audio/translations",
)

# Paths of vLLM's server that show or change its state (vllm/entrypoints, versions 0.11 to 0.32).
ADMINISTRATION = (
    "/metrics",
    "/health",
    "/load",
    "/version",
    "/pause",
    "/resume",
    "/sleep",
    "/wake_up",
    "/update_weights",
    "/abort_requests",
    "/collective_rpc",
    "/reset_prefix_cache",
    "/server_info",
    "/invocations",
    "/tokenize",
    "/detokenize",
    "/v1/load_lora_adapter",
    "/v1/unload_lora_adapter",
)


def api_paths(ctx: PlanContext) -> tuple[PathPlan, ...]:
    """The paths that every stack opens, except those whose requests its picker answers itself, with 400."""
    return tuple(path for path in API_PATHS if ctx.picker.takes(path.value))


def extra_paths(ctx: PlanContext) -> tuple[PathPlan, ...]:
    """Paths that the stack file adds, with a finding for each that reaches vLLM's administration."""
    paths = []
    for index, text in enumerate(ctx.settings.gateway.paths):
        path = PathPlan(value=text.removesuffix("*"), prefix=text.endswith("*"))
        paths.append(path)
        _check_sidecar(ctx, index, path)
        _check_picker(ctx, index, path)
        opened = [admin for admin in ADMINISTRATION if _reaches(path, admin)]
        if opened:
            ctx.add_finding(
                "LLMD-ROUTE-ADMINISTRATION",
                f"gateway.paths[{index}]",
                certain=ctx.settings.gateway.exposure == "external",
                rule=f"every client reaches {', '.join(opened[:3])}{' and more' if len(opened) > 3 else ''} of vLLM,"
                " which asks for no key there",
            )
    return tuple(path for path in paths if path not in (*api_paths(ctx), *MODELS_LIST))


def _check_sidecar(ctx: PlanContext, index: int, path: PathPlan) -> None:
    """A path that the routing sidecar does not divide between prefill and decode servers."""
    release = ctx.release.disaggregation
    if release is None or not ctx.transfers_kv_cache or ctx.accelerator.kind != "gpu":
        return
    passed = [
        target
        for target in GENERATION
        if _reaches(path, target) and ctx.picker.takes(target) and target not in release.sidecar.paths
    ]
    if passed:
        ctx.warning(
            "LLMD-PD-PATH", f"gateway.paths[{index}]", sidecar=release.sidecar.version, passed=", ".join(passed)
        )


def _check_picker(ctx: PlanContext, index: int, path: PathPlan) -> None:
    """A path whose requests the picker answers itself, with 400, or which end it.

    A document of the user's may bring other parsers.
    """
    fatal = [target for target in ctx.picker.fatal_paths if _reaches(path, target)]
    if fatal:
        ctx.error("LLMD-ROUTE-PICKER", f"gateway.paths[{index}]", case="ends", fatal=" and ".join(fatal))
        return
    document = parsed_config(ctx)
    if getattr(document, "request_handler", None) is not None or getattr(document, "parser", None) is not None:
        return
    answering = (*(own.value for own in API_PATHS), *FURTHER)
    refused = [target for target in answering if _reaches(path, target) and not ctx.picker.takes(target)]
    if refused:
        ctx.warning("LLMD-ROUTE-PICKER", f"gateway.paths[{index}]", refused=", ".join(refused))


def _reaches(path: PathPlan, target: str) -> bool:
    folder = path.value.rstrip("/")
    return target == path.value or (path.prefix and (target == folder or target.startswith(f"{folder}/")))
