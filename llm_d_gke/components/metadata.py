"""Metadata of Kubernetes objects."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pulumi_kubernetes.meta.v1 import ObjectMetaArgs


def metadata(
    name: str,
    namespace: str | None = None,
    *,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
) -> ObjectMetaArgs:
    """Metadata of one object, cluster-scoped without a namespace. Empty maps are left out."""
    return ObjectMetaArgs(
        name=name,
        namespace=namespace,
        labels=dict(labels) if labels else None,
        annotations=dict(annotations) if annotations else None,
    )


def wait_for(*conditions: str) -> dict[str, str]:
    """The annotation by which `up` waits until an object has all of these conditions. Empty without any."""
    if not conditions:
        return {}
    return {"pulumi.com/waitFor": conditions[0] if len(conditions) == 1 else json.dumps(conditions)}
