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


_OF_CPU_POOL = "nodes of the CPU pool are on demand, in the zones of the cluster: pickers and controllers run there"
_OF_PLATFORM = "the release decides on versions and values of what the stack installs"
_OF_NODES = "the planner derives it for the nodes of the pool"
_WHOLE = "each replica has whole accelerators, and parts of one are not planned"
_ALWAYS = "every cluster that the stack creates has it"
_OWN_CONFIG = "a configuration of your own is one document, not single parts of it"
# By the group at the top, for the keys of all groups in it.
_GROUPS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "accelerator": {
        **dict.fromkeys(
            ("bootdisktype", "disktype", "imagetype", "labels", "localssd", "localssdcount", "taints", "tolerations"),
            (_OF_NODES, "remove it"),
        ),
        **dict.fromkeys(
            ("gpupartitionsize", "gpusharing", "maxsharedclientspergpu", "mig", "mps", "timesharing"),
            (_WHOLE, "remove it, or use a machine type with a smaller accelerator: make catalog KIND=accelerators"),
        ),
    },
    "budget": {
        "currency": ("prices are in US dollars", "remove it, and convert the amount of maxMonthlyUsd"),
        **dict.fromkeys(
            ("daily", "maxdailyusd", "hourly", "maxhourlyusd", "maxyearlyusd", "yearly"),
            ("a budget is for a month of 730 hours", "use maxMonthlyUsd with the amount of a month"),
        ),
    },
    "cluster": dict.fromkeys(
        (
            "dataplane",
            "dataplanev",
            "datapathprovider",
            "gatewayapi",
            "secureboot",
            "shieldednodes",
            "workloadidentity",
            "workloadpool",
        ),
        (_ALWAYS, "remove it"),
    ),
    "picker": {
        **dict.fromkeys(
            ("featuregates", "plugins", "profiles", "schedulingprofiles"),
            (_OWN_CONFIG, "move it below picker.config, which replaces preset and scorers"),
        ),
        "image": ("the picker is the release's", "remove it, or name another release in picker.release"),
        "enabled": ("every stack has a picker: it chooses the replica of each request", "remove it"),
    },
    "cpuPool": dict.fromkeys(
        ("preemptible", "provisioning", "reservation", "spot", "zone", "zones"), (_OF_CPU_POOL, "remove it")
    ),
    "gateway": {
        **dict.fromkeys(
            ("clientsecret", "oauthclientsecret"),
            (
                "the OAuth client's secret is read from a Secret of the namespace, so that it stands in no file",
                "remove it, create a Secret with the entry key, and name it in existingSecret",
            ),
        ),
        **dict.fromkeys(
            ("keys", "tokens"),
            (
                "keys are a setting of their own, so that they are encrypted one by one",
                "remove it: pulumi config set --path --secret llm-d:apiKeys.my-team ...",
            ),
        ),
        **dict.fromkeys(
            ("port", "ports", "httpport", "httpsport"),
            ("the Gateway listens on port 80, and with gateway.tls on 443", "remove it"),
        ),
        "dnszone": ("the stack creates no DNS records", "remove it, and point a record at the output gatewayAddress"),
    },
    "platform": dict.fromkeys(
        ("chart", "image", "namespace", "release", "tag", "values", "version"),
        (_OF_PLATFORM, "remove it; llm-d:release chooses them, and existing: true stands for one that a cluster has"),
    ),
}


def owner_of(path: tuple[str | int, ...], letters: str) -> tuple[str, str] | None:
    """Why a key of a model or of a group is no setting, and what to write. None for other keys."""
    if len(path) > 1 and letters in _GROUPS.get(str(path[0]), {}):
        return _GROUPS[str(path[0])][letters]
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
