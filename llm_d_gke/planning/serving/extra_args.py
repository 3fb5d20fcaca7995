"""Arguments in `extraArgs` that the planner renders itself, or that break what it has planned around the engine."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from llm_d_gke.planning.engine_support.options import SETTINGS, long_form
from llm_d_gke.planning.findings import without_secrets
from llm_d_gke.planning.served_model import ServedModel
from llm_d_gke.planning.serving.hub_revision import commit_of
from llm_d_gke.planning.setting_errors.values import flow


@dataclass(frozen=True)
class Owned:
    """Why the planner sets an argument itself, and the setting to use instead."""

    why: str
    instead: str


_NETWORK = "probes, picker, Gateway and network policies reach the engine where the planner has put it"
_SPREAD = "pods, hosts and accelerators are planned for the parallelism of the settings"
_BY_NAME = "the names that this version of the engine knows are checked where a setting gives them"
_HOST = "only the setting adds memory for these KV-cache blocks to the pod"
_KEY = (
    "with a key, vLLM answers 401 to probes on /v1/models, so the pod never gets ready; and the key would stand in the"
    " stack file in plain text"
)
_AUTHENTICATE = "remove it, and authenticate in front of the Gateway or use gateway.exposure: internal"

# Arguments of `vllm serve` (docs.vllm.ai/en/stable/cli/serve) that a setting or the planner owns, by flag.
OWNED = {
    "--port": Owned(_NETWORK, "remove it: the port inside of the pod is the planner's, clients use the Gateway's"),
    "--host": Owned(_NETWORK, "remove it: the engine has to listen on the pod's address"),
    "--uds": Owned(_NETWORK, "remove it: nothing reaches a socket inside of the pod"),
    "--root-path": Owned(_NETWORK, "remove it: routes and probes use /v1 and /health"),
    "--api-key": Owned(_KEY, _AUTHENTICATE),
    "--model": Owned("a server is planned for the memory and limits of models[].id", "set models[].id"),
    "--model-tag": Owned("a server is planned for the memory and limits of models[].id", "set models[].id"),
    "--config": Owned(
        "a file of arguments is read inside of the pod, where no check sees it", "write its arguments as settings"
    ),
    "--served-model-name": Owned(
        "routes, picker and model list know the names of the settings", "set models[].servedName or models[].aliases"
    ),
    "--revision": Owned("the commit is pinned in the catalog or in the stack file", "set models[].source.revision"),
    "--tensor-parallel-size": Owned(_SPREAD, "set models[].tensorParallel"),
    "--data-parallel-size": Owned(_SPREAD, "set models[].dataParallel"),
    "--data-parallel-size-local": Owned(_SPREAD, "set models[].dataParallel"),
    "--data-parallel-address": Owned(_SPREAD, "set models[].dataParallel"),
    "--data-parallel-rpc-port": Owned(_SPREAD, "set models[].dataParallel"),
    "--data-parallel-start-rank": Owned(_SPREAD, "set models[].dataParallel"),
    "--data-parallel-rank": Owned(_SPREAD, "set models[].dataParallel"),
    "--data-parallel-backend": Owned(_SPREAD, "set models[].dataParallel"),
    "--data-parallel-hybrid-lb": Owned(_SPREAD, "set models[].dataParallel"),
    "--data-parallel-external-lb": Owned(_SPREAD, "set models[].dataParallel"),
    "--distributed-executor-backend": Owned(_SPREAD, "remove it: the planner chooses it for the hosts of a replica"),
    "--nnodes": Owned(_SPREAD, "set models[].pipelineParallel or models[].dataParallel"),
    "--node-rank": Owned(_SPREAD, "set models[].pipelineParallel or models[].dataParallel"),
    "--master-addr": Owned(_SPREAD, "set models[].pipelineParallel or models[].dataParallel"),
    "--headless": Owned(
        "an engine without a server answers no request", "set models[].pipelineParallel or models[].dataParallel"
    ),
    "--hf-token": Owned(
        "the token would stand in the stack file and in the Deployment in plain text",
        "remove it, and set huggingFace.token, existingSecret or secretManagerSecret",
    ),
    "--disable-log-stats": Owned(
        "without its statistics the engine exports no metrics, by which the picker chooses replicas",
        "remove it; to log less, set env: {VLLM_LOGGING_LEVEL: WARNING}",
    ),
    "--kv-transfer-config": Owned(
        "KV caches go to decode servers, or to the host's memory, by connectors that the planner renders, with all"
        " that they need. It renders no others",
        "use pattern: disaggregated, or on GPUs models[].kvOffloadGib in place of an OffloadingConnector",
    ),
    "--kv-events-config": Owned(
        "events are published to the picker that reads them", "set picker.prefixRouting: precise"
    ),
    "--tool-call-parser": Owned(_BY_NAME, "set models[].toolCallParser"),
    "--enable-auto-tool-choice": Owned(_BY_NAME, "set models[].toolCallParser"),
    "--reasoning-parser": Owned(_BY_NAME, "set models[].reasoningParser"),
    "--kv-offloading-size": Owned(_HOST, "set models[].kvOffloadGib"),
    "--kv-offloading-backend": Owned(_HOST, "set models[].kvOffloadGib, which uses vLLM's own way"),
    "--enable-lora": Owned(
        "adapters are loaded by name, and routes know these names", "list them in models[].adapters"
    ),
    "--lora-modules": Owned(
        "adapters are loaded by name, and routes know these names", "list them in models[].adapters"
    ),
}


def check_extra_args(served: ServedModel, rendered: Sequence[str]) -> None:
    """Findings about `extraArgs` that are not meant, or repeat arguments of the planner.

    `rendered` are all arguments of the engine, those of `extraArgs` among them.
    """
    extra = served.settings.extra_args
    if extra and not served.settings.allow_extra_args:
        served.error("LLMD-EXTRA-ARGS-ALLOWED", "extraArgs", value=flow(without_secrets(list(extra), ())))
    planned = list(map(flag_of, rendered))
    for flag in map(flag_of, extra):
        if flag in planned:
            planned.remove(flag)
    rest = {flag for flag in planned if flag}
    for position, argument, flag in _flags(extra):
        owned = OWNED.get(flag)
        if owned is None and (flag not in rest or _repeats(extra[position:], rendered)):
            continue
        setting = SETTINGS.get(flag)
        served.error(
            "LLMD-EXTRA-ARGS-PLANNED",
            "extraArgs",
            position,
            value=without_secrets(argument, ()),
            rule=owned.why
            if owned is not None
            else "the planner passes this argument to vLLM already, and of two vLLM takes the last one",
            fix=owned.instead
            if owned is not None
            else (f"set models[{served.index}].{setting}, and remove it here" if setting else "remove it here"),
        )


def _repeats(extra: Sequence[str], rendered: Sequence[str]) -> bool:
    """Whether an argument, the first of these, is twice among all of the engine in the same words."""

    def words(arguments: Sequence[str]) -> tuple[str, ...]:
        first, *following = arguments
        values = itertools.takewhile(lambda word: not flag_of(word), following)
        return (flag_of(first), first.partition("=")[2], *values) if first.startswith("-") else ()

    own = words(extra)
    same = [argument == extra[0] and words(rendered[place:]) == own for place, argument in enumerate(rendered)]
    return same.count(True) > 1


def runs_remote_code(extra: Sequence[str]) -> bool:
    """Whether vLLM may run Python files of the model's repository."""
    return "--trust-remote-code" in extra or "--trust_remote_code" in extra


def check_remote_code(served: ServedModel) -> None:
    """A warning about code of the model's repository, by the commit of the weights."""
    if not runs_remote_code(served.settings.extra_args):
        return
    commit = commit_of(served.settings, served.model)
    served.warning(
        "LLMD-REMOTE-CODE",
        "extraArgs",
        case="commit" if commit is not None else "branch",
        value="--trust-remote-code",
        commit=commit,
    )


def _flags(arguments: Sequence[str]) -> Iterator[tuple[int, str, str]]:
    for position, argument in enumerate(arguments):
        flag = flag_of(argument)
        if flag:
            yield position, argument, flag


def flag_of(argument: str) -> str:
    """The flag of an argument in its long form, without its value: `--no-` and underscores are other spellings, and
    `--flag.part` gives a part of the flag's value.

    Empty for values. A number below zero is a value.
    """
    if not argument.startswith("-") or re.fullmatch(r"-[0-9.]+", argument):
        return ""
    name = argument.partition("=")[0].partition(" ")[0]
    name = long_form(name).partition(".")[0]
    return f"--{name.removeprefix('--no-')}" if name.startswith("--no-") else name
