"""A part of Google's REST APIs over the state of the simulated Google Cloud: lists, single resources, deletions.

`llm_d_gke.operations.leftovers` queries it as it queries Google: same paths, same answers, no network.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from llm_d_gke.google_types import ACCOUNT, ADDRESS, CLUSTER, NETWORK, ROUTER, SUBNETWORK
from llm_d_gke.rehearsal.providers.gcp.controller_resources import PREFIX
from llm_d_gke.rehearsal.providers.gcp.kinds import refers
from llm_d_gke.rehearsal.providers.gcp.store import Cloud, CloudStore, Record
from llm_d_gke.rehearsal.providers.properties import Properties

_COLLECTIONS: Final[Mapping[str, str]] = {
    ADDRESS: "addresses",
    NETWORK: "networks",
    ROUTER: "routers",
    SUBNETWORK: "subnetworks",
    CLUSTER: "clusters",
    ACCOUNT: "serviceAccounts",
}
_KEYS: Final = {"serviceAccounts": "accounts"}
_COMPUTE: Final = "https://www.googleapis.com/compute/v1/"
ROLE: Final = "gcp:projects/iAMMember:IAMMember"


@dataclass
class Answer:
    """The part of an HTTP answer that clients read."""

    status_code: int
    body: Any

    def json(self) -> Any:
        return self.body


class GoogleApi:
    """An HTTP session whose other end is the stand-in."""

    def __init__(self, store: CloudStore) -> None:
        self._store = store

    def request(self, method: str, url: str, **options: Any) -> Answer:
        path = urlsplit(url).path
        last = path.rpartition("/")[2]
        if last.endswith((":getIamPolicy", ":setIamPolicy")):
            return self._policy(last, options.get("json") or {})
        with self._store.transaction() as cloud:
            target = next(
                ((token, key) for token, key, link in _links(cloud) if refers(url.partition("?")[0], link)), None
            )
            if target is None and method == "GET" and _is_list(path):
                return Answer(200, _listing(cloud, path))
            if target is None:
                return Answer(404, {"error": {"message": f"{path} was not target"}})
            token, key = target
            if method == "GET":
                return Answer(200, _body(token, key, cloud["resources"][token][key]))
            users = list(_users(cloud, token, key))
            if users:
                message = f"The resource '{key}' is already being used by '{users[0]}'"
                return Answer(400, {"error": {"message": message}})
            del cloud["resources"][token][key]
            return Answer(200, {"name": "operation"})

    def _policy(self, call: str, body: Mapping[str, Any]) -> Answer:
        """The project's IAM policy. A new one removes the grants that it does not have."""
        with self._store.transaction() as cloud:
            grants = cloud["resources"].setdefault(ROLE, {})
            if call.endswith(":setIamPolicy"):
                remaining = {
                    (role["role"], member) for role in body["policy"]["bindings"] for member in role["members"]
                }
                for key in [key for key, grant in grants.items() if (grant["role"], grant["member"]) not in remaining]:
                    del grants[key]
            bindings: dict[str, list[str]] = {}
            for grant in grants.values():
                bindings.setdefault(grant["role"], []).append(grant["member"])
        roles = [{"role": role, "members": members} for role, members in bindings.items()]
        return Answer(200, {"bindings": roles, "etag": "BwX"})


def _links(cloud: Cloud) -> Iterator[tuple[str, str, str]]:
    for token, records in cloud["resources"].items():
        if token in _COLLECTIONS or token.startswith(PREFIX):
            yield from ((token, key, key) for key in records)


def _is_list(path: str) -> bool:
    return re.search(r"/(aggregated|global|locations/[^/]+)/[A-Za-z]+$|/projects/[^/]+/[A-Za-z]+$", path) is not None


def _listing(cloud: Cloud, path: str) -> Properties:
    collection = path.rpartition("/")[2]
    bodies = [
        (key, _body(token, key, record))
        for token, records in cloud["resources"].items()
        if _COLLECTIONS.get(token, token.removeprefix(PREFIX)) == collection
        for key, record in records.items()
    ]
    if "/aggregated/" not in path:
        key = "items" if path.startswith("/compute/") else _KEYS.get(collection, collection)
        return {key: [body for _, body in bodies]}
    items: dict[str, dict[str, list[Properties]]] = {}
    for key, body in bodies:
        scope = "/".join(key.split("/")[2:-2])
        items.setdefault(scope, {}).setdefault(collection, []).append(body)
    return {"items": items}


def _body(token: str, key: str, record: Record) -> Properties:
    body = {name: value for name, value in record.items() if not name.startswith("_")}
    for name in ("network", "subnetwork"):
        if isinstance(body.get(name), str) and body[name].startswith("projects/"):
            body[name] = f"{_COMPUTE}{body[name]}"
    parts = key.split("/")
    scopes = {"regions": "region", "zones": "zone"}
    where = {scopes[part]: parts[index + 1] for index, part in enumerate(parts) if part in scopes}
    link = f"https://container.googleapis.com/v1/{key}" if token == CLUSTER else f"{_COMPUTE}{key}"
    compute = token.startswith(("gcp:compute/", PREFIX, "gcp:container/"))
    return {**body, **where, **({"selfLink": link} if compute else {"name": key})}


def _users(cloud: Cloud, token: str, key: str) -> Iterator[str]:
    """Resources that name the resource in one of their properties."""
    for other, records in cloud["resources"].items():
        for other_key, record in records.items():
            if (
                (other, other_key) != (token, key)
                and any(
                    refers(text, key)
                    for text in _texts({n: v for n, v in record.items() if not n.startswith("_")})
                    if "/" in text
                )
                and other_key != key
                and other != ROLE
                and not record.get("selfLink", "").endswith(key)
            ):
                yield other_key


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
