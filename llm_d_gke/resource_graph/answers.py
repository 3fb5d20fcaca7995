"""Outputs of a deployment: plausible ids and computed outputs, the same in every run.

An up pass needs them so that code inside `apply()` runs with values of the right shape. Addresses are from the ranges
reserved for documentation, so none can be mistaken for a real one.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from llm_d_gke.google_types import account_address
from llm_d_gke.resource_graph.values import Secret, Value

CERTIFICATE_AUTHORITY = base64.b64encode(b"-----BEGIN CERTIFICATE-----\nrecorded\n-----END CERTIFICATE-----\n").decode()


@dataclass(frozen=True, kw_only=True)
class ResourceRequest:
    """A resource the program registers or reads; `provider` holds the inputs of its provider, when it has one."""

    urn: str
    type: str
    name: str
    parent: str | None
    inputs: Mapping[str, Value]
    provider: Mapping[str, Value]


Answer = Callable[[ResourceRequest], Mapping[str, Value]]
"""Gives outputs to lay over the echoed inputs; the key `id` becomes the resource's id."""


def plausible(request: ResourceRequest) -> dict[str, Value]:
    """Outputs as Google Cloud or a Kubernetes API server would give them, `id` among them."""
    package = request.type.split(":", 1)[0]
    if package == "kubernetes" and "kind" in request.inputs:
        return _kubernetes(request)
    if package == "gcp":
        return _google(request)
    return {"id": _digits(request.urn, 12)}


def _kubernetes(request: ResourceRequest) -> dict[str, Value]:
    metadata = _mapping(request.inputs.get("metadata"))
    name = _text(metadata.get("name")) or f"{request.name}-{_hex(request.urn)}"
    namespace = _text(metadata.get("namespace"))
    server_fields = {"name": name, "uid": _hex(request.urn), "generation": 1, "resourceVersion": "1"}
    return {"id": f"{namespace}/{name}" if namespace else name, "metadata": server_fields}


def _google(request: ResourceRequest) -> dict[str, Value]:
    inputs = request.inputs
    name = _text(inputs.get("name")) or f"{request.name}-{_hex(request.urn)}"
    project = _text(inputs.get("project")) or _text(request.provider.get("project")) or "recorded-project"
    location = next((text for key in ("location", "zone", "region") if (text := _text(inputs.get(key)))), "global")
    kind = request.type.rsplit(":", 1)[-1]
    collection = f"{kind[0].lower()}{kind[1:]}{'es' if kind.endswith('s') else 's'}"
    path = f"projects/{project}/locations/{location}/{collection}/{name}"
    common: dict[str, Value] = {"id": path, "name": name, "project": project, "selfLink": f"https://recorded/{path}"}
    special = _GOOGLE.get(request.type)
    return common | (special(_Named(request, name, project)) if special else {})


@dataclass(frozen=True)
class _Named:
    request: ResourceRequest
    name: str
    project: str

    def text(self, key: str) -> str | None:
        return _text(self.request.inputs.get(key))


def _cluster(cluster: _Named) -> dict[str, Value]:
    return {
        "endpoint": "192.0.2.10",
        "masterVersion": cluster.text("minMasterVersion") or "1.34.1-gke.1000000",
        "masterAuth": {"clusterCaCertificate": CERTIFICATE_AUTHORITY},
        "controlPlaneEndpointsConfig": {
            "dnsEndpointConfig": {"endpoint": f"gke-{_hex(cluster.request.urn)}.recorded.gke.example"},
        },
    }


def _address(address: _Named) -> dict[str, Value]:
    # One address a resource, so that a program that mixes two up shows it.
    return {"address": f"198.51.100.{int(_digits(address.request.urn, 6)) % 254 + 1}"}


def _account(account: _Named) -> dict[str, Value]:
    email = account_address(account.text("accountId") or account.request.name, account.project)
    path = f"projects/{account.project}/serviceAccounts/{email}"
    return {
        "id": path,
        "name": path,
        "email": email,
        "member": f"serviceAccount:{email}",
        "uniqueId": _digits(account.request.urn, 21),
    }


def _service(service: _Named) -> dict[str, Value]:
    return {"id": f"{service.project}/{service.text('service') or service.request.name}"}


_GOOGLE: dict[str, Callable[[_Named], dict[str, Value]]] = {
    "gcp:container/cluster:Cluster": _cluster,
    "gcp:compute/address:Address": _address,
    "gcp:serviceaccount/account:Account": _account,
    "gcp:projects/service:Service": _service,
}


def _text(value: Value) -> str | None:
    plain = value.value if isinstance(value, Secret) else value
    return plain if isinstance(plain, str) and plain else None


def _mapping(value: Value) -> Mapping[str, Value]:
    plain = value.value if isinstance(value, Secret) else value
    return plain if isinstance(plain, Mapping) else {}


def _hex(urn: str) -> str:
    return hashlib.sha256(urn.encode()).hexdigest()[:8]


def _digits(urn: str, length: int) -> str:
    return str(int(hashlib.sha256(urn.encode()).hexdigest(), 16))[:length]
