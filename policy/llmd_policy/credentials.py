"""The rule about secrets outside of Secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from .resources import Resource, Violation

# Forms that only credentials have: of the Hub, GitHub, OpenAI, Amazon, Google, keys in PEM, passwords in addresses.
_FORMS = re.compile(
    r"\b(hf_[A-Za-z0-9]{30,}|gh[opsu]_[A-Za-z0-9]{36}|github_pat_\w{22,}|sk-[A-Za-z0-9_-]{20,}|AKIA[0-9A-Z]{16}"
    r"|AIza[\w-]{35}|ya29\.[\w-]{20,})|-----BEGIN [A-Z ]*PRIVATE KEY-----|[a-z]://[^/\s:@{}$]+:[^/\s:@{}$<>]+@"
)
_NAMES = re.compile(
    r"(password|passwd|passphrase|(bearer|access|api|auth)_?token|(api|secret|access|private)_?key)", re.I
)
_OPTIONS = re.compile(r"--(api-key|hf-token|token|password|secret)(=(?P<value>.+))?")
# What stands for a value: of Pulumi, of a shell or of a container's environment.
_REFERENCE = re.compile(r"\[(secret|unknown)\]|\$.*|/.*|")


def clear_secrets(resources: Sequence[Resource], _: Mapping[str, Any]) -> list[Violation]:
    """Credentials by their form, by the name of their field, and behind an option of a program."""
    return [
        Violation(
            resource=resource.object_name,
            message=f"{resource.kind} {resource.object_name}: {place or 'it'} has a secret in the clear",
            urn=resource.urn,
        )
        for resource in resources
        if resource.kind != "Secret"
        for place in dict.fromkeys(_places(resource.properties, ""))
    ]


def _places(value: Any, place: str) -> Iterator[str]:
    """Paths of the fields that hold a secret."""
    if isinstance(value, str):
        if _FORMS.search(value):
            yield place.lstrip(".")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if isinstance(item, str) and _NAMES.fullmatch(str(key)) and not _REFERENCE.fullmatch(item):
                yield f"{place}.{key}".lstrip(".")
            yield from _places(item, f"{place}.{key}")
    elif isinstance(value, Sequence):
        if any(_is_given(str(word), str(after)) for word, after in pairwise([*value, ""])):
            yield place.lstrip(".")
        for index, item in enumerate(value):
            yield from _places(item, f"{place}[{index}]")


def _is_given(word: str, after: str) -> bool:
    option = _OPTIONS.fullmatch(word)
    return option is not None and not _REFERENCE.fullmatch(option["value"] or after)
