"""HTTP filters that Istio puts in front of a Gateway's routes, and the Secrets that its pods mount.

Sources: istio.io/docs/reference/config/networking/envoy-filter; istio.io/docs/tasks/traffic-management/ingress/
gateway-api, "Automated Deployment" (the ConfigMap that `infrastructure.parametersRef` names).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import yaml

from llm_d_gke.kube import Manifest, Manifests
from llm_d_gke.rehearsal.host.files import write_if_changed
from llm_d_gke.rehearsal.load_balancer.envoy_config import ISTIO_MANAGER, Config
from llm_d_gke.rehearsal.load_balancer.kinds import is_istio_gateway
from llm_d_gke.rehearsal.load_balancer.tokens import token_filters
from llm_d_gke.rehearsal.node_agent.environment import Find, data_of
from llm_d_gke.rehearsal.paths import StackPaths, difference, record_difference

log = logging.getLogger(__name__)

# The key in place of those of Secret Manager, which a rehearsal does not read.
STAND_IN_KEY = "rehearsal-stand-in-of-secret-manager"

# The kind of a volume without files of its own.
_EMPTY = "emptyDir"

# The label that Istio gives to the pods of a Gateway.
_GATEWAY_LABEL = "gateway.networking.k8s.io/gateway-name"


class IstioChanges:
    """Changes to a Gateway's listener by Istio, its EnvoyFilters and its token checks."""

    def __init__(self, paths: StackPaths, find: Find) -> None:
        self._paths, self._find = paths, find

    def of(self, gateway: Manifest, every: Callable[[str], Manifests]) -> tuple[list[Config], Config]:
        """Filters in front of the routes, and fields of the connection manager; nothing for Google's Gateways.

        `every` lists all objects of a kind.
        """
        if not is_istio_gateway(gateway):
            return [], {}
        checks = token_filters(
            gateway, every("RequestAuthentication"), every("AuthorizationPolicy"), self._paths.token_keys
        )
        if checks:
            record_difference(self._paths, difference("tokens"))
        filters, manager = filters_of(gateway, every("EnvoyFilter"), checks)
        folder = self._paths.envoy / "mounted"
        return with_mounts(gateway, filters, folder, self._find), ISTIO_MANAGER | manager


def filters_of(
    gateway: Manifest, envoy_filters: Sequence[Manifest], checks: Sequence[Config] = ()
) -> tuple[list[Config], Config]:
    """The filters in the order in which a request passes them, and fields of the HTTP connection manager.

    `checks` are Istio's own filters, around which EnvoyFilters place theirs. A patch that is not simulated is logged.
    """
    metadata, filters, manager = gateway["metadata"], list(checks), Config()
    labels = {_GATEWAY_LABEL: metadata["name"]}
    for envoy_filter in envoy_filters:
        selector = (envoy_filter["spec"].get("workloadSelector") or {}).get("labels") or {}
        if envoy_filter["metadata"]["namespace"] != metadata["namespace"] or not selector.items() <= labels.items():
            continue
        for patch in envoy_filter["spec"].get("configPatches") or []:
            change = patch.get("patch") or {}
            match (patch.get("applyTo"), change.get("operation")):
                case ("HTTP_FILTER", "INSERT_FIRST"):
                    filters.insert(0, dict(change["value"]))
                case ("HTTP_FILTER", "INSERT_AFTER"):
                    after = patch["match"]["listener"]["filterChain"]["filter"]["subFilter"]["name"]
                    # As in Istio: behind a filter that is not there, nothing is inserted.
                    place = next((n for n, entry in enumerate(filters) if entry["name"] == after), None)
                    if place is not None:
                        filters.insert(place + 1, dict(change["value"]))
                case ("NETWORK_FILTER", "MERGE"):
                    fields = change["value"]["typed_config"]
                    manager |= {name: value for name, value in fields.items() if name != "@type"}
                case other:
                    log.warning("EnvoyFilter %s: %s is not simulated", envoy_filter["metadata"]["name"], other)
    return filters, manager


def with_mounts(gateway: Manifest, filters: Sequence[Config], folder: Path, find: Find) -> list[Config]:
    """The filters with the paths of mounted volumes on this machine, whose files are written below `folder`.

    A Secret that is not there has no files, as in a volume that is not mounted yet. An emptyDir belongs to the filters.
    """
    text = json.dumps(list(filters))
    namespace = gateway["metadata"]["namespace"]
    for path, (kind, name) in _mounts(gateway, find).items():
        place = folder / namespace / name
        if kind == _EMPTY:
            place.mkdir(parents=True, exist_ok=True)
        else:
            _write(place, _entries(find(kind, namespace, name)))
        text = text.replace(f"{path.rstrip('/')}/", f"{place}/")
    mounted: list[Config] = json.loads(text)
    return mounted


def _entries(holder: Manifest | None) -> Mapping[str, bytes]:
    """Files of a Secret, or of a SecretProviderClass: what only Secret Manager has is a stand-in."""
    if holder is None:
        return {}
    if holder["kind"] == "Secret":
        return data_of(holder)
    listed = yaml.safe_load(holder["spec"]["parameters"]["secrets"])
    return {str(item["path"]): f"rehearsal {STAND_IN_KEY}\n".encode() for item in listed}


def _write(place: Path, entries: Mapping[str, bytes]) -> None:
    place.mkdir(parents=True, exist_ok=True)
    for file in place.iterdir():
        if file.name not in entries:
            file.unlink()
    for name, value in entries.items():
        write_if_changed(place / name, value)


def _mounts(gateway: Manifest, find: Find) -> Mapping[str, tuple[str, str]]:
    """Kind and name of a Secret, SecretProviderClass or emptyDir by the path at which the Gateway's pods mount it."""
    reference = (gateway["spec"].get("infrastructure") or {}).get("parametersRef") or {}
    parameters = None
    if reference.get("kind") == "ConfigMap":
        parameters = find("ConfigMap", gateway["metadata"]["namespace"], reference["name"])
    text = ((parameters or {}).get("data") or {}).get("deployment")
    pod = ((((yaml.safe_load(text) if text else None) or {}).get("spec") or {}).get("template") or {}).get("spec") or {}
    mounted: dict[str, tuple[str, str]] = {}
    for volume in pod.get("volumes") or []:
        if "secret" in volume:
            mounted[volume["name"]] = ("Secret", volume["secret"]["secretName"])
        elif "emptyDir" in volume:
            mounted[volume["name"]] = (_EMPTY, volume["name"])
        elif name := ((volume.get("csi") or {}).get("volumeAttributes") or {}).get("secretProviderClass"):
            mounted[volume["name"]] = ("SecretProviderClass", name)
    return {
        mount["mountPath"]: mounted[mount["name"]]
        for container in pod.get("containers") or []
        for mount in container.get("volumeMounts") or []
        if mount["name"] in mounted
    }
