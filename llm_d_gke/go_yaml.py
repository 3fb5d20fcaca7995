"""YAML that is read by the parser of Kubernetes, which takes some texts that PyYAML writes bare for other values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

# Texts that PyYAML writes bare and the parser of Kubernetes reads as a number or a boolean.
_NOT_TEXT_IN_GO = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|0o[0-7]+|[yYnN]")


def yaml_fault(error: yaml.YAMLError | UnicodeDecodeError) -> str:
    """What is wrong with a document, with the line and column where the parser noticed it."""
    if isinstance(error, UnicodeDecodeError):
        return "it is no text in UTF-8"
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    return problem if mark is None else f"line {mark.line + 1}, column {mark.column + 1}: {problem}"


class _Dumper(yaml.SafeDumper):
    """Shows a text of many lines as it is, and never an alias: a manifest is read by people."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else '"' if _NOT_TEXT_IN_GO.fullmatch(value) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def dump_yaml(*documents: Mapping[str, Any] | Sequence[Any], width: int = 80) -> str:
    """The documents, keys in their order, `---` between two. Lines are folded at `width` characters."""
    return yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=width)
