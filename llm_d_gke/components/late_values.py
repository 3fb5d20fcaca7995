"""Settings that a program gives as Pulumi outputs: secrets, and names of a network that the program creates.

Planning happens before any output has a value. It works on a stand-in, a text that is valid where the setting is used,
and the components put the output in its place. Other settings decide on what is planned, so that outputs are refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import pulumi

from llm_d_gke.planning import Finding
from llm_d_gke.planning.findings import path_of
from llm_d_gke.planning.plan.stack import StackPlan
from llm_d_gke.planning.serving.pod_volumes import stack_of_digest, token_digest
from llm_d_gke.wording import LOGGED_WIDTH, wrapped

# Paths below which outputs are accepted. `*` is any key.
ACCEPTED = (
    ("huggingFace", "token"),
    ("registry", "password"),
    ("apiKeys", "*"),
    ("network", "existing", "network"),
    ("network", "existing", "subnetwork"),
    ("network", "existing", "podRange"),
    ("network", "existing", "serviceRange"),
)
_TOKEN = ("huggingFace", "token")
# Outputs of these may be names, ids or self links, as plain values may be.
_NAMES = (("network", "existing", "network"), ("network", "existing", "subnetwork"))

Path = tuple[str | int, ...]
Late = dict[str, pulumi.Output[str]]


class OutputRefusedError(pulumi.RunError, ValueError):
    """Settings that planning needs were given as outputs. `paths` has each as findings write it."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self.paths = tuple(path_of(*path) for path in paths)
        accepted = ", ".join(".".join(parts).replace("*", "NAME") for parts in ACCEPTED)
        subject = f"{self.paths[0]} is an output" if len(self.paths) == 1 else f"{', '.join(self.paths)} are outputs"
        sentence = (
            f"{subject}, and such values decide on what is planned: give plain ones, for example from the configuration"
            f" of the Pulumi stack. Outputs are accepted for {accepted}."
        )
        super().__init__(wrapped(sentence, LOGGED_WIDTH))


def separate_outputs(values: Mapping[str, Any]) -> tuple[dict[str, Any], Late]:
    """Replace outputs by stand-ins. Returns the settings to plan with, and the outputs by what stands for them.

    Raises `OutputRefusedError` for outputs elsewhere.
    """
    late: Late = {}
    refused: list[Path] = []
    project = _network_project(values)

    def replaced(path: Path, output: pulumi.Output[Any]) -> str:
        text = _stand_in(path)
        if not any(_matches(path, accepted) for accepted in ACCEPTED):
            refused.append(path)
        else:
            late[text] = output.apply(lambda value: _short_name(path, value, project)) if path in _NAMES else output
        return text

    plain = _walk((), values, replaced)
    if refused:
        raise OutputRefusedError(refused)
    return plain, late


def _stand_in(path: Path) -> str:
    digest = hashlib.sha256(path_of(*path).encode()).hexdigest()[:40]
    return f"hf_{digest}" if path == _TOKEN else f"late-{digest}"


def with_setting_names(findings: Iterable[Finding], late: Late) -> list[Finding]:
    """The findings with the path of each setting in place of its stand-in, which means nothing to a reader."""
    names = {_stand_in(path): ".".join(path) for path in ACCEPTED if _stand_in(path) in late}

    def named(text: str) -> str:
        for stand_in, name in names.items():
            text = text.replace(stand_in, name)
        return text

    return [
        replace(finding, value=named(finding.value), rule=named(finding.rule), fix=named(finding.fix))
        for finding in findings
    ]


def _network_project(values: Mapping[str, Any]) -> str | None:
    """The project in which planning expects the network. None where it is not known."""
    network = values.get("network")
    existing = network.get("existing") if isinstance(network, Mapping) else None
    host = existing.get("project") if isinstance(existing, Mapping) else None
    project = host or values.get("project")
    return project if isinstance(project, str) else None


def _short_name(path: Path, value: object, project: str | None) -> str:
    """The name in `value`, which is a name, or an id or self link in this project. Raises RunError for others."""
    where = path_of(*path)
    if not isinstance(value, str) or not value:
        raise pulumi.RunError(
            f"{where} is an output without a value: give the name, id or self_link of the resource. In a unit test,"
            " mocks have to return it: llm_d_gke.testing.Mocks does"
        )
    parts = value.split("/")
    if "projects" in parts[:-1]:
        named = parts[parts.index("projects") + 1]
        if project is not None and named != project:
            raise pulumi.RunError(
                f"{where} is {value}, which is in project {named}, and the stack looks for it in {project}: set"
                f" network.existing.project: {named}"
            )
    return parts[-1]


def with_digest(late: Late, plan: StackPlan) -> Late:
    """The outputs, and the digest of the token that pods have as an annotation, by the digest of its stand-in."""
    stand_in = plan.hugging_face.token.get_secret_value() if plan.hugging_face.token is not None else ""
    if stand_in not in late:
        return late
    stack = stack_of_digest(plan.project, plan.stack)
    # Salted and slow to test guesses against, so that it need not be hidden.
    digest = pulumi.Output.unsecret(late[stand_in].apply(lambda token: token_digest(token, stack)))
    return {**late, token_digest(stand_in, stack): digest}


def _walk(path: Path, value: Any, replaced: Callable[[Path, pulumi.Output[Any]], str]) -> Any:
    if isinstance(value, pulumi.Output):
        return replaced(path, value)
    if isinstance(value, Mapping):
        return {key: _walk((*path, str(key)), item, replaced) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_walk((*path, index), item, replaced) for index, item in enumerate(value)]
    return value


def _matches(path: Path, accepted: Path) -> bool:
    return len(path) == len(accepted) and all(b in (a, "*") for a, b in zip(path, accepted, strict=True))
