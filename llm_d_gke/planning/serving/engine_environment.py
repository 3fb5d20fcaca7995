"""Environment variables that the stack gives every engine: caches, the Hub, accelerators, hosts of a group."""

from __future__ import annotations

from llm_d_gke.planning.plan.platform import HuggingFacePlan
from llm_d_gke.planning.plan.pods import EnvPlan
from llm_d_gke.planning.platform.engine_images import library_environment
from llm_d_gke.planning.served_model import ServedModel
from llm_d_gke.planning.serving import multi_node
from llm_d_gke.planning.serving.engine_checks import tpu_variables
from llm_d_gke.planning.serving.engine_paths import CACHE, TOKEN_DIRECTORY, TOKEN_KEY

# Seconds. A server has to keep an idle connection longer than the clients that reuse it: a request on one that the
# server just closed is lost (502). Google's load balancers keep theirs for 600 s, which no setting changes
# (docs.cloud.google.com/load-balancing/docs/https/request-distribution), Envoy for an hour, routing
# sidecars and pickers for 90 s. vLLM's default is 5 s. A routing sidecar in front of an engine closes after 300 s,
# which no flag of any release changes (pkg/sidecar/proxy/proxy_helpers.go of llm-d-router v0.4.0, v0.7.1 and v0.10.0).
_KEEP_ALIVE, _KEEP_ALIVE_SECONDS = "VLLM_HTTP_TIMEOUT_KEEP_ALIVE", "3660"


def stack_variables(served: ServedModel, hugging_face: HuggingFacePlan, budget: int) -> tuple[EnvPlan, ...]:
    """Variables of an engine that has `budget` seconds to start."""
    ctx, settings, parallelism = served.ctx, served.settings, served.parallelism
    values = {
        "HOME": f"{CACHE}/home",
        # torch looks up the name of a user that has no entry in /etc/passwd.
        "USER": "vllm",
        "XDG_CACHE_HOME": CACHE,
        "HF_HOME": f"{CACHE}/hugging-face",
        "VLLM_CACHE_ROOT": f"{CACHE}/vllm",
        "VLLM_NO_USAGE_STATS": "1",
        _KEEP_ALIVE: _KEEP_ALIVE_SECONDS,
    }
    if settings.source.kind == "hugging-face":
        if hugging_face.secret or hugging_face.secret_manager:
            # The Hub's library reads the token from this file; an environment variable would show in every `describe`.
            values["HF_TOKEN_PATH"] = f"{TOKEN_DIRECTORY}/{TOKEN_KEY}"
    else:
        values["HF_HUB_OFFLINE"] = "1"
    values |= multi_node.environment(ctx, parallelism, budget)
    for time in (multi_node.ENGINE_WAIT, _KEEP_ALIVE):
        # Only how long a server waits, for its engines or for the next request: the stack file's own time counts.
        if time in settings.env:
            values.pop(time, None)
    if ctx.accelerator.kind == "gpu":
        values |= {"TRITON_CACHE_DIR": f"{CACHE}/triton", "TORCHINDUCTOR_CACHE_DIR": f"{CACHE}/inductor"}
        values |= library_environment(ctx, settings)
        return tuple(EnvPlan(name=name, value=value) for name, value in values.items())
    values |= {"VLLM_XLA_CACHE_PATH": f"{CACHE}/xla", "PJRT_DEVICE": "TPU"}
    values |= tpu_variables(served)
    if parallelism.is_multi_node:
        # The controller of the group names the hosts.
        return tuple(EnvPlan(name=name, value=value) for name, value in values.items())
    if ctx.topology is not None:
        sides = ctx.topology.split("x")
        bounds = ",".join([*sides, "1"][:3])
        values |= {
            "TPU_CHIPS_PER_HOST_BOUNDS": bounds,
            "TPU_HOST_BOUNDS": "1,1,1",
            "TPU_NUM_DEVICES": str(ctx.chips),
            "TPU_WORKER_ID": "0",
        }
    return (
        *(EnvPlan(name=name, value=value) for name, value in values.items()),
        EnvPlan(name="TPU_WORKER_HOSTNAMES", field_path="status.podIP"),
    )
