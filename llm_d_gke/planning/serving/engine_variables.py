"""Environment variables that a stack file adds to the engine: none that the stack sets, known ones by their type."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable

from llm_d_gke.catalog.upstream import Package, load_upstream
from llm_d_gke.planning.findings import without_secrets
from llm_d_gke.planning.plan.serving import ModelServerPlan
from llm_d_gke.planning.served_model import ServedModel
from llm_d_gke.planning.setting_errors.values import flow
from llm_d_gke.planning.suggest import nearest

# Variables whose values must not be in a Deployment, and the setting to use instead.
_SECRETS = {
    "HF_TOKEN": "huggingFace.token, existingSecret or secretManagerSecret",
    "HUGGING_FACE_HUB_TOKEN": "huggingFace.token, existingSecret or secretManagerSecret",
}
# Names of credentials, and values that are none: flags, numbers, and paths of files.
_CREDENTIAL = re.compile(r"(^|_)(SECRET|TOKEN|PASSWORD|PASSWD|API_?KEY|ACCESS_KEY|PRIVATE_KEY)(_|$)")
_NO_CREDENTIAL = re.compile(r"[0-9.]*|true|false|yes|no|on|off|/.*", re.IGNORECASE)
# A misspelled name is about as long as the right one.
_TYPING_ERRORS = 2
# Set by controllers, on pods of a group.
_OF_CONTROLLERS = ("LWS_",)
# Set on pods by the node: which of its devices a container has.
_DEVICES = ("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "TPU_VISIBLE_CHIPS", "TPU_VISIBLE_DEVICES")
# Set by engine images. A value in a pod replaces the image's: Kubernetes adds nothing to it.
_OF_IMAGE = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME")
# A search path with one of these folders still finds a shell and what images install for all users.
_PROGRAMS = ("/bin", "/usr/bin", "/usr/local/bin")
# Of vLLM's own processes, not of its server (docs.vllm.ai/en/stable/configuration/env_vars).
_INTERNAL = ("VLLM_PORT", "VLLM_HOST_IP")
# What Python's logging knows: vLLM hands the word on, in capitals (vllm/logger.py of 0.11.1 to 0.32.0).
_LEVELS = ("CRITICAL", "FATAL", "ERROR", "WARNING", "WARN", "INFO", "DEBUG", "NOTSET")
# Read elsewhere than in vllm/envs.py, whose variables are known of each version: csrc/core/batch_invariant.hpp.
_READ_ELSEWHERE = ("VLLM_BATCH_INVARIANT",)
# Without the Hub no server gets weights that are downloaded when it starts.
_OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
# With it the engine requires a key of probes and of the endpoint picker, which they do not have.
_API_KEY = "VLLM_API_KEY"


def check_variables(served: ServedModel, servers: Iterable[ModelServerPlan]) -> None:
    """Findings about `models[].env`."""
    variables, of_stack = _stated(served, servers)
    if not variables:
        return
    if not served.settings.allow_extra_args:
        served.error("LLMD-ENV-ALLOWED", "env", value=flow(without_secrets(dict(variables), ())))
    for name, value in variables.items():
        if not _check_purpose(served, name, value, of_stack=name in of_stack):
            _check_known(served, name, value)


def _stated(served: ServedModel, servers: Iterable[ModelServerPlan]) -> tuple[dict[str, str], set[str]]:
    """Variables that the stack file adds or changes, and the names that the stack itself sets.

    One with the value that the stack gives it changes nothing, and needs no consent.
    """
    pods = [server.pod.env for server in servers]
    own = {variable.name for env in pods for variable in env if not variable.of_stack_file}
    added = {variable.name for env in pods for variable in env if variable.of_stack_file}
    return {name: value for name, value in served.settings.env.items() if name in added or name not in own}, own


def _check_purpose(served: ServedModel, name: str, value: str, *, of_stack: bool) -> bool:
    """Report a variable that is the stack's, or means something else than its writer expects. Returns whether it is."""
    path = ("env", name)
    if of_stack or name.startswith(_OF_CONTROLLERS):
        served.error(
            "LLMD-ENV-OWNED", *path, case="stack" if not name.startswith(_OF_CONTROLLERS) else "controller", name=name
        )
    elif name in _SECRETS:
        served.error("LLMD-ENV-SECRET", *path, value="(hidden)", secrets=_SECRETS[name])
    elif name in _DEVICES:
        served.error("LLMD-ENV-DEVICES", *path, name=name)
    elif name in _OF_IMAGE:
        certain = name == "PYTHONHOME" or (name == "PATH" and not {*value.split(":")} & {*_PROGRAMS})
        served.add_finding("LLMD-ENV-IMAGE", *path, certain=certain, name=name)
    elif name in _INTERNAL and "://" not in value:
        served.warning("LLMD-ENV-INTERNAL", *path, name=name)
    elif (
        name in _OFFLINE
        and served.settings.source.kind == "hugging-face"
        and value.lower() in ("1", "true", "yes", "on")
    ):
        served.error("LLMD-ENV-OFFLINE", *path, name=name)
    elif name == _API_KEY:
        served.error("LLMD-ENV-API-KEY", *path, value="(hidden)")
    else:
        return False
    return True


def _check_known(served: ServedModel, name: str, value: str) -> None:
    upstream, version, path = load_upstream(), served.version, ("env", name)
    packages = (upstream.vllm, *((upstream.tpu_inference,) if served.accelerator.kind == "tpu" else ()))
    package = next((package for package in packages if name in package.variables), None)
    if package is not None and package.knows_variable(name, version):
        type_ = package.variables[name].type_in(version)
        expected = _expected(type_, value)
        if name == "VLLM_LOGGING_LEVEL" and value.upper() not in _LEVELS:
            type_, expected = "|".join(reversed(_LEVELS[2:7])), "a level of Python's logging, such as INFO or DEBUG"
        if expected is not None:
            served.error("LLMD-ENV-TYPE", *path, name=name, expected=expected, example=_example(type_, value))
    elif _CREDENTIAL.search(name.upper()) and not _NO_CREDENTIAL.fullmatch(value):
        served.warning("LLMD-ENV-CREDENTIAL", *path, value="(hidden)")
    if name.upper().startswith("VLLM_") and _is_missing(packages, name, version):
        served.warning("LLMD-ENV-UNKNOWN", *path, name=name, fix=_known_name(packages, name, version))


def _known_name(packages: tuple[Package, ...], name: str, version: str) -> str:
    variables = [
        other
        for package in packages
        for other, variable in package.variables.items()
        if variable.in_version(version) and abs(len(other) - len(name)) <= _TYPING_ERRORS
    ]
    close = nearest(name.upper(), variables, 0.9)
    return f"did you mean {close}?" if close else "check its name and the version that has it, or remove it"


def _is_missing(packages: tuple[Package, ...], name: str, version: str) -> bool:
    """Whether the packages of versions around this one lack the variable."""
    vllm, *others = packages
    if name in _READ_ELSEWHERE:
        return False
    return vllm.lacks_variable(name, version) and not any(
        name in package.variables and package.variables[name].in_version(version) for package in others
    )


def _expected(type_: str, value: str) -> str | None:
    """The accepted values of a variable of this type, if this value is not one of them."""
    match type_:
        case "bool":
            return None if value in ("0", "1") else "0 or 1"
        case "switch":
            return None if value.lower() in ("0", "1", "true", "false") else "0 or 1"
        case "int":
            return None if value.lstrip("-").isascii() and value.lstrip("-").isdigit() else "a whole number"
        case "float":
            return None if _is_number(value) else "a number"
        case "text":
            return None
        case "json":
            return None if value.startswith("/") or _is_json(value) else "JSON, or the path of a file with it"
        case choices:
            values = choices.split("|")
            word = value.lower() if choices == _WORDS else value
            return None if word in values else " or ".join(allowed or "nothing" for allowed in values)


# vLLM compares these with the value in small letters.
_WORDS = "true|false"
# The same meaning in the words of another type.
_SAME = {"1": "true", "0": "false", "true": "1", "false": "0"}


def _example(type_: str, value: str) -> str:
    values = {"bool": ["1", "0"], "switch": ["1", "0"], "int": ["2"], "float": ["0.5"], "json": ["{}"]}.get(
        type_, type_.split("|")
    )
    same = _SAME.get(value.lower(), "")
    return same if same in values else next(filter(None, values))


def _is_json(value: str) -> bool:
    try:
        json.loads(value)
    except ValueError:
        return False
    return True


def _is_number(value: str) -> bool:
    try:
        return math.isfinite(float(value))
    except ValueError:
        return False
