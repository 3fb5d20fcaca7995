"""What runs is compared with the digests of the release's lock."""

from __future__ import annotations

import datetime
from types import SimpleNamespace
from typing import Any

import pytest

import llm_d_gke.planning.platform.image_sources as image_sources
from llm_d_gke.catalog.locks import Lock
from llm_d_gke.operations.verify.checks import images
from llm_d_gke.operations.verify.result import Outcome, Result
from tests.stacks import plan_of

LOCKED, OTHER = ("sha256:" + digit * 64 for digit in "ab")


def run(monkeypatch: pytest.MonkeyPatch, *running: str, image: str | None = None) -> Result:
    """The check of a stack whose engine's image is locked, with a pod for each of the digests that `running` names."""
    name = plan_of("gpu").models[0].servers[0].pod.image
    lock = Lock(release="llm-d-0.9", date=datetime.date(2026, 11, 28), images={name: LOCKED})
    monkeypatch.setattr(image_sources, "load_lock", lambda _release: lock)
    status = [{"name": "vllm", "image": image or f"docker.io/{name}", "imageID": digest} for digest in running]
    pods = [
        {"metadata": {"name": f"pod-{number}"}, "status": {"containerStatuses": [container]}}
        for number, container in enumerate(status)
    ]
    cluster = SimpleNamespace(list=lambda *_: pods)
    live: Any = SimpleNamespace(plan=plan_of("gpu"), cluster=cluster, namespace="n", kubectl="kubectl")
    return images.images_as_locked(SimpleNamespace(live=live))  # type: ignore[arg-type]


def test_what_the_lock_names_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run(monkeypatch, f"docker.io/vllm/vllm-openai@{LOCKED}", f"docker.io/vllm/vllm-openai@{LOCKED}")
    assert result.outcome is Outcome.PASSED
    assert "2 containers" in result.evidence


def test_another_content_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run(monkeypatch, f"docker.io/vllm/vllm-openai@{LOCKED}", f"docker.io/vllm/vllm-openai@{OTHER}")
    assert result.outcome is Outcome.FAILED
    assert f"pod-1/vllm runs {OTHER}" in result.evidence


def test_containers_of_others_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a single one that is, nothing was checked, which is no pass."""
    result = run(monkeypatch, f"docker.io/istio/proxyv2@{OTHER}", image="docker.io/istio/proxyv2:1.29.4")
    assert result.outcome is Outcome.FAILED
    assert "no container states the digest" in result.evidence
