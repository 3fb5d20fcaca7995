"""Kubernetes events, as `kubectl describe` shows them."""

from __future__ import annotations

import logging
import uuid

from llm_d_gke.kube.client import Kube
from llm_d_gke.kube.conditions import timestamp
from llm_d_gke.kube.types import KubeError, Manifest

log = logging.getLogger(__name__)


def record(kube: Kube, about: Manifest, source: str, reason: str, message: str, *, warning: bool = False) -> None:
    """Write one event. A failure, for example in a terminating namespace, is only logged."""
    metadata = about["metadata"]
    moment = timestamp()
    namespace = metadata.get("namespace", "default")
    event: Manifest = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{metadata['name'][:200]}.{uuid.uuid4().hex[:16]}", "namespace": namespace},
        "involvedObject": {
            "apiVersion": about["apiVersion"],
            "kind": about["kind"],
            "name": metadata["name"],
            "namespace": metadata.get("namespace", ""),
            "uid": metadata.get("uid", ""),
            "resourceVersion": metadata.get("resourceVersion", ""),
        },
        "reason": reason,
        "message": message[:1000],
        "type": "Warning" if warning else "Normal",
        "source": {"component": source},
        "reportingComponent": source,
        "firstTimestamp": moment,
        "lastTimestamp": moment,
        "count": 1,
    }
    try:
        kube.create(event)
    except KubeError as error:
        log.info("event %s on %s not written: %s", reason, metadata["name"], error)


class Recorder:
    """Writes an event when its message changed."""

    def __init__(self, kube: Kube, source: str) -> None:
        self._kube = kube
        self._source = source
        self._last: dict[tuple[str, str], str] = {}

    def __call__(self, about: Manifest, reason: str, message: str, *, warning: bool = False) -> None:
        key = (str(about["metadata"].get("uid")), reason)
        if self._last.get(key) == message:
            return
        self._last[key] = message
        log.info("%s %s: %s: %s", about["kind"], about["metadata"]["name"], reason, message)
        record(self._kube, about, self._source, reason, message, warning=warning)
