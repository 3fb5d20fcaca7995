"""Random stacks over all patterns, kinds of nodes, ways to deploy, Gateways and kinds of authentication.

Each begins with the hardware and the models of a stack file of the project, because a random pattern hardly ever fits
random hardware, and has everything else at random. Many are refused with findings: `planned` picks those with a plan.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from llm_d_gke.catalog import load
from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.maintenance.fuzz.stacks import Strategy, Tree, stacks
from llm_d_gke.stackfile import NAMESPACE, PROJECT_ROOT, project_stacks, stack_file

_KEY = "0123456789abcdef0123456789abcdef"

# What a stack keeps of the stack file that it begins with.
_FROM_STACK_FILE = ("location", "pattern", "accelerator", "prefillAccelerator", "models", "disaggregation", "network")
# Drawn from the schema of the settings, a few at a time. They are refused more often than the values below.
_FROM_SCHEMA = ("cluster", "cpuPool", "labels", "router", "monitoring", "paused", "namespace")

_TLS = {"kind": "secret", "secret": "edge"}
_AUTH: tuple[tuple[str, Tree], ...] = (
    ("gke", {"kind": "none"}),
    ("istio", {"kind": "none"}),
    ("istio", {"kind": "api-keys"}),
    ("istio", {"kind": "api-keys", "existingSecret": "theirs"}),
    (
        "istio",
        {
            "kind": "jwt",
            "issuer": "https://accounts.example.com",
            "jwksUri": "https://accounts.example.com/keys",
            "audiences": ["llm"],
        },
    ),
    ("gke", {"kind": "iap", "clientId": "one", "existingSecret": "oauth"}),
)
_GATEWAY: Mapping[str, tuple[Any, ...]] = {
    "backendTls": ({"kind": "cert-manager"},),
    "redirectHttp": (True,),
    "hstsSeconds": (3600,),
    "limits": (
        {"requestsPerMinute": 60},
        {"bodyBytes": 100_000},
        {"tokensPerMinute": 10_000, "per": "key"},
    ),
    "paths": (["/v1/rerank"], ["/v1/messages/count_tokens"]),
    "timeoutSeconds": (900,),
    "directLoadBalancer": (True,),
    "hostname": ("llm.example.com",),
}
_PICKER: Mapping[str, tuple[Any, ...]] = {
    "replicas": (2, 3),
    "leaderElection": (False,),
    "failureMode": ("open",),
    "prefixRouting": ("precise",),
    "verbosity": (4,),
    "preset": ("prefix",),
}
# What one model has besides its stack file's settings. Each is planned with some stack (test_fuzz_varied.py).
MODEL: tuple[Tree, ...] = (
    {"replicas": 1},
    {"replicas": 2},
    {"replicas": 3},
    {"prefixCaching": False},
    {"allowExtraArgs": True, "env": {"VLLM_LOGGING_LEVEL": "DEBUG"}},
    {"allowExtraArgs": True, "extraArgs": ["--seed=7"]},
    {"toolCallParser": "hermes"},
    {"aliases": ["mine"]},
    {"source": {"kind": "bucket", "bucket": "weights", "path": "model"}},
    {"source": {"kind": "volume-claim", "claim": "weights", "path": "model"}},
    {"source": {"kind": "image", "reference": "registry.example.com/weights:1", "path": "model"}},
    {"autoscaling": {"minimum": 1, "maximum": 2, "target": {"requestsPerReplica": 8}}},
    {"servedName": "served"},
)


@functools.cache
def _hardware_and_models() -> tuple[Tree, ...]:
    """Hardware and models of every stack file of the project."""
    result = []
    for stack in project_stacks():
        config = read_yaml(stack_file(PROJECT_ROOT, stack))["config"]
        values = {key.removeprefix(f"{NAMESPACE}:"): value for key, value in config.items()}
        result.append({key: value for key, value in values.items() if key in _FROM_STACK_FILE})
    return tuple(result)


@st.composite
def varied(draw: st.DrawFn) -> Tree:
    values: Tree = copy.deepcopy(draw(st.sampled_from(_hardware_and_models())))
    from_schema = draw(stacks())
    for key in draw(st.sets(st.sampled_from(_FROM_SCHEMA), max_size=2)):
        if key in from_schema:
            values[key] = from_schema[key]
    implementation, auth = draw(st.sampled_from(_AUTH))
    gateway = {"implementation": implementation, "auth": auth, **_some_settings(draw, _GATEWAY, 2)}
    if draw(st.booleans()) or auth["kind"] != "none":
        gateway["tls"] = _TLS
    if auth["kind"] != "none":
        gateway["exposure"] = draw(st.sampled_from(("internal", "external")))
    if auth == {"kind": "api-keys"}:
        values["apiKeys"] = {"team.one": _KEY}
    for model in values["models"]:
        if not draw(st.integers(0, 2)):
            model |= copy.deepcopy(draw(st.sampled_from(MODEL)))
            if "autoscaling" in model:
                model.pop("replicas", None)
    return values | {
        "project": "my-project",
        "huggingFace": draw(st.sampled_from(({"token": "hf_fuzz"}, {"existingSecret": "mine"}))),
        "deployment": draw(st.sampled_from(("direct", "kserve"))),
        "release": draw(st.sampled_from(sorted(load().releases))),
        "gateway": gateway,
        "picker": _some_settings(draw, _PICKER, 2),
    }


def _some_settings(draw: st.DrawFn, choices: Mapping[str, tuple[Any, ...]], most: int) -> Tree:
    names: set[str] = draw(st.sets(st.sampled_from(sorted(choices)), max_size=most))
    return {name: copy.deepcopy(draw(st.sampled_from(choices[name]))) for name in sorted(names)}


def kinds_of(values: Tree) -> str:
    """The kinds that a random stack counts as in a table: pattern, way to deploy, Gateway and authentication."""
    gateway = values["gateway"]
    nodes = "tpu" if str(values["accelerator"]["type"]).startswith("tpu") else "gpu"
    words = (values.get("pattern", "single-replica"), nodes, values["deployment"])
    return " ".join((*words, gateway["implementation"], gateway["auth"]["kind"]))


VARIED: Strategy = varied()
