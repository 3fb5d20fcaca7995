"""The definition of a simulated resource type, as data, and the context that its rules get."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.google_types import NETWORK, GoogleType
from llm_d_gke.rehearsal.providers.gcp.store import MARKS, Cloud, Record
from llm_d_gke.rehearsal.providers.properties import Properties
from llm_d_gke.rehearsal.providers.requests import Refused

# See facts.yaml.
FACTS: Final[Mapping[str, Any]] = read_yaml(Path(__file__).with_name("facts.yaml"))


def refusal(message: str, code: int = 400) -> Refused:
    """An error of Google's API, as the provider prints it."""
    reasons = {400: "badRequest", 403: "forbidden", 404: "notFound", 409: "alreadyExists", 412: "conditionNotMet"}
    return Refused(f"googleapi: Error {code}: {message}, {reasons[code]}")


@dataclass(frozen=True)
class Name:
    """The rule for a name. `pattern` must match all of it."""

    pattern: str
    limit: int
    words: str
    key: str

    def problem(self, value: str) -> str | None:
        if len(value) <= self.limit and re.fullmatch(self.pattern, value):
            return None
        return f"'{value}' is no valid name: {self.words}, at most {self.limit} characters (it has {len(value)})"


@dataclass(frozen=True)
class ResourceContext:
    """A resource during a change: its inputs, its location, and the rest of the cloud.

    `record` is the stored resource before the request (None: it is new). `passes` prints a line for the user.
    """

    cloud: Cloud
    kind: Kind
    id: str
    inputs: Properties
    project: str
    region: str | None
    record: Record | None = None
    passes: Callable[[str], None] = lambda _: None

    def all(self, token: str) -> Iterator[tuple[str, Record]]:
        """Every other resource of a type, with its id."""
        for other, record in self.cloud["resources"].get(token, {}).items():
            if not (token == self.kind.token and other == self.id):
                yield other, record

    def find(self, token: str, reference: str, **same: str | None) -> tuple[str, Record] | None:
        """The resource that a name, an id or a self link means, with the properties `same` (region="europe-west4")."""
        for other, record in self.all(token):
            if refers(reference, other) and all(record.get(key) == value for key, value in same.items()):
                return other, record
        # Every project has this network by default: one subnet in each region, from 10.128.0.0/9.
        default = f"projects/{self.project}/global/networks/default"
        if token == NETWORK and refers(reference, default):
            return default, {"name": "default", "autoCreateSubnetworks": True}
        return None

    def need(self, token: str, reference: str, what: str, **same: str | None) -> tuple[str, Record]:
        """Like `find`, but raises Google's error when there is none."""
        record = self.find(token, reference, **same)
        if record is None:
            where = "".join(f" ({key} {value})" for key, value in same.items())
            raise refusal(f"The resource '{reference}'{where} was not found: there is no such {what}", code=404)
        return record


def refers(reference: str, resource_id: str) -> bool:
    """Whether a bare name, an id or a self link (with or without the host) means the resource of this id."""
    path = re.sub(r"^https?://[^/]+/(?:[a-z]+/)?v1(?:beta1)?/", "", reference).strip("/")
    return resource_id == path or resource_id.endswith(f"/{path}")


@dataclass(frozen=True, kw_only=True)
class Kind(GoogleType):
    """A simulated resource type. An id that Google chooses has a `serial`; `outputs` are values Google computes."""

    id: str
    api: str | None = None
    name: Name | None = None
    regional: bool = False
    link: str | None = None  # version path of the self link, e.g. "compute/v1"
    defaults: Mapping[str, Any] = field(default_factory=dict)
    computed: tuple[str, ...] = ()  # dotted paths of outputs that are unknown in a preview
    outputs: Callable[[ResourceContext], Properties] = lambda _: {}
    creating: Callable[[ResourceContext], None] = lambda _: None
    updating: Callable[[ResourceContext], None] = lambda _: None
    deleting: Callable[[ResourceContext], None] = lambda _: None


def with_default(properties: Properties, keys: list[str], value: Any) -> Properties:
    """A copy with `value` at a path of keys, unless the path has a value already or leads through a non-map."""
    key, *rest = keys
    current = properties.get(key)
    if rest and isinstance(current, Mapping | None):
        return {**properties, key: with_default(dict(current or {}), rest, value)}
    return properties if current is not None else {**properties, key: value}


def number_of(resource_id: str) -> str:
    """A generated numeric id, the same for the same resource."""
    return str(int.from_bytes(hashlib.sha256(resource_id.encode()).digest()[:8], "big") >> 1)


def hash_of(text: str, length: int = 8) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def without(key: str, properties: Properties) -> Properties:
    return {name: value for name, value in properties.items() if name != key}


def visible(record: Record) -> Properties:
    """A record without bookkeeping."""
    return without(MARKS, record)
