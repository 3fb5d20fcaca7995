"""The known causes: recognized by messages of engines, pickers, Kubernetes and load balancers, or by states."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.operations.diagnose.cause import Cause

Origin = Literal[
    "engine",
    "picker",
    "pod",
    "autoscaler",
    "scheduler",
    "image",
    "start",
    "mount",
    "admission",
    "gateway",
    "endpoint",
    "scaling",
    "kserve",
    "certificate",
    "update",
]

_FILE = Path(__file__).with_name("messages.yaml")
_STATES = Path(__file__).with_name("states.yaml")
_LONGEST_EVIDENCE = 300
# The API server of vLLM ends with them when its engine has ended over something else.
_CONSEQUENCES = ("engine-core", "engine-dead")
# As Python prints an exception: its type, perhaps with its module, and the message.
_EXCEPTION = re.compile(r"(?<![\w.])[\w.]*(?:Error|Exception|OutOfResources): \S[^\n]*")
# Words by which a text shows who wrote it. Others are known from where they are read.
_WRITERS: dict[Origin, tuple[str, ...]] = {
    "mount": ("MountVolume", "AttachVolume", "MountDevice", "attach or mount volumes", "to provision volume"),
    "image": ("ailed to pull", "ailed to resolve reference", "pulling image", "/manifests/", "httpReadSeeker"),
    "scheduler": ("nodes are available",),
    "autoscaler": ("trigger scale-up", "Node scale up", "nodepool"),
    "admission": ("Error creating:", "create Pod ", "denied the request", "is forbidden: ", "calling webhook"),
    "gateway": ("HTTPRoute", "backendRef", "certificate reference", "Referenced ExtensionRef"),
    "picker": ('"level":', "unknown flag: --"),
    "engine": ("Error: ", "gcsfuse", "getConnWithRetry"),
    "certificate": ("GoogleCloud API", "acme", "ACME", "challenge", "http-01", "dns-01"),
    "kserve": ("LLMInferenceService", "HTTPRoute ", "nference Pool ", "nference pool "),
    "scaling": (
        "scaler",
        "external metrics API",
        "Prometheus",
        "prometheus",
        "ScaledObject",
        "stackdriver",
        "GCM",
        "metric",
    ),
    "update": (
        *(
            "googleapi: Error",
            "\nerror: ",
            "\nError: ",
            "\nwarning: ",
            "** error: ",
            "Error 400: ",
            "ResponseError: code=",
            "github.com/pulumi/",
            "error: transport",
        ),
        *(
            "API server reported",
            "running in IGM",
            "calling webhook",
            "admission webhook",
            "HttpError 4",
            "cannot patch",
        ),
    ),
}
# Words that many programs print: alone they mean a cause only where the text shows who wrote it.
_GENERAL = {
    *("not found", "does not exist", "lready exists", "no such host", "connection refused", "i/o timeout", "dial tcp"),
    *("context canceled", "context deadline exceeded", "unexpected EOF", "x509: ", "certificate"),
    *(" is invalid: ", "denied the request", "strict decoding error", 'unknown field "', 'is forbidden: User "'),
}
# Characters of a long line that are shown in front of the words.
_BEFORE = 60


class Message(BaseModel):
    """One message. It matches a text with every one of `contains`, one of `contains_one`, and none of `without`.

    A `general` one has words that a log may have without ending over them: of a log only its last exception counts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    origin: Origin = Field(alias="in")
    contains: tuple[str, ...] = ()
    contains_one: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    general: bool = False
    cause: str
    fix: str
    pitfalls: tuple[int, ...] = ()
    example: str
    source: str

    def matches(self, text: str) -> bool:
        return (
            bool(self.contains or self.contains_one)
            and all(word in text for word in self.contains)
            and (not self.contains_one or any(word in text for word in self.contains_one))
            and not any(word in text for word in self.without)
        )

    def words(self, text: str) -> set[str]:
        """What a text was recognized by."""
        return {*self.contains, *(word for word in self.contains_one if word in text)}

    def specificity(self, text: str) -> int:
        """Characters of a text that it was recognized by."""
        longest = max((len(word) for word in self.contains_one if word in text), default=0)
        return sum(map(len, self.contains)) + longest

    def evidence(self, text: str) -> str:
        """The words around the last place in a text that the message was recognized by, of one line."""
        words = (*self.contains[:1], *self.contains_one)
        lines = [line.strip() for line in text.splitlines() if any(word in line for word in words)]
        if not lines:
            return _shortened(text.strip())
        line = lines[-1]
        place = min(line.index(word) for word in words if word in line)
        start = max(0, place - _BEFORE) if len(line) > _LONGEST_EVIDENCE else 0
        return _shortened(f"...{line[start:]}" if start else line)


@functools.cache
def messages() -> dict[str, Message]:
    """Every message by id, in the order in which they are tried."""
    document = read_yaml(_FILE)
    return TypeAdapter(dict[str, Message]).validate_python(document)


class State(BaseModel):
    """A cause that shows without a known message. `waits`: nothing is wrong yet, and the thing to do is to wait.

    One of `words` is in printed words of this kind; they count where no message is known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cause: str
    fix: str
    pitfalls: tuple[int, ...] = ()
    waits: bool = False
    words: tuple[str, ...] = ()


@functools.cache
def states() -> dict[str, State]:
    """Every state by the id of its cause."""
    return TypeAdapter(dict[str, State]).validate_python(read_yaml(_STATES))


def cause_of_state(name: str, subject: str, evidence: str, **values: object) -> Cause:
    """The cause of a state. `values` fill in the words in braces of its text."""
    state = states()[name]
    return Cause(
        id=name,
        subject=subject,
        cause=state.cause.format(**values),
        evidence=evidence,
        fix=state.fix,
        pitfalls=state.pitfalls,
        waits=state.waits,
    )


def recognize(origin: Origin, text: str, subject: str) -> Cause | None:
    return next((cause for _, cause in _matches(text, subject, origin)), None)


def recognize_anywhere(text: str, subject: str) -> tuple[Cause, ...]:
    """One cause for each origin that could have written a line of the text, the likeliest first.

    That is an origin whose own words are in it; of several, the one with the most specific message. General words of an
    origin whose own words are missing name no cause.
    """

    lines = "".join(f"\n{line.strip()}" for line in text.splitlines())

    def written(origin: Origin) -> bool:
        return any(words in lines for words in _WRITERS.get(origin, ()))

    by_origin: dict[Origin, tuple[Message, Cause]] = {}
    for message, cause in _matches(text, subject):
        if written(message.origin) or not message.words(text) <= _GENERAL:
            by_origin.setdefault(message.origin, (message, cause))

    def unlikeliness(match: tuple[Message, Cause]) -> tuple[bool, int, bool]:
        origin = match[0].origin
        return not written(origin), -match[0].specificity(text), origin != "update"

    # One line is of one origin.
    by_line: dict[str, Cause] = {}
    for _, cause in sorted(by_origin.values(), key=unlikeliness):
        by_line.setdefault(cause.evidence, cause)
    return tuple(by_line.values())


def state_in_words(text: str, subject: str) -> tuple[Cause, ...]:
    """The kind of failure that unknown words are about, by the component that prints such words."""
    name = next((name for name, state in states().items() if any(word in text for word in state.words)), None)
    return () if name is None else (cause_of_state(name, subject, last_words(text)),)


def _matches(text: str, subject: str, origin: Origin | None = None) -> Iterator[tuple[Message, Cause]]:
    exception = last_exception(text)
    for name, message in messages().items():
        read = exception if message.general and exception is not None else text
        if origin in (None, message.origin) and message.matches(read):
            evidence = (exception if name in _CONSEQUENCES else None) or message.evidence(read)
            yield (
                message,
                Cause(
                    id=name,
                    subject=subject,
                    cause=message.cause,
                    evidence=evidence,
                    fix=message.fix,
                    pitfalls=message.pitfalls,
                ),
            )


def last_exception(text: str) -> str | None:
    """The last exception of a log that is not the consequence of another process's."""
    consequences = [messages()[name] for name in _CONSEQUENCES]
    exceptions = [
        match[0] for match in _EXCEPTION.finditer(text) if not any(end.matches(match[0]) for end in consequences)
    ]
    return _shortened(exceptions[-1].strip()) if exceptions else None


def last_words(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return _shortened(lines[-1]) if lines else "the log is empty"


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_EVIDENCE else f"{text[: _LONGEST_EVIDENCE - 3]}..."
