"""Reads `Pulumi.<stack>.yaml` and Pulumi.yaml from disk."""

from __future__ import annotations

import copy
import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from llm_d_gke.settings.fields import required_keys, takes_text
from llm_d_gke.settings.stack import StackSettings
from llm_d_gke.stackfile.base import BASE, own_values, with_base
from llm_d_gke.stackfile.config import UNSET, StackConfig
from llm_d_gke.stackfile.document import parse, refuse_other_files
from llm_d_gke.stackfile.paths import StackFileError, contains, put, segments
from llm_d_gke.stackfile.project import NAMESPACE, PROJECT_FILE, full_key, project_defaults, stack_files, stack_names
from llm_d_gke.stackfile.pulumi_environment import with_environment
from llm_d_gke.wording import count

# Replaces every encrypted value: only the holder of the stack's key can read it. The check of a Hugging Face token
# expects the prefix.
ENCRYPTED_VALUE = "hf_encrypted"
_REMOVED = object()
_BASE = f"{NAMESPACE}:{BASE}"


def stack_file(root: Path, stack: str) -> Path:
    """The stack's file in the project's folder, or else in its examples.

    Raises StackFileError with the names that are similar, or else of all stacks.
    """
    name = f"Pulumi.{stack}.yaml"
    # A link that leads nowhere is the file all the same, which reading says.
    path = next((file for file in stack_files(root, stack) if os.path.lexists(file)), None)
    if path is None:
        stacks = stack_names(root)
        plain = Path(stack).name.lower().removeprefix("pulumi.").removesuffix(".yaml").removesuffix(".yml")
        close = [plain] if plain in stacks else difflib.get_close_matches(plain, stacks)
        # Of a project's thirty stacks the others would hide those that may be meant.
        named = f"Did you mean {' or '.join(close)}?" if close else f"Stacks: {', '.join(stacks)}"
        reason = (
            f"there is no {name}" if plain == stack.lower() else "a name has neither a folder nor Pulumi. nor .yaml"
        )
        if plain not in stacks and Path(stack).is_file():
            raise StackFileError(f"{stack} is not in the project's folder: copy or link it into {root}")
        raise StackFileError(f"stack {stack!r} does not exist: {reason}. {named}")
    return path


def load(root: Path, stack: str, overrides: Mapping[str, str] | None = None) -> StackConfig:
    """Read a stack's file and apply overrides (`llm-d:accelerator.nodes.max` -> `5`).

    Raises StackFileError, with the file's own values where only something around them is wrong.
    """
    path = stack_file(root, stack)
    document = parse(path)
    try:
        return _configuration(root, stack, path, document, overrides or {})
    except StackFileError as error:
        error.own = _own_values(root, path, document, overrides or {})
        raise


def _configuration(
    root: Path, stack: str, path: Path, document: Mapping[str, Any], overrides: Mapping[str, str]
) -> StackConfig:
    refuse_other_files(path, document)
    values = copy.deepcopy(document.get("config") or {})
    if not isinstance(values, dict):
        raise StackFileError(f"Pulumi.{stack}.yaml: config must hold keys, for example llm-d:location: us-central1-a")
    _refuse_spellings(f"Pulumi.{stack}.yaml", values)
    values = {full_key(key): value for key, value in values.items()}
    values, notes = with_environment(root, stack, document, values)
    changes = {key: _override(key, text) for key, text in overrides.items()}
    for key in {_BASE, BASE} & changes.keys():
        values[_BASE] = changes.pop(key)
    defaults = _defaults(root)
    values = _with_base(values, defaults, root, path.name)
    appended = _appended(values, changes)
    for setting, value in changes.items():
        put(values, setting, value)
    _refuse_partial_elements(values, appended)
    secrets = dict.fromkeys(_take_encrypted(values), ENCRYPTED_VALUE)
    return StackConfig(
        values=values,
        secrets=secrets,
        defaults=defaults,
        notes=notes,
        file=path,
        root=root,
        overridden=tuple(map(full_key, overrides)),
    )


def _own_values(root: Path, path: Path, document: Mapping[str, Any], overrides: Mapping[str, str]) -> StackConfig:
    """What stands below `config:` in plain text, without keys that stand there twice or that an override changes."""
    config = values if isinstance(values := document.get("config"), dict) else {}
    changed = {re.split(r"[.\[]", key.removeprefix(f"{NAMESPACE}:"))[0] for key in overrides}
    values = own_values(config, (NAMESPACE, *changed))
    _take_encrypted(values)
    return StackConfig(values=values, file=path, root=root)


def _appended(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, str]:
    """Paths of list elements that overrides would append, each with the first override below it."""
    appended: dict[str, str] = {}
    for path in changes:
        element = re.match(r"[^\[\]]+\[\d+\](?=\.)", path)
        if element is not None and not contains(values, element[0]):
            appended.setdefault(element[0], path)
    return appended


def _refuse_partial_elements(values: Mapping[str, Any], appended: Mapping[str, str]) -> None:
    """Refuse a new element without what every element needs: an existing one was meant, whose number is lower."""
    for element, path in appended.items():
        keys = [str(key).removeprefix(f"{NAMESPACE}:") for key in segments(element)[:-1]]
        lacking = [key for key in required_keys((*keys, 0), StackSettings) if not contains(values, f"{element}.{key}")]
        number = int(element[element.rindex("[") + 1 : -1])
        if lacking and number > 0:
            whole = element.rpartition("[")[0]
            numbers = f"{whole}[0]" if number == 1 else f"{whole}[0] to {whole}[{number - 1}]"
            raise StackFileError(
                f"-c {path}: the stack has {count(number, 'element')} of {whole}, {numbers}, and a new one needs"
                f" {lacking[0]} as well. Write {whole}[{number - 1}]{path.removeprefix(element)} for the last one, or"
                f" add -c {element}.{lacking[0]}=..."
            )


def _refuse_spellings(name: str, values: Mapping[str, Any]) -> None:
    """A group for the namespace, which Pulumi reads as one value, and keys with and without the namespace."""
    if isinstance(values.get(NAMESPACE), dict):
        first = next(iter(values[NAMESPACE]), "location")
        raise StackFileError(
            f"{name}: {NAMESPACE} is a prefix of each setting, not a group. Write {NAMESPACE}:{first}: ... below"
            " config:"
        )
    twice = next((key for key in values if ":" not in str(key) and f"{NAMESPACE}:{key}" in values), None)
    if twice is not None:
        raise StackFileError(
            f"{name}: {twice} and {NAMESPACE}:{twice} are the same setting, and one of the two values would be lost."
            " Keep one of them"
        )


def _with_base(values: dict[str, Any], defaults: Mapping[str, Any], root: Path, file: str) -> dict[str, Any]:
    """Values by full key, merged over the values of their base file.

    The program cannot tell a default of Pulumi.yaml from a value of the stack file: both replace the base's.
    """
    if not values.get(_BASE):
        return values
    prefix = f"{NAMESPACE}:"
    full = StackConfig(values=values, defaults=defaults).plain()
    own = {key.removeprefix(prefix): value for key, value in full.items() if key.startswith(prefix)}
    own = {key: value for key, value in own.items() if value not in UNSET}
    others = {key: value for key, value in values.items() if not key.startswith(prefix)}
    return {**others, **{f"{prefix}{key}": value for key, value in with_base(own, root, file).items()}}


def _defaults(root: Path) -> dict[str, Any]:
    """Defaults of Pulumi.yaml by path with namespace; none where the folder has no such file."""
    path = root / PROJECT_FILE
    if not path.exists():
        return {}
    return {full_key(key): value for key, value in project_defaults(parse(path))}


def _take_encrypted(values: dict[str, Any]) -> list[str]:
    """Remove every `secure:` value and return the paths."""
    paths: list[str] = []

    def walk(value: Any, path: str) -> Any:
        if isinstance(value, dict):
            if set(value) == {"secure"}:
                paths.append(path)
                return _REMOVED
            plain = {key: walk(item, _below(path, str(key))) for key, item in value.items()}
            return {key: item for key, item in plain.items() if item is not _REMOVED}
        if isinstance(value, list):
            items = [walk(item, f"{path}[{index}]") for index, item in enumerate(value)]
            return [None if item is _REMOVED else item for item in items]
        return value

    plain = walk(values, "")
    values.clear()
    values.update(plain)
    return paths


def _below(path: str, key: str) -> str:
    if not path:
        return key
    return f'{path}["{key}"]' if "." in key or "[" in key else f"{path}.{key}"


def _override(path: str, text: str) -> Any:
    """A value from the command line: text where the setting is text (`cluster.version=1.36`), else as YAML reads it."""
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    if isinstance(value, str):
        return unquoted(text)
    if not isinstance(value, bool | int | float | dict | list):
        return text
    if isinstance(value, bool | int | float) and _is_text(path):
        return text
    return value


def unquoted(text: str) -> str:
    """A value from the command line without the quotes that a shell leaves of '"1.36"'.

    Other text stays as it is, with its spaces and number signs. Pulumi's own `--config` keeps such quotes as text.
    """
    if not text.strip().startswith(('"', "'")):
        return text
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    return value if isinstance(value, str) else text


def _is_text(path: str) -> bool:
    key, *rest = segments(path)
    namespace, _, name = str(key).partition(":")
    return namespace == NAMESPACE and takes_text((name, *rest), StackSettings)
