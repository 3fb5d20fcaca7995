"""The inputs of a recorded resource. An input that no command uses is an error, so that none is lost silently."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from llm_d_gke.cli.exits import RefusedInputError
from llm_d_gke.google_types import ACCOUNT, account_address
from llm_d_gke.nested import value_at
from llm_d_gke.operations.eject.shell import flag, pairs, switch
from llm_d_gke.resource_graph import Graph, Recorded, Secret, Unknown


class NotEjectableError(RefusedInputError):
    """A resource has no command, or an input that its command does not carry."""


class Inputs:
    """Reads inputs by dotted path and remembers which were read."""

    def __init__(self, resource: Recorded, graph: Graph, project: str) -> None:
        self._resource, self._graph = resource, graph
        self._used: set[str] = set()
        own = resource.inputs.get("project")
        self.project = own if isinstance(own, str) else project
        self._used.add("project")

    def take(self, path: str) -> Any:
        """The value at a path, or None. Marks all paths at and below it as used."""
        self._used.add(path)
        value = value_at(self._resource.inputs, *path.split("."))
        return value.value if isinstance(value, Secret) else value

    def flag(self, name: str, path: str, text: Callable[[Any], object] | None = None) -> list[str]:
        """A flag with the value at a path, as `text` writes it. Nothing where there is none."""
        value = self.take(path)
        return [] if value in (None, "", [], {}) else [flag(name, (text or _text)(value))]

    def flags(self, paths: Mapping[str, str]) -> list[str]:
        """Flags with their values, by the paths of these."""
        return [word for name, path in paths.items() for word in self.flag(name, path)]

    def switches(self, paths: Mapping[str, str]) -> list[str]:
        """Flags in the form that turns them on or off."""
        return [switch(name, self.take(path)) for name, path in paths.items()]

    def options(self, paths: Mapping[str, str]) -> list[str]:
        """Flags that only turn something on."""
        return [f"--{name}" for name, path in paths.items() if self.take(path)]

    def name_or_path(self, path: str, kind: str) -> str:
        """The name of another resource, or its whole path where it is in another project, as in a Shared VPC."""
        value = self.take(path)
        return value if isinstance(value, str) else self.name_of(path, kind)

    def name_of(self, path: str, kind: str) -> str:
        """The name in a reference to another resource: an id in text, or the resource that the input depends on."""
        value = self.take(path)
        if not isinstance(value, Unknown):
            return str(value).rpartition("/")[2]
        return str(self._dependency(path, kind)["name"])

    def email(self, path: str) -> str:
        """The address of the service account that the input names."""
        value = self.take(path)
        if not isinstance(value, Unknown):
            return str(value)
        account = self._dependency(path, ACCOUNT)
        return account_address(str(account["accountId"]), str(account.inputs.get("project") or self.project))

    def unused(self) -> list[str]:
        """Paths that were not used, except those without a value."""
        return [path for path in _leaves(self._resource.inputs, "") if not self._is_used(path)]

    def _is_used(self, path: str) -> bool:
        return any(path == used or path.startswith(f"{used}.") for used in self._used)

    def _dependency(self, path: str, kind: str) -> Recorded:
        for urn in self._resource.property_dependencies.get(path.split(".")[0], ()):
            dependency = self._graph.find(urn)
            if dependency is not None and dependency.type == kind:
                return dependency
        raise NotEjectableError(f"{self._resource.urn}: {path} is not known before the resource exists")


def _leaves(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}" if path else str(key))
    elif value is not None:
        yield path


def _text(value: Any) -> object:
    """A value as gcloud takes it."""
    if isinstance(value, Mapping):
        return pairs(value)
    if isinstance(value, list):
        return ",".join(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value
