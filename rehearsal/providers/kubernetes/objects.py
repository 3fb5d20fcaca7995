# ruff: noqa: SIM905 - words read better than a column of literals
"""Kubernetes objects in Pulumi's form: type tokens, names, spelling of fields."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from rehearsal.providers.properties import Properties
from rehearsal.providers.requests import Refused
from resource_graph.values import UNKNOWN, Secret

AUTONAMED: Final = "pulumi.com/autonamed"
SKIP_AWAIT: Final = "pulumi.com/skipAwait"
WAIT_FOR: Final = "pulumi.com/waitFor"
TIMEOUT: Final = "pulumi.com/timeoutSeconds"
PATCH_FORCE: Final = "pulumi.com/patchForce"
FIELD_MANAGER: Final = "pulumi.com/patchFieldManager"
PROPAGATION: Final = "pulumi.com/deletionPropagationPolicy"

# Set by the server. In inputs they would differ at every update.
READ_ONLY: Final = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "uid",
)
# Core kinds without a namespace, for use without an API server.
CLUSTER_WIDE: Final = frozenset(
    "APIService ClusterRole ClusterRoleBinding ComponentStatus CSIDriver CSINode CustomResourceDefinition DeviceClass "
    "FlowSchema GatewayClass IngressClass MutatingWebhookConfiguration Namespace Node PersistentVolume PriorityClass "
    "PriorityLevelConfiguration ResourceSlice RuntimeClass StorageClass ValidatingAdmissionPolicy "
    "ValidatingAdmissionPolicyBinding ValidatingWebhookConfiguration VolumeAttachment".split()
)
# Pulumi's SDKs cannot spell these fields of a CRD schema with dashes.
DASHED: Final = {
    name.replace("-", "_"): name
    for name in (
        "x-kubernetes-embedded-resource",
        "x-kubernetes-int-or-string",
        "x-kubernetes-list-map-keys",
        "x-kubernetes-list-type",
        "x-kubernetes-map-type",
        "x-kubernetes-preserve-unknown-fields",
        "x-kubernetes-validations",
    )
}
UNDERSCORED: Final = {dashed: name for name, dashed in DASHED.items()}
# Groups of the SDK that name tools and not an API.
TOOLS: Final = ("helm.sh", "kustomize", "yaml")
AUTONAME_LETTERS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
AUTONAME_LENGTH: Final = 7
QUANTITY: Final = re.compile(r"([+-]?[0-9.]+)([eE][+-]?\d+|[numkMGTPE]|[KMGTPE]i)?")
SCALE: Final = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "k": Decimal(10) ** 3,
    **{unit: Decimal(10) ** (3 * power) for power, unit in enumerate("MGTPE", start=2)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", start=1)},
}


@dataclass(frozen=True)
class Kind:
    """A parsed type token. `patch` kinds own single fields of an existing object."""

    api_version: str
    kind: str
    patch: bool = False

    @property
    def is_list(self) -> bool:
        """Whether it is the list kind of a built-in kind. A custom kind may have such a name too."""
        group = self.api_version.rpartition("/")[0]
        return self.kind.endswith("List") and ("." not in group or group.endswith(".k8s.io"))


def parse_token(token: str) -> Kind:
    """`kubernetes:core/v1:Service`, `kubernetes:gateway.networking.k8s.io/v1:Gateway`. Raises Refused for others."""
    match token.split(":"):
        case ["kubernetes", api, _] if api.split("/")[0] in TOOLS:
            pass
        case ["kubernetes", api, kind] if kind and api.count("/") == 1 and all(api.split("/")):
            version = api.removeprefix("core/")
            if kind.endswith("Patch"):
                return Kind(version, kind.removesuffix("Patch"), patch=True)
            return Kind(version, kind)
    raise Refused(f"{token} is not simulated: only kubernetes:<group>/<version>:<Kind> resources are")


def metadata(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """`metadata` when it is known, else nothing."""
    value = manifest.get("metadata")
    return value if isinstance(value, Mapping) else {}


def annotation(manifest: Mapping[str, Any], key: str) -> str:
    annotations = metadata(manifest).get("annotations")
    value = annotations.get(key) if isinstance(annotations, Mapping) else None
    return value if isinstance(value, str) else ""


def identity(manifest: Mapping[str, Any]) -> str:
    """The resource's id: `namespace/name`, or `name` for a cluster-wide kind."""
    namespace, name = metadata(manifest).get("namespace"), metadata(manifest)["name"]
    return f"{namespace}/{name}" if namespace else str(name)


def parse_identity(resource_id: str) -> tuple[str | None, str]:
    namespace, slash, name = resource_id.rpartition("/")
    return (namespace if slash else None), name


def autoname(logical: str, seed: bytes) -> str:
    """`<logical name>-<7 letters or digits>`; the same seed gives the same name."""
    number = int.from_bytes(hashlib.sha256(seed).digest() if seed else secrets.token_bytes(32))
    letters = ""
    for _ in range(AUTONAME_LENGTH):
        number, digit = divmod(number, len(AUTONAME_LETTERS))
        letters += AUTONAME_LETTERS[digit]
    return f"{logical}-{letters}"


def is_named(manifest: Mapping[str, Any]) -> bool:
    """Whether the program sets a name, even an unknown one."""
    return manifest.get("metadata") is UNKNOWN or bool(metadata(manifest).get("name"))


def with_name(manifest: Properties, name: str) -> Properties:
    """A copy with a generated name. The annotation marks it as one that a replacement may change."""
    given = dict(metadata(manifest))
    annotations = given.get("annotations")
    if annotations is not UNKNOWN:
        given["annotations"] = {**(annotations or {}), AUTONAMED: "true"}
    return {**manifest, "metadata": {**given, "name": name}}


def is_autonamed(manifest: Mapping[str, Any]) -> bool:
    return annotation(manifest, AUTONAMED) == "true"


def from_pulumi(properties: Properties, kind: Kind) -> Properties:
    """The manifest of an SDK's properties: spelled with dashes, without nulls and fields of the server."""
    manifest = _respelt(properties, DASHED)
    manifest = {"apiVersion": kind.api_version, "kind": kind.kind, **manifest}
    if isinstance(manifest.get("metadata"), dict):
        manifest["metadata"] = {k: v for k, v in manifest["metadata"].items() if k not in READ_ONLY}
    elif manifest.get("metadata") is None:
        manifest["metadata"] = {}
    return manifest


def to_pulumi(manifest: Mapping[str, Any]) -> Properties:
    """Outputs for the SDKs. All values of a Secret are secret."""
    outputs: Properties = _respelt(dict(manifest), UNDERSCORED)
    if outputs.get("apiVersion") == "v1" and outputs.get("kind") == "Secret":
        outputs.update({key: Secret(outputs[key]) for key in ("data", "stringData") if key in outputs})
    return outputs


def _respelt(value: Any, spelling: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        return {spelling.get(key, key): _respelt(item, spelling) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_respelt(item, spelling) for item in value]
    return value


def shaped(live: Any, wanted: Any) -> Any:
    """The part of a live object that the inputs set, in their spelling where the meaning is the same.

    What a refresh takes for the inputs: a field changed behind Pulumi's back differs, a default of the server does not.
    """
    if isinstance(wanted, Mapping) and isinstance(live, Mapping):
        found = {key: shaped(live[key], value) for key, value in wanted.items() if key in live}
        kept = {key: value for key, value in wanted.items() if key not in live and _is_empty(value)}
        return {**found, **kept}
    if isinstance(wanted, list) and isinstance(live, list):
        return [shaped(item, _counterpart(item, i, wanted)) for i, item in enumerate(live)]
    if wanted is not None and _quantity(live) is not None and _quantity(live) == _quantity(wanted):
        return wanted
    return live


def _is_empty(value: Any) -> bool:
    return value in (None, "", 0, False) or value == {} or value == []


def _counterpart(item: Any, index: int, wanted: list[Any]) -> Any:
    """Match list items by name where they have one, because servers may sort lists."""
    if isinstance(item, Mapping) and "name" in item:
        for candidate in wanted:
            if isinstance(candidate, Mapping) and candidate.get("name") == item["name"]:
                return candidate
    return wanted[index] if index < len(wanted) else None


def _quantity(value: Any) -> Decimal | None:
    """`500m`, `0.5`, `16Gi` as a number; None for anything else. An integer in YAML may come back as a string."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    match = QUANTITY.fullmatch(str(value))
    if match is None:
        return None
    digits, suffix = match.group(1), match.group(2) or ""
    try:
        if suffix[:1] in ("e", "E") and len(suffix) > 1:
            return Decimal(digits + suffix)
        return Decimal(digits) * SCALE[suffix]
    except InvalidOperation:
        return None


def with_secrets(manifest: Properties) -> Properties:
    """Inputs with all values of a Secret marked secret."""
    if (manifest.get("apiVersion"), manifest.get("kind")) != ("v1", "Secret"):
        return manifest
    return {key: Secret(value) if key in ("data", "stringData") else value for key, value in manifest.items()}


def with_string_data(live: Properties, wanted: Properties | None) -> Properties:
    """A Secret with `stringData` beside its `data`, for comparison with inputs that wrote it so."""
    written = (wanted or {}).get("stringData")
    if live["kind"] != "Secret" or not isinstance(written, dict):
        return live
    data = live.get("data") or {}
    return {**live, "stringData": {key: _decoded(data[key]) for key in written if key in data}}


def _decoded(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return value


def imported(live: Properties) -> Properties:
    """Inputs of an imported object: all fields except those of the server."""
    about = {key: value for key, value in live["metadata"].items() if key not in READ_ONLY}
    return {**{key: value for key, value in live.items() if key != "status"}, "metadata": about}
