"""Keys that are no settings because something else decides them: the planner, the engine's arguments, the request."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic.alias_generators import to_snake

from llm_d_gke.catalog.engines import load_facts, versions
from llm_d_gke.planning.suggest import nearest
from llm_d_gke.settings.fields import keys_of
from llm_d_gke.settings.models import ModelSettings

# How alike a key and a setting have to be for one to be the other misspelt.
_MISSPELT = 0.8
_OF_REQUESTS = "a request says it, as in OpenAI's API: clients send it with each prompt"
_OF_POD = "the planner derives the pod's {key} from accelerator, model and pattern"
# By the key in lower-case letters, for keys inside of a model.
_MODEL: Mapping[str, str] = {
    **dict.fromkeys(("temperature", "topp", "topk", "systemprompt", "stop", "presencepenalty"), _OF_REQUESTS),
    **dict.fromkeys(
        (
            "affinity",
            "annotations",
            "labels",
            "limits",
            "livenessprobe",
            "nodeselector",
            "podspec",
            "readinessprobe",
            "requests",
            "resources",
            "securitycontext",
            "serviceaccount",
            "serviceaccountname",
            "shmsize",
            "startupprobe",
            "tolerations",
            "volumemounts",
            "volumes",
        ),
        _OF_POD,
    ),
    "port": "clients reach all models by the Gateway's port, 80 or with gateway.tls 443",
    "autoscalingenabled": "autoscaling: {maximum: 3, target: {...}} switches it on",
}


def owner_of(path: tuple[str | int, ...], letters: str) -> tuple[str, str] | None:
    """Why a key of a model is no setting, and what to write. None for other keys."""
    if len(path) != 3 or path[0] != "models":
        return None
    key = str(path[-1])
    if letters in _MODEL:
        return _MODEL[letters].format(key=key), "remove it"
    if nearest(key, keys_of(ModelSettings), _MISSPELT) is not None:
        return None
    option = f"--{to_snake(key).replace('_', '-')}"
    if any(option in load_facts(version).options for version in versions()[-2:]):
        return (
            f"it is an argument of vLLM without a setting: {option}",
            f'write allowExtraArgs: true and extraArgs: ["{option}"], with its value as a second element if it has one',
        )
    return None
