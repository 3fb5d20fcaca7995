"""Finds the engine container of a pod and reads which model it serves."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llm_d_gke.operations.adopt_manifests.left_out import LeftOut, left_out_of_pod
from llm_d_gke.operations.adopt_manifests.servers import Json, Role, Server, int_or, listing, mapping

ACCELERATOR_RESOURCES = ("nvidia.com/gpu", "google.com/tpu")
_SERVE = re.compile(
    r"(?:^|[\s;&|(])(?:exec\s+)?(?:\S*/)?"
    r"(vllm\s+serve|python3?\s+-m\s+(?:vllm\.entrypoints\.openai\.api_server|dynamo\.vllm))\s"
)
# What a server's KV connector does, and how Dynamo says the same.
_PREFILL = re.compile(r"kv_producer|--is-prefill-worker|--disaggregation-mode[ =]prefill")
_DECODE = re.compile(r"kv_consumer|--is-decode-worker|--disaggregation-mode[ =]decode")
_REFERENCE = re.compile(r"\$\((\w+)\)|\$\{(\w+)\}|\$(\w+)")
_OPEN = re.compile(r"\$[\w({@]|\{\{")
_ASSIGNMENT = re.compile(
    r"""^\s*(?:export\s+)?(?P<name>[A-Za-z_]\w*)=(?P<value>"[^"\n]*"|'[^'\n]*'|[^\s;&|"'`]*)\s*$""", re.MULTILINE
)
# KServe's variable of arguments that its own command adds.
ADDITIONAL = "VLLM_ADDITIONAL_ARGS"
# A stack file does not hold the content of a Secret, and Kubernetes sets the other variables itself.
_SET_BY_PROGRAM = ("POD_IP", "POD_NAME", "NAMESPACE", "HOSTNAME", "NODE_NAME")
_TOKENS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_TOKEN", "VLLM_API_KEY")


def engine_container(pod: Json) -> Json | None:
    """The container of a PodSpec that runs vLLM, or None."""
    containers = [container for container in listing(pod, "containers") if isinstance(container, Mapping)]
    runs = [container for container in containers if command_of(container) is not None]
    takes = [
        container
        for container in containers
        if _accelerators(container)[0] and "vllm" in str(container.get("image", ""))
    ]
    return next(iter((*runs, *takes)), None)


def read_pod(pod: Json, *, origin: str, replicas: int, **more: Any) -> Server | None:
    """The server that a PodSpec runs. None for a pod of anything else. `more` are fields of Server."""
    container = engine_container(pod)
    if container is None:
        return None
    arguments = command_of(container) or tuple(str(argument) for argument in listing(container, "args"))
    return server_of(container, pod, arguments, origin=origin, replicas=replicas, **more)


def server_of(
    container: Json, pod: Json, arguments: Sequence[str], *, origin: str, replicas: int, **more: Any
) -> Server:
    """The server of a container whose `vllm serve` arguments were parsed."""
    environment = plain_environment(container)
    values = {**environment, **_assignments(container)}
    resolved = tuple(_resolve(argument, values) for argument in arguments)
    model, rest = _take_model(resolved)
    count, resource = _accelerators(container)
    selector = {str(key): str(value) for key, value in mapping(pod, "nodeSelector").items()}
    fields: dict[str, Any] = {
        "origin": origin,
        "model": model,
        "replicas": replicas,
        "arguments": rest,
        "environment": {
            key: value for key, value in environment.items() if key not in (*_SET_BY_PROGRAM, *_TOKENS, ADDITIONAL)
        },
        "image": str(container["image"]) if container.get("image") else None,
        "accelerators": count,
        "resource": resource,
        "node_selector": {**_affinity(pod), **selector},
        "role": _role(rest),
        "left_out": (
            *_tokens(environment),
            *_script_around(container),
            *left_out_of_pod(pod, container, {**_affinity(pod), **selector}),
        ),
    }
    return Server(**{**fields, **{key: value for key, value in more.items() if value is not None}})


def _role(arguments: Sequence[str]) -> Role:
    """The role that a server's own arguments name."""
    text = " ".join(arguments)
    return "prefill" if _PREFILL.search(text) else "decode" if _DECODE.search(text) else "both"


def _tokens(environment: Mapping[str, str]) -> Iterator[LeftOut]:
    """Names, never values, of keys and tokens that the document contains."""
    names = [name for name in _TOKENS if name in environment]
    if names:
        yield f"variables {', '.join(names)}", "set it again, encrypted: huggingFace.token, gateway.auth"


def _script_around(container: Json) -> Iterator[LeftOut]:
    """Commands of the container's shell script before vLLM's own."""
    for word in (*listing(container, "command"), *listing(container, "args")):
        match = _SERVE.search(f"{word} ")
        before = str(word)[: match.start(1)] if match else ""
        lines = [line.strip() for line in re.split(r"\n|&&|;", before.replace("\\\n", " "))]
        commands = [
            line.split()[0]
            for line in lines
            if line and not line.startswith(("#", "set ", "exec", "then", "if ", "fi")) and not _ASSIGNMENT.match(line)
        ]
        if commands:
            yield f"script with {', '.join(dict.fromkeys(commands))}", "the image's own command starts vLLM"


def is_open(text: str) -> bool:
    """Whether a text still refers to a variable or a template, whose value is not in the files."""
    return _OPEN.search(text) is not None


def _assignments(container: Json) -> dict[str, str]:
    """Variables that a container's shell script sets to plain values, such as `model=Qwen/Qwen3-8B`."""
    words = (*listing(container, "command"), *listing(container, "args"))
    assignments = {
        match["name"]: match["value"].strip("'\"") for word in words for match in _ASSIGNMENT.finditer(str(word))
    }
    return {name: value for name, value in assignments.items() if not is_open(value)}


def plain_environment(container: Json) -> dict[str, str]:
    return {
        str(variable["name"]): str(variable["value"])
        for variable in listing(container, "env")
        if isinstance(variable, Mapping) and variable.get("name") and variable.get("value") is not None
    }


def command_of(container: Json) -> tuple[str, ...] | None:
    """Arguments of `vllm serve`. None where the container runs something else or its image decides."""
    words = [str(word) for word in (*listing(container, "command"), *listing(container, "args"))]
    for text in (*[word for word in words if "\n" in word or " " in word], shlex.join(words)):
        match = _SERVE.search(text + " ")
        if match:
            return words_of(text[match.end() - 1 :])
    if any(word.startswith("--model") for word in words):
        start = next(index for index, word in enumerate(words) if word.startswith("--"))
        return tuple(words[start:])
    return None


def words_of(script: str) -> tuple[str, ...]:
    """The words of a command of a shell script, up to its end."""
    script = script.replace("\\\n", " ")
    lexer = shlex.shlex(script, posix=True, punctuation_chars=";&|\n")
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t\r", True, ""
    words: list[str] = []
    try:
        for word in lexer:
            if set(word) <= set(";&|\n"):
                break
            words.append(word)
    except ValueError:  # a quote that is not closed: the words before it count
        pass
    return tuple(words)


def _resolve(text: str, environment: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        name = next(group for group in match.groups() if group)
        return environment.get(name, match.group())

    return _REFERENCE.sub(value, text)


def _take_model(arguments: Sequence[str]) -> tuple[str | None, tuple[str, ...]]:
    """The model of the arguments, positional or by `--model`, and the other arguments."""
    rest = list(arguments)
    model = rest.pop(0) if rest and not rest[0].startswith("-") else None
    others: list[str] = []
    index = 0
    while index < len(rest):
        flag, equals, value = rest[index].partition("=")
        if flag in ("--model", "--model-tag"):
            if not equals:
                index += 1
                value = rest[index] if index < len(rest) else ""
            model = value or model
        else:
            others.append(rest[index])
        index += 1
    return model, tuple(others)


def _accelerators(container: Json) -> tuple[int, str | None]:
    for kind in ("limits", "requests"):
        amounts = mapping(container, "resources", kind)
        for resource in ACCELERATOR_RESOURCES:
            if int_or(amounts.get(resource), 0):
                return int_or(amounts[resource], 0), resource
        for resource, amount in amounts.items():
            if str(resource).endswith(("/gpu", "/tpu", ".gpu", "-gpu")) and int_or(amount, 0):
                return int_or(amount, 0), str(resource)
    return 0, None


def _affinity(pod: Json) -> dict[str, str]:
    """Labels that a pod's required node affinity fixes to one value."""
    terms = listing(
        pod, "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms"
    )
    if len(terms) != 1:
        return {}
    return {
        str(expression["key"]): str(expression["values"][0])
        for expression in listing(terms[0], "matchExpressions")
        if isinstance(expression, Mapping)
        and expression.get("operator") == "In"
        and len(listing(expression, "values")) == 1
    }
