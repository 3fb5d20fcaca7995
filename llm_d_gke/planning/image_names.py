"""Names of images: their registry, their digest by the release's lock, and the mirror that they come from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

DOCKER_HUB = "docker.io"
# Any registry without a separate mirror.
ANY = "*"
OCI = "oci://"
# llm-d's and Red Hat's images count otherwise: theirs begin with llm-d, or with a version above 0.
_VLLM_TAG = re.compile(r"(?:^|/)vllm[\w-]*:v?(0\.\d+(?:\.\d+)?)[^/:]*$")


def registry_of(reference: str) -> str:
    """The registry of an image or of an `oci://` chart. A first word without dot, colon and port is Docker Hub's."""
    first, slash, _ = reference.removeprefix(OCI).partition("/")
    return first if slash and (any(mark in first for mark in ".:") or first == "localhost") else DOCKER_HUB


def tagged_version(image: str) -> str | None:
    """The version of vLLM in the tag of an image that is named after it; None for any other."""
    match = _VLLM_TAG.search(image.split("@")[0])
    return match[1] if match is not None else None


def mirrored(reference: str, mirrors: Mapping[str, str]) -> str:
    """The same image or chart, from the mirror of its registry. Unchanged where none is given."""
    scheme, name = (OCI, reference.removeprefix(OCI)) if reference.startswith(OCI) else ("", reference)
    registry = registry_of(name)
    if any(name.startswith(f"{mirror.rstrip('/')}/") for mirror in mirrors.values()):
        return reference
    path = name.removeprefix(f"{registry}/")
    if registry == DOCKER_HUB and "/" not in path:
        path = f"library/{path}"
    if registry in mirrors:
        return f"{scheme}{mirrors[registry].rstrip('/')}/{path}"
    if ANY in mirrors:
        return f"{scheme}{mirrors[ANY].rstrip('/')}/{registry}/{path}"
    return reference


def locked(image: str, digests: Mapping[str, str]) -> str:
    """The image with its digest, where the lock has it. The tag stays, for people."""
    digest = digests.get(image)
    return image if digest is None or "@" in image else f"{image}@{digest}"


def has_mirror(reference: str, mirrors: Mapping[str, str]) -> bool:
    return ANY in mirrors or registry_of(reference) in mirrors


def put(values: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    """Set a value in nested mappings, which are copied on the way."""
    *parents, last = path
    holder = values
    for key in parents:
        holder[key] = dict(holder.get(key) or {})
        holder = holder[key]
    holder[last] = value
