"""The recorded resource graph: resources with options and inputs, and queries on them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

from llm_d_gke.resource_graph.values import Value

STACK_TYPE = "pulumi:pulumi:Stack"


@dataclass(frozen=True, kw_only=True)
class Options:
    """Resource options as the engine would apply them, after inheritance and transforms.

    `protect`, `retain_on_delete`, `deleted_with` include what parents pass on. `delete_before_replace` is None when the
    program left it to the provider. Timeouts are Go durations by operation (`create`: `30m`). An alias is a URN, or the
    parts that differ (`name`, `type`, `stack`, `project`, `parent`, `noParent`). Hooks are names by moment.
    """

    protect: bool = False
    retain_on_delete: bool = False
    delete_before_replace: bool | None = None
    deleted_with: str | None = None
    ignore_changes: tuple[str, ...] = ()
    replace_on_changes: tuple[str, ...] = ()
    replace_with: tuple[str, ...] = ()
    replacement_trigger: Value = None
    additional_secret_outputs: tuple[str, ...] = ()
    aliases: tuple[str | Mapping[str, str | bool], ...] = ()
    custom_timeouts: Mapping[str, str] = field(default_factory=dict)
    import_id: str | None = None
    hooks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """One registered resource. URNs name other resources; `provider` is None when a default provider would serve it.

    `read` marks a resource the program only looked up (`.get()`); `id` is its id, or the one an up pass answered.
    `source` is `file:line` of the statement that created it, relative to the program when it lies below it.
    """

    urn: str
    type: str
    name: str
    parent: str | None
    custom: bool
    provider: str | None
    dependencies: tuple[str, ...]
    property_dependencies: Mapping[str, tuple[str, ...]]
    options: Options
    inputs: dict[str, Value]
    read: bool = False
    id: str | None = None
    source: str | None = None

    def __getitem__(self, key: str) -> Value:
        """An input by its wire name (camelCase); KeyError when the program did not set it."""
        return self.inputs[key]


@dataclass(frozen=True)
class Message:
    """A line the program logged: severity `debug`, `info`, `warning` or `error`, and the URN it is about, if any."""

    severity: str
    text: str
    urn: str | None = None


ResourceOrUrn: TypeAlias = Recorded | str


@dataclass(frozen=True, kw_only=True)
class Graph:
    """The whole resource graph of one run, resources sorted by URN, the Stack itself among them.

    `outputs` are the stack's exports, `component_outputs` what each component registered, by URN. `messages` leaves out
    the SDK's debug lines.
    """

    project: str
    stack: str
    preview: bool
    resources: tuple[Recorded, ...]
    outputs: Mapping[str, Value]
    component_outputs: Mapping[str, Mapping[str, Value]]
    messages: tuple[Message, ...] = ()

    def __iter__(self) -> Iterator[Recorded]:
        return iter(self.resources)

    def __len__(self) -> int:
        return len(self.resources)

    def __getitem__(self, urn: str) -> Recorded:
        """The resource with this URN; KeyError when there is none."""
        return self._by_urn[urn]

    def find(self, urn: str) -> Recorded | None:
        return self._by_urn.get(urn)

    def waits_for(self, urn: str) -> tuple[str, ...]:
        """The URNs that the engine has to finish or register directly before a resource."""
        return tuple(self._edges(urn))

    def by_type(self, token: str) -> list[Recorded]:
        """Every resource of a type, e.g. `gcp:container/nodePool:NodePool`, by URN."""
        return self._by_type.get(token, [])

    def one(self, token: str, name: str | None = None) -> Recorded:
        """The only resource of a type (and logical name). Raises LookupError that lists the existing ones."""
        matches = [resource for resource in self.by_type(token) if name is None or resource.name == name]
        if len(matches) == 1:
            return matches[0]
        description = token if name is None else f"{token} named {name}"
        if matches:
            raise LookupError(f"{len(matches)} resources are {description}: {', '.join(r.urn for r in matches)}")
        names = [resource.name for resource in self.by_type(token)]
        available = f"of this type: {', '.join(names)}" if names else f"types: {', '.join(sorted(self._by_type))}"
        raise LookupError(f"no resource is {description}; there are {available}")

    def children(self, parent: ResourceOrUrn) -> list[Recorded]:
        """The direct children of a resource, by URN."""
        return self._by_parent.get(_urn(parent), [])

    def descendants(self, ancestor: ResourceOrUrn) -> list[Recorded]:
        """Every resource below another in the tree of parents, depth first."""
        return [resource for child in self.children(ancestor) for resource in (child, *self.descendants(child))]

    def depends(self, resource: ResourceOrUrn, on: ResourceOrUrn) -> bool:
        """Whether `resource` is created after `on` and destroyed before it, directly or through others.

        Follows what the engine orders by: dependencies, provider, parent and `deleted_with`. Nothing depends on itself.
        """
        return _urn(on) in self.dependencies_of(resource)

    def dependencies_of(self, resource: ResourceOrUrn) -> frozenset[str]:
        """The URNs of everything a resource depends on, directly or through others."""
        start = _urn(resource)
        urns: set[str] = set()
        todo = list(self._edges(start))
        while todo:
            urn = todo.pop()
            if urn not in urns:
                urns.add(urn)
                todo.extend(self._edges(urn))
        return frozenset(urns - {start})

    def _edges(self, urn: str) -> Iterator[str]:
        resource = self._by_urn.get(urn)
        if resource is None:
            return
        yield from resource.dependencies
        for edge in (resource.provider, resource.parent, resource.options.deleted_with):
            if edge is not None:
                yield edge

    @cached_property
    def _by_urn(self) -> dict[str, Recorded]:
        return {resource.urn: resource for resource in self.resources}

    @cached_property
    def _by_type(self) -> dict[str, list[Recorded]]:
        groups: defaultdict[str, list[Recorded]] = defaultdict(list)
        for resource in self.resources:
            groups[resource.type].append(resource)
        return dict(groups)

    @cached_property
    def _by_parent(self) -> dict[str, list[Recorded]]:
        groups: defaultdict[str, list[Recorded]] = defaultdict(list)
        for resource in self.resources:
            if resource.parent is not None:
                groups[resource.parent].append(resource)
        return dict(groups)


def _urn(resource: ResourceOrUrn) -> str:
    return resource if isinstance(resource, str) else resource.urn
