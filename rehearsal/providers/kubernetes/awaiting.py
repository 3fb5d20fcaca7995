"""Waits until an object is ready or deleted, with a line on the screen every few seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from rehearsal.errors import ProviderError
from rehearsal.kube import Kube, Unreachable
from rehearsal.kube.types import Manifest
from rehearsal.providers.kubernetes import explaining, readiness, waiting
from rehearsal.providers.kubernetes.objects import SKIP_AWAIT, TIMEOUT, WAIT_FOR, annotation, metadata
from rehearsal.providers.kubernetes.waiting import Verdict

DEFAULT_TIMEOUT: Final = 600.0  # seconds, as the real provider
VOLUME_TIMEOUT: Final = 300.0
FIRST_LOOK: Final = 0.05  # seconds between looks; most objects are ready at once, models load for minutes
LONGEST_LOOK: Final = 0.5
STATUS_EVERY: Final = 5.0
# Kinds whose deletion the real provider does not wait for under skipAwait.
UNAWAITED_DELETES: Final = frozenset(
    ("Namespace", "Pod", "ReplicationController", "DaemonSet", "Deployment", "StatefulSet", "Job")
)


class NotReady(ProviderError):  # noqa: N818
    """The object exists but is not ready. `reasons` say why, `live` is its last state."""

    def __init__(self, reasons: list[str], live: Manifest) -> None:
        super().__init__("; ".join(reasons))
        self.reasons, self.live = reasons, live


@dataclass(frozen=True)
class Watcher:
    """How a wait reports, where the logs are, and what cancels it."""

    tell: Callable[[str], None]
    logs: Path
    canceled: threading.Event

    def until_ready(self, kube: Kube, live: Manifest, inputs: Manifest, timeout: float) -> Manifest:
        """Wait for an object and return it. Raises NotReady, and Refused for an invalid waitFor annotation.

        `timeout` are the seconds of customTimeouts, 0 when there are none.
        """
        if annotation(inputs, SKIP_AWAIT) == "true":
            return live
        test = _test(kube, inputs)
        if test is None:
            return live
        seconds = _seconds(inputs, timeout)
        begin = time.monotonic()
        pause, reported_at = FIRST_LOOK, begin
        while True:
            try:
                verdict = test(live)
            except readiness.Hopeless as hopeless:
                raise NotReady([str(hopeless), *explaining.pods(kube, live, self.logs)], live) from hopeless
            if verdict is None:
                return live
            now = time.monotonic()
            if now - begin > seconds:
                self._give_up(f"not ready after {seconds:.0f} s: {verdict}", kube, live)
            if now - reported_at > STATUS_EVERY:
                reported_at = now
                self.tell(f"waiting for {now - begin:.0f} s: {verdict}")
            if self.canceled.wait(pause):
                self._give_up(f"canceled while waiting: {verdict}", kube, live)
            pause = min(pause * 1.5, LONGEST_LOOK)
            found = _look(kube, live)
            if found is None or metadata(found)["uid"] != metadata(live)["uid"]:
                raise NotReady(["it was deleted while waiting for it"], live)
            live = found

    def until_gone(self, kube: Kube, live: Manifest, inputs: Manifest, timeout: float) -> None:
        """Wait until an object is deleted. Raises NotReady with its finalizers when it stays."""
        if annotation(inputs, SKIP_AWAIT) == "true" and live["kind"] in UNAWAITED_DELETES:
            return
        uid = metadata(live)["uid"]
        seconds = timeout or _annotated(inputs) or DEFAULT_TIMEOUT
        begin = time.monotonic()
        pause, reported_at = FIRST_LOOK, begin
        while True:
            found = _look(kube, live)
            if found is None or metadata(found)["uid"] != uid:
                return
            holds = _what_holds(found)
            now = time.monotonic()
            if now - begin > seconds:
                raise NotReady([f"not gone after {seconds:.0f} s: {holds}"], found)
            if now - reported_at > STATUS_EVERY:
                reported_at = now
                self.tell(f"being deleted for {now - begin:.0f} s: {holds}")
            if self.canceled.wait(pause):
                raise NotReady([f"canceled while it was being deleted: {holds}"], found)
            pause = min(pause * 1.5, LONGEST_LOOK)

    def _give_up(self, why: str, kube: Kube, live: Manifest) -> None:
        raise NotReady([why, *explaining.pods(kube, live, self.logs)], live)


def _test(kube: Kube, inputs: Manifest) -> Callable[[Manifest], Verdict] | None:
    expression = annotation(inputs, WAIT_FOR)
    if expression:
        return waiting.parse(expression)
    built_in = readiness.of(inputs)
    return None if built_in is None else lambda live: built_in(kube, live)


def _look(kube: Kube, live: Manifest) -> Manifest | None:
    about = metadata(live)
    # An API server under load may not answer in time.
    retrying = Retrying(
        retry=retry_if_exception_type(Unreachable), stop=stop_after_attempt(3), wait=wait_exponential(), reraise=True
    )
    return retrying(kube.find, live["apiVersion"], live["kind"], about["name"], about.get("namespace"))


def _seconds(inputs: Manifest, timeout: float) -> float:
    usual = VOLUME_TIMEOUT if inputs["kind"].startswith("PersistentVolume") else DEFAULT_TIMEOUT
    return timeout or _annotated(inputs) or usual


def _annotated(inputs: Manifest) -> float:
    text = annotation(inputs, TIMEOUT)
    return float(text) if text.isdigit() else 0.0


def _what_holds(found: Manifest) -> str:
    finalizers = metadata(found).get("finalizers") or (found.get("spec") or {}).get("finalizers")
    messages = [
        str(condition.get("message")) for condition in waiting.conditions(found) if condition.get("status") == "True"
    ]
    held = f"finalizers {', '.join(finalizers)}" if finalizers else "it is still there"
    return "; ".join([held, *messages]) if found["kind"] == "Namespace" else held
