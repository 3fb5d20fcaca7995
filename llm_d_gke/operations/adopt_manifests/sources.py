"""Sources of weights: URIs of KServe and llm-d as `models[].source` of a stack file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_HUB = ("hf://", "https://huggingface.co/")
_BUCKET, _CLAIM, _IMAGE = "gs://", "pvc://", "oci://"


def source_of(uri: str) -> tuple[str | None, Mapping[str, str] | None]:
    """The model's id, as far as the URI names it, and its source. None for the Hugging Face Hub, the default.

    Of weights on a volume or in a bucket the id is what the folders end with: `organization/name` or `name`.
    """
    for scheme in _HUB:
        if uri.startswith(scheme):
            name, _, revision = uri.removeprefix(scheme).partition("@")
            name, _, revision = (name, "", revision) if revision else name.partition(":")
            return name.strip("/"), {"kind": "hugging-face", "revision": revision} if revision else None
    if uri.startswith(_BUCKET):
        bucket, _, path = uri.removeprefix(_BUCKET).partition("/")
        return None, {"kind": "bucket", "bucket": bucket, "path": path.strip("/")}
    if uri.startswith(_CLAIM):
        claim, _, path = uri.removeprefix(_CLAIM).partition("/")
        return None, {"kind": "volume-claim", "claim": claim, "path": path.strip("/")}
    if uri.startswith(_IMAGE):
        return None, {"kind": "image", "reference": uri.removeprefix(_IMAGE), "path": "models"}
    return (uri if uri.count("/") == 1 and ":" not in uri and not uri.startswith("/") else None), None


def adapter_of(name: str, uri: str) -> tuple[Mapping[str, Any] | None, str]:
    """An adapter of `models[].adapters`, or None with the reason."""
    model, source = source_of(uri)
    if not name:
        return None, "it has no name"
    if source is None and model is not None:
        return {"name": name, "source": model}, ""
    return None, f"its source {uri!r} is not on the Hugging Face Hub; write it into models[].adapters by hand"
