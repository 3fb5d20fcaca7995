"""Finds the setting that a path in a stack file leads to, by walking the settings' types.

Messages about a wrong value need the field: what it takes, between which bounds, with which example.
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import Field
from pydantic.fields import FieldInfo

from llm_d_gke.settings.base import FORM, MERGED_BY, Settings

Path = tuple[str | int, ...]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """The definition of one path of a stack file.

    `path` has the keys as written there. `group` is the group of settings the last key is in, None in a free map or a
    list. `kind` is the type without Annotated and None, `whole` the type with everything that constrains it; both are
    None where there is no such setting. `infos` are the field descriptions on the way, the innermost last. `is_key`:
    it is the key of a map, not its value.
    """

    path: Path
    group: type[Settings] | None
    kind: Any
    whole: Any
    infos: tuple[FieldInfo, ...] = ()
    is_key: bool = False

    @property
    def form(self) -> str | None:
        """The accepted form of a text value, in words."""
        for info in reversed(self.infos):
            extra = info.json_schema_extra
            if isinstance(extra, Mapping) and FORM in extra:
                return str(extra[FORM])
        return None

    @property
    def example(self) -> object | None:
        return next((info.examples[0] for info in reversed(self.infos) if info.examples), None)

    @property
    def description(self) -> str | None:
        return next((info.description for info in reversed(self.infos) if info.description), None)

    @property
    def metadata(self) -> tuple[Any, ...]:
        """Bounds, as the library annotated-types names them."""
        return tuple(bound for info in self.infos for bound in info.metadata)


def setting_of(location: Sequence[str | int], root: type[Settings]) -> Setting:
    """The setting at one of pydantic's locations.

    Pydantic names the chosen member of a union after the union's own key (`tls`, `secret`, `certificates`), and the
    keys of a map as `[key]`. A stack file has neither, so both are left out of the path.
    """
    path: Path = ()
    setting = Setting(path=(), group=None, kind=root, whole=root)
    for part, following in zip(location, (*location[1:], None), strict=True):
        members = _members(setting.kind)
        chosen = _member(members, part) if len(members) > 1 else None
        if chosen is not None:
            setting = replace(setting, kind=chosen, whole=chosen)
            continue
        path = (*path, part)
        if following == "[key]" and get_origin(setting.kind) in _MAPS:
            return replace(_setting(get_args(setting.kind)[0], (), path, None), is_key=True)
        setting = _below(setting, part, path)
    return setting


def takes_text(path: Sequence[str | int], root: type[Settings]) -> bool:
    """Whether a setting is text, whichever member of a union the path is in. Numbers and flags in it are text, too."""
    kinds: list[Any] = [root]
    for part in path:
        kinds = [
            _below(Setting(path=(), group=None, kind=member, whole=member), part, ()).kind
            for kind in kinds
            for member in _members(kind)
        ]
        kinds = [kind for kind in kinds if kind is not None]
    members = [member for kind in kinds for member in _members(kind)]
    return bool(members) and all(_is_text(member) for member in members)


def _is_text(kind: Any) -> bool:
    if get_origin(kind) is Literal:
        return all(isinstance(value, str) for value in get_args(kind))
    return kind is str or (get_origin(kind) is Annotated and _is_text(_plain(kind)[0]))


def key_setting(setting: Setting) -> Setting:
    """The keys of a map."""
    return replace(_setting(get_args(setting.kind)[0], (), setting.path, None), is_key=True)


def setting_below(setting: Setting, part: str | int) -> Setting:
    """An element of a list, or a value of a map."""
    return _below(setting, part, (*setting.path, part))


_MAPS = (dict, Mapping)
_LISTS = (tuple, list)


def _below(setting: Setting, part: str | int, path: Path) -> Setting:
    nowhere = Setting(path=path, group=None, kind=None, whole=None)
    kind = setting.kind
    if is_group(kind):
        name, info = field_of(kind, str(part))
        if info is None or name is None:
            return Setting(path=path, group=kind, kind=None, whole=None)
        return _setting(info.annotation, (info,), path, kind)
    arguments = get_args(kind)
    if get_origin(kind) in _LISTS and arguments and isinstance(part, int):
        return _setting(arguments[0], (), path, None)
    if get_origin(kind) in _MAPS and arguments:
        return _setting(arguments[1], (), path, None)
    return nowhere


def _setting(annotation: Any, infos: tuple[FieldInfo, ...], path: Path, group: type[Settings] | None) -> Setting:
    kind, inner = _plain(annotation)
    # Without the key's own aliases, which mean nothing outside of a group.
    bounds = [bound for info in infos for bound in info.metadata]
    bounds += [Field(discriminator=info.discriminator) for info in infos if info.discriminator is not None]
    bounded = Annotated[(annotation, *bounds)] if bounds else annotation
    return Setting(path=path, group=group, kind=kind, whole=bounded, infos=(*infos, *inner))


def _plain(annotation: Any) -> tuple[Any, tuple[FieldInfo, ...]]:
    """A type without Annotated and without None, and the field descriptions that were around it."""
    if get_origin(annotation) is Annotated:
        inner, *metadata = get_args(annotation)
        kind, infos = _plain(inner)
        return kind, (*(item for item in metadata if isinstance(item, FieldInfo)), *infos)
    members = [member for member in _members(annotation) if member is not type(None)]
    if len(members) == 1 and members[0] is not annotation:
        return _plain(members[0])
    return annotation, ()


def plain_type(annotation: Any) -> Any:
    """A type without Annotated and without None."""
    return _plain(annotation)[0]


def _members(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)


def _member(members: Sequence[Any], part: str | int) -> Any | None:
    """The member of a union that pydantic names by `part`: by its tag."""
    return next((member for member in members if is_group(member) and part in tags_of(member)), None)


def is_group(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Settings)


def tags_of(group: type[Settings]) -> tuple[str, ...]:
    """Values by which a union tells its members apart."""
    info = group.model_fields.get("kind")
    return tuple(map(str, get_args(info.annotation))) if info is not None and _is_literal(info.annotation) else ()


def _is_literal(annotation: Any) -> bool:
    return get_origin(annotation) is Literal


def choices_of(kind: Any) -> tuple[Any, ...]:
    """The accepted values of a Literal, or the kinds of a union; otherwise empty."""
    if _is_literal(kind):
        return get_args(kind)
    return tuple(tag for member in _members(kind) if is_group(member) for tag in tags_of(member))


def groups_of(kind: Any) -> tuple[type[Settings], ...]:
    """The groups of settings that a type may be."""
    return tuple(member for member in _members(kind) if is_group(member))


def field_of(group: type[Settings], key: str) -> tuple[str | None, FieldInfo | None]:
    """The field of a group that a stack file writes as `key`."""
    return next(
        ((name, info) for name, info in group.model_fields.items() if key == (info.alias or name)), (None, None)
    )


def keys_of(group: type[Settings]) -> tuple[str, ...]:
    """Keys of a group as a stack file has them."""
    return tuple(info.alias or name for name, info in group.model_fields.items())


def required_keys(path: Sequence[str | int], root: type[Settings]) -> tuple[str, ...]:
    """Keys without a default of the group at a path. Empty where the path leads to no group, or to one of several."""
    groups = groups_of(setting_of(path, root).kind)
    fields = groups[0].model_fields.items() if len(groups) == 1 else ()
    return tuple(info.alias or name for name, info in fields if info.is_required())


def merge_keys(root: type[Settings]) -> dict[tuple[str, ...], str]:
    """What identifies an element of each list that is merged onto a base, by the list's path without indexes."""
    keys: dict[tuple[str, ...], str] = {}
    for path, group in every_key(root):
        _, info = field_of(group, str(path[-1]))
        extra = info.json_schema_extra if info is not None else None
        if isinstance(extra, Mapping) and MERGED_BY in extra:
            keys[tuple(str(part) for part in path if part != "[]")] = str(extra[MERGED_BY])
    return keys


def every_key(group: type[Settings], path: Path = ()) -> Iterator[tuple[Path, type[Settings]]]:
    """Path of every key below a group, with its group. `[]` stands for the elements of a list."""
    for name, info in group.model_fields.items():
        key_path = (*path, info.alias or name)
        yield key_path, group
        kind, _ = _plain(info.annotation)
        if get_origin(kind) in (*_LISTS, *_MAPS):
            arguments = get_args(kind)
            kind, _ = _plain(arguments[-1] if get_origin(kind) in _MAPS else arguments[0])
            key_path = (*key_path, "[]")
        for member in groups_of(kind):
            yield from every_key(member, key_path)
