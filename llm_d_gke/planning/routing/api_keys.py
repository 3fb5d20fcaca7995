"""The filter that asks for an API key, in Envoy's Lua: Envoy's own filter of that name holds keys in its configuration.

A key in the configuration of a proxy would be in a custom resource, in the cluster's database and in the state. The
filter reads a file in place of it, which the kubelet keeps equal to a Secret. It looks at the file again every few
seconds, so that keys are added or removed without a restart. Without a readable file all requests are refused.

Sources: envoyproxy.io/docs, "Lua"; kubernetes.io/docs/concepts/configuration/secret ("Mounted Secrets are updated
automatically").
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from pathlib import Path

from llm_d_gke.planning.routing.api_paths import API_PATHS, MODELS_LIST

# The verified owner of the key, for limits and logs.
CLIENT_HEADER = "x-llm-d-client"

# Headers by which pickers tell clients apart and find their InferenceObjective. The first of each is that of llm-d's
# router, which reads the second as well; the second is the only one of the extension's pickers v1.2 to v1.5 and of
# llm-d's scheduler (pkg/epp/metadata/consts.go of both).
FAIRNESS_HEADERS = ("x-llm-d-inference-fairness-id", "x-gateway-inference-fairness-id")
OBJECTIVE_HEADERS = ("x-llm-d-inference-objective", "x-gateway-inference-objective")

# Headers by which a client would choose the replica, the model or the host that prefills: they are the picker's to set
# (the same file; pkg/sidecar/proxy of llm-d's scheduler).
INTERNAL_HEADERS = (
    "x-llm-d-model-name-rewrite",
    "x-gateway-model-name-rewrite",
    "x-gateway-destination-endpoint",
    "x-gateway-destination-endpoint-subset",
    "x-llm-d-inference-ttl",
    "x-prefiller-host-port",
    "x-encoder-hosts-ports",
    "x-data-parallel-host-port",
)

READ_AGAIN_SECONDS = 5

# Parameters are written as <name>.
_PROGRAM = Path(__file__).with_suffix(".lua")


def key_filter(path: str) -> str:
    """The program of the filter, which names the client to the picker and passes on the API's methods only.

    `path` is the file with a line for each key: the client's name, a blank, the key. The name up to its first dot is
    the client, so that a client can have several keys while one replaces the other.
    """
    parameters = {
        "file": path,
        "seconds": str(READ_AGAIN_SECONDS),
        "client": CLIENT_HEADER,
        "inference": _list(path.value for path in API_PATHS),
        "models": MODELS_LIST[0].value,
        "internal": _list(INTERNAL_HEADERS),
        "naming": _list((*FAIRNESS_HEADERS, *OBJECTIVE_HEADERS)),
    }
    return with_values(_PROGRAM, parameters)


def with_values(file: Path, values: Mapping[str, str]) -> str:
    """A Lua program in which each `<name>` is replaced."""
    program = _text(file)
    for name, value in values.items():
        program = program.replace(f"<{name}>", value)
    return program


@functools.cache
def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def _list(texts: Iterable[str]) -> str:
    """Elements of a Lua table."""
    return ", ".join(f'"{text}"' for text in texts)
