"""A local copy of all objects of one kind, updated by a watch."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from llm_d_gke.kube.client import Kube
from llm_d_gke.kube.types import Expired, KubeError, Manifest, Manifests, UnknownKind

log = logging.getLogger(__name__)

# Seconds before another attempt to list a kind.
RETRY = 1.0

# Seconds before a kind whose CRD is not installed is looked for again although no CRD has changed.
MISSING_RETRY = 15.0

Key = tuple[str, str]


def key_of(manifest: Manifest) -> Key:
    """(namespace, name); the namespace of a cluster-wide object is empty."""
    metadata = manifest["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


class CrdChanges:
    """Counts changes of CRDs, so that informers of missing kinds wait instead of polling."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._count = 0

    @property
    def count(self) -> int:
        return self._count

    def add(self) -> None:
        with self._condition:
            self._count += 1
            self._condition.notify_all()

    def wait_after(self, count: int) -> None:
        """Return once there are more than `count` changes, or after `MISSING_RETRY` seconds."""
        with self._condition:
            self._condition.wait_for(lambda: self._count > count, MISSING_RETRY)


class Informer:
    """All objects of one kind. The returned objects are shared: never change them.

    `changed` is called after every change, from the watching thread. `crds` wakes an informer whose kind is not
    installed yet. With `metadata_only` the objects have no spec and no status.
    """

    def __init__(
        self,
        kube: Kube,
        api_version: str,
        kind: str,
        changed: Callable[[], None],
        *,
        crds: CrdChanges | None = None,
        metadata_only: bool = False,
    ) -> None:
        self.api_version = api_version
        self.kind = kind
        self._kube = kube
        self._changed = changed
        self._crds = crds
        self._metadata_only = metadata_only
        self._objects: dict[Key, Manifest] = {}
        self._lock = threading.Lock()
        self._synced = threading.Event()
        self._stopped = False

    def start(self) -> None:
        threading.Thread(target=self._run, name=f"watch-{self.kind}", daemon=True).start()

    def stop(self) -> None:
        """End the watch with its next answer or error: close its connection afterwards."""
        self._stopped = True

    def wait(self, timeout: float) -> bool:
        """Whether the first list arrived (or the kind is known not to exist) within `timeout` seconds."""
        return self._synced.wait(timeout)

    def all(self) -> Manifests:
        with self._lock:
            return list(self._objects.values())

    def get(self, namespace: str, name: str) -> Manifest | None:
        with self._lock:
            return self._objects.get((namespace, name))

    def _run(self) -> None:
        while not self._stopped:
            seen = self._crds.count if self._crds else 0
            try:
                self._follow()
            except UnknownKind:
                self._replace([])
                if self._crds:
                    self._crds.wait_after(seen)
                # Charts install many CRDs at once: one attempt for all of them.
                time.sleep(RETRY)
            except Expired:
                continue
            except KubeError as error:
                log.debug("watch of %s ended: %s", self.kind, error)
                time.sleep(RETRY)
            except Exception:
                if not self._stopped:
                    log.exception("watch of %s failed", self.kind)
                time.sleep(RETRY)

    def _follow(self) -> None:
        objects, version = self._kube.list_at(self.api_version, self.kind, metadata_only=self._metadata_only)
        self._replace(objects)
        while not self._stopped:
            changes = self._kube.watch(
                self.api_version, self.kind, resource_version=version, metadata_only=self._metadata_only
            )
            for event, item in changes:
                version = item["metadata"]["resourceVersion"]
                if event == "BOOKMARK":
                    continue
                with self._lock:
                    if event == "DELETED":
                        self._objects.pop(key_of(item), None)
                    else:
                        self._objects[key_of(item)] = item
                self._changed()

    def _replace(self, objects: Manifests) -> None:
        fresh = {key_of(item): item for item in objects}
        with self._lock:
            changed = fresh != self._objects
            self._objects = fresh
        if changed or not self._synced.is_set():
            self._synced.set()
            self._changed()
