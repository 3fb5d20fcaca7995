"""`make lock`: digests as registries give them, and what runs against them."""

from __future__ import annotations

import datetime
import hashlib
from typing import Any

import httpx
import pytest

from llm_d_gke.catalog import load
from llm_d_gke.catalog.locks import Lock
from llm_d_gke.maintenance.lock import RegistryError, charts_of, digest_of, images_of, resolve

TODAY = datetime.date(2026, 11, 28)
MANIFEST = b'{"schemaVersion": 2}'
DIGEST = "sha256:" + hashlib.sha256(MANIFEST).hexdigest()


class Registry:
    """Registries that ask for a token, and have every manifest but those that `missing` ends."""

    def __init__(self, missing: str = "nothing", **headers: str) -> None:
        self.missing, self.headers = missing, headers
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(str(request.url))
        if request.url.path == "/token":
            return httpx.Response(200, json={"token": f"for {request.url.params['scope']}"})
        repository = request.url.path.removeprefix("/v2/").partition("/manifests/")[0]
        scope = f"repository:{repository}:pull"
        if request.headers.get("authorization") != f"Bearer for {scope}":
            challenge = f'Bearer realm="https://auth.example.com/token",service="registry",scope="{scope}"'
            return httpx.Response(401, headers={"WWW-Authenticate": challenge})
        if request.url.path.endswith(self.missing):
            return httpx.Response(404)
        return httpx.Response(200, content=MANIFEST, headers=self.headers)

    def client(self) -> httpx.Client:
        return httpx.Client(transport=httpx.MockTransport(self))


@pytest.mark.parametrize(
    ("reference", "url"),
    [
        ("vllm/vllm-openai:v1", "https://registry-1.docker.io/v2/vllm/vllm-openai/manifests/v1"),
        ("envoy:v1", "https://registry-1.docker.io/v2/library/envoy/manifests/v1"),
        ("ghcr.io/llm-d/picker:v1", "https://ghcr.io/v2/llm-d/picker/manifests/v1"),
        ("oci://quay.io/jetstack/charts/cm:v1", "https://quay.io/v2/jetstack/charts/cm/manifests/v1"),
    ],
)
def test_a_registry_is_asked_with_the_token_it_gives_everybody(reference: str, url: str) -> None:
    registry = Registry()
    assert digest_of(registry.client(), reference) == DIGEST
    assert registry.asked[0] == registry.asked[-1] == url


def test_a_digest_that_is_not_the_manifests_is_refused() -> None:
    registry = Registry(**{"Docker-Content-Digest": "sha256:" + "0" * 64})
    with pytest.raises(RegistryError, match="for a manifest that has"):
        digest_of(registry.client(), "a/b:v1")


def test_a_registry_that_is_not_reached_is_named() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no route", request=request)

    with pytest.raises(RegistryError, match=r"ghcr\.io is not reached"):
        digest_of(httpx.Client(transport=httpx.MockTransport(refuse)), "ghcr.io/a/b:v1")


class TestLock:
    release = load().releases["llm-d-0.9"]

    def test_every_image_and_chart_of_the_release_is_in_it(self) -> None:
        lock, lines = resolve(Registry().client(), self.release, None, TODAY)
        assert lock is not None
        assert list(lock.images) == images_of(self.release)
        assert list(lock.charts) == charts_of(self.release)
        assert self.release.picker.image in lock.images
        assert all(line.startswith("new ") for line in lines)

    def test_a_tag_that_was_moved_is_said(self) -> None:
        image = self.release.picker.image
        before = Lock(release=self.release.name, date=TODAY, images={image: "sha256:" + "0" * 64})
        lock, lines = resolve(Registry().client(), self.release, before, TODAY)
        assert lock is not None
        assert lock.images[image] == DIGEST
        assert [line for line in lines if line.startswith("moved")] == [f"moved         {image}: {DIGEST}"]

    def test_what_is_not_resolved_keeps_its_digest_and_is_said(self) -> None:
        image = self.release.picker.image
        old = "sha256:" + "0" * 64
        before = Lock(release=self.release.name, date=TODAY, images={image: old})
        registry = Registry(missing="endpoint-picker/manifests/" + image.rpartition(":")[2])
        lock, lines = resolve(registry.client(), self.release, before, TODAY)
        assert lock is not None
        assert lock.images[image] == old
        assert [line for line in lines if line.startswith("not resolved")] != []

    def test_without_any_registry_there_is_no_lock(self) -> None:
        def unavailable(_: httpx.Request) -> httpx.Response:
            return httpx.Response(503)

        lock, lines = resolve(httpx.Client(transport=httpx.MockTransport(unavailable)), self.release, None, TODAY)
        assert lock is None
        assert len(lines) == len(images_of(self.release)) + len(charts_of(self.release))


def test_an_image_by_digest_needs_no_lock() -> None:
    releases: dict[str, Any] = dict(load().releases)
    assert all("@" not in image for release in releases.values() for image in images_of(release))
