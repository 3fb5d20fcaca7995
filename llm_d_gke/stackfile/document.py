"""Parses the text of a stack file: values, the line of each, and faults in words that name file and line."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml

from llm_d_gke.catalog.reading import LOADER
from llm_d_gke.settings.fields import takes_text
from llm_d_gke.settings.stack import StackSettings
from llm_d_gke.stackfile.faults import Fault, merge_faults, refuse, sign_faults, syntax_error
from llm_d_gke.stackfile.paths import StackFileError, segments
from llm_d_gke.stackfile.project import NAMESPACE

Keys = tuple[str | int, ...]
_Place = TypeVar("_Place")


def parse(path: Path) -> dict[str, Any]:
    """The document of a file. Raises StackFileError for text that is not YAML, and for duplicate keys."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise StackFileError(
            f"{path.name}, line {line}: the file has another encoding than UTF-8. Save it as UTF-8, or use letters"
            " without accents"
        ) from error
    except OSError as error:
        raise StackFileError(
            f"{path.name} cannot be read: {error.strerror}. It must be a file that your account may read"
        ) from error
    refuse(path.name, merge_faults(text))
    faults = list(sign_faults(text))
    try:
        root = _composed(text)
        if root is not None:
            _refuse_circles(path.name, root, ())
            faults += [*_twice(root), *_misread(root)]
        document = None if root is None else yaml.SafeLoader("").construct_document(root)
    except RecursionError as error:
        raise StackFileError(
            f"{path.name}: brackets or lists stand within each other hundreds of times. Remove them"
        ) from error
    except yaml.YAMLError as error:
        refuse(path.name, faults)
        if isinstance(error, yaml.MarkedYAMLError):
            raise StackFileError(syntax_error(path.name, text, error)) from error
        raise StackFileError(f"{path.name} is not valid YAML: {error}") from error
    if isinstance(document, dict):
        faults += _settings_at_the_top(text, document)
    refuse(path.name, faults)
    if document is not None and not isinstance(document, dict):
        start = f"{text.strip().splitlines()[0][:60]!r}"
        raise StackFileError(
            f"{path.name} must hold keys at its top level, and begins with {start}."
            " Write config: and the settings below"
        )
    return document or {}


def _composed(text: str) -> yaml.Node | None:
    """The nodes of a document, in a tenth of PyYAML's time. What libyaml refuses is read again for PyYAML's words."""
    try:
        return yaml.compose(text, Loader=LOADER)
    except yaml.YAMLError:
        return yaml.compose(text, Loader=yaml.SafeLoader)


def lines_of(path: Path) -> dict[Keys, int]:
    """The line of every key and list element below `config`, by path.

    Empty for a file that cannot be parsed.
    """
    try:
        root = _composed(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError):
        return {}
    line_by_keys = {keys: start.start_mark.line + 1 for keys, start, _ in _below(root)} if root is not None else {}
    return {keys[1:]: line for keys, line in line_by_keys.items() if keys[:1] == ("config",) and len(keys) > 1}


def line_of(lines: Mapping[Keys, _Place], path: str) -> _Place | None:
    """The line, or file and line, of a path in a finding; for a missing setting, that of its parent."""
    for written in (path, path.removeprefix(f"{NAMESPACE}:")):
        if (written,) in lines:
            return lines[(written,)]
    try:
        keys: Keys = tuple(segments(path))
    except StackFileError:
        return None
    while keys:
        for first in (keys[0], str(keys[0]).removeprefix(f"{NAMESPACE}:")):
            if (first, *keys[1:]) in lines:
                return lines[(first, *keys[1:])]
        keys = keys[:-1]
    return None


def has_line(lines: Mapping[Keys, object], path: str) -> bool:
    """Whether a path of a finding itself stands in the file, not only what is around it."""
    first, *rest = segments(path)
    return any((key, *rest) in lines for key in (first, str(first).removeprefix(f"{NAMESPACE}:")))


def _below(node: yaml.Node, path: Keys = ()) -> Iterator[tuple[Keys, yaml.Node, yaml.Node]]:
    """Every value below a node: its path, the node at its beginning (a key, or the element of a list), and itself."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*path, str(key.value))
            yield inner, key, value
            yield from _below(value, inner)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield (*path, index), value, value
            yield from _below(value, (*path, index))


def _refuse_circles(name: str, node: yaml.Node, around: tuple[yaml.Node, ...]) -> None:
    """A value that refers to itself by an anchor has no end."""
    if any(node is outer for outer in around):
        raise StackFileError(
            f"{name}, line {node.start_mark.line + 1}: the value has an anchor (&) and refers to itself (*) inside."
            " Write the inner value itself"
        )
    if isinstance(node, yaml.MappingNode):
        parts = [part for pair in node.value for part in pair]
    else:
        parts = node.value if isinstance(node, yaml.SequenceNode) else []
    for part in parts:
        _refuse_circles(name, part, (*around, node))


def _twice(node: yaml.Node) -> Iterator[Fault]:
    """PyYAML takes the last of two equal keys; Pulumi refuses the file. Of {max: 1,000} both make a key 000."""
    if isinstance(node, yaml.MappingNode):
        first: dict[str, int] = {}
        for key, value in node.value:
            line, text = key.start_mark.line + 1, str(key.value)
            if text in first and isinstance(key, yaml.ScalarNode) and text != "<<":
                yield Fault(
                    line,
                    f"the key {text} stands in line {first[text]} already, and one of the two values would be lost",
                    "Keep one of them",
                )
            first[text] = line
            yield from _twice(value)
        for (_, before), (key, value) in itertools.pairwise(node.value):
            digits = re.search(r"[0-9]{1,3}$", str(before.value)) if node.flow_style else None
            if digits and re.fullmatch(r"[0-9]{3}", str(key.value)) and value.value == "":
                whole = re.sub(r"^\D+", "", str(before.value)) + str(key.value)
                yield Fault(
                    key.start_mark.line + 1,
                    f"in braces a comma ends the value {before.value}, and {key.value} would be a key of its own",
                    f"Write {whole}, without a comma",
                )
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _twice(value)


def _misread(root: yaml.Node) -> Iterator[Fault]:
    """Keys and values that are numbers for one parser and text, or another number, for the other."""
    for keys, start, value in _below(root):
        bases = [number for node in {start, value} if (number := _other_number(node)) is not None]
        text = None if bases else _text_that_is_a_number(keys, value)
        yield from bases if text is None else [text]


def _other_number(node: yaml.Node) -> Fault | None:
    """YAML reads 010 as eight and 5:00 as three hundred; Pulumi's own parser reads the second one as text."""
    if not _is_bare(node, ":int", ":float"):
        return None
    line = node.start_mark.line + 1
    if re.fullmatch(r"[-+]?0[0-9]+", node.value):
        return Fault(
            line,
            f"YAML reads {node.value} as a number to base 8",
            f"Write {int(node.value)}, or put it into quotes if it is text",
        )
    if ":" in node.value:
        return Fault(
            line,
            f"some programs read {node.value} as a number to base 60, others as text",
            "Write a plain number, or put it into quotes",
        )
    return None


def _is_bare(node: yaml.Node, *tags: str) -> bool:
    """Whether a value without quotes has one of these tags."""
    return isinstance(node, yaml.ScalarNode) and not node.style and node.tag.endswith(tags)


# Numbers of the parser that Pulumi uses (gopkg.in/yaml.v3 v3.0.1, resolve.go; underscores are left out before).
_GO_NUMBER = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?0([xX][0-9a-fA-F]+|[oO][0-7]+|[bB][01]+)"
)


def _text_that_is_a_number(keys: Keys, node: yaml.Node) -> Fault | None:
    """Where text is expected, 1e3, 1.5e3, 0o17 and 0X1F are text here and numbers for Pulumi: a commit, a name.

    1.30 is the number 1.3 for both, which no later message could write as the file does.
    """
    # What stands below `config:`, in either spelling of a setting.
    path = [key.removeprefix(f"{NAMESPACE}:") if isinstance(key, str) else key for key in keys[1:]]
    if _is_bare(node, ":str") and not node.value.startswith("_"):
        differs = "Pulumi" if _GO_NUMBER.fullmatch(node.value.replace("_", "")) else ""
        what, fix = f"Pulumi reads {node.value} as a number, and other programs as text", "Put it into quotes"
    else:
        read = _number(node)
        differs = "" if read in ("", node.value) else read
        what, fix = f"YAML reads {node.value} as the number {read}", f'Put it into quotes: "{node.value}"'
    return Fault(node.start_mark.line + 1, what, fix) if differs and takes_text(path, StackSettings) else None


def _number(node: yaml.Node) -> str:
    """How a number is written once it was read: `1.3` for 1.30. Empty for everything else."""
    return f"{yaml.safe_load(node.value):.15g}" if _is_bare(node, ":int", ":float") else ""


# Keys of a Pulumi stack file (pulumi.com/docs/iac/concepts/projects/stack-settings-file).
_TOP_LEVEL = ("config", "secretsprovider", "encryptedkey", "encryptionsalt", "environment")


def refuse_other_files(path: Path, document: Mapping[str, Any]) -> None:
    """Pulumi ignores keys that it does not know: without config there would be no setting at all."""
    # Other tools keep what they share within a file under x-.
    stray = [str(key) for key in document if str(key) not in _TOP_LEVEL and not str(key).startswith("x-")]
    if not stray:
        return
    lines = path.read_text(encoding="utf-8").splitlines()
    number = next((number for number, line in enumerate(lines, start=1) if stray[0] in line), 1)
    if stray[0].lower().rstrip("s") == "config":
        advice = "Write config:"
    elif stray[0] in ("apiVersion", "kind"):
        advice = "This is a manifest of Kubernetes; a stack file begins with config: and has settings below it"
    elif stray[0] == "imports":
        advice = "An environment of Pulumi ESC is named as in environment: [my-environment]"
    elif document.get("config"):
        advice = "Indent it by two blanks below config:, or remove it"
    else:
        advice = "Write config: above the settings, and indent each of them by two blanks"
    raise StackFileError(
        f"{path.name}, line {number}: the key {stray[0]} stands at the top level, and settings are read below config:"
        f" only. {advice}"
    )


def _settings_at_the_top(text: str, document: Mapping[str, Any]) -> Iterator[Fault]:
    """Pulumi reads settings below `config:` and ignores everything else."""
    for stray in (str(key) for key in document if str(key).startswith(f"{NAMESPACE}:")):
        yield Fault(
            next(number for number, line in enumerate(text.splitlines(), start=1) if stray in line),
            f"{stray} stands at the top level, and settings are read below config: only",
            "Write config: above the settings, and indent each of them by two blanks",
        )
