"""What is read from the administration interface of Envoy."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from llm_d_gke.rehearsal.load_balancer import envoy
from llm_d_gke.rehearsal.load_balancer.envoy_config import bootstrap
from llm_d_gke.rehearsal.paths import StackPaths


def _host(address: str, port: int) -> dict[str, object]:
    return {"address": {"socket_address": {"address": address, "port_value": port}}}


def test_addresses_are_those_of_the_clusters_that_envoy_has_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = StackPaths("gpu", tmp_path)
    paths.envoy.mkdir(parents=True)
    (paths.envoy / "bootstrap.json").write_text(json.dumps(bootstrap(("127.0.0.9", 15000), "l.json", "c.json")))
    clusters = [
        {"name": "pool/a", "host_statuses": [_host("127.1.0.1", 8000), _host("127.1.0.2", 8000)]},
        {"name": "picker", "host_statuses": [_host("127.1.0.2", 9002)]},
        {"name": "empty"},
    ]
    requested: list[tuple[str, object]] = []

    def answer(url: str, *, params: object, **_: object) -> httpx.Response:
        requested.append((url, params))
        return httpx.Response(200, json={"cluster_statuses": clusters})

    monkeypatch.setattr(httpx, "get", answer)
    assert envoy.endpoints_read(envoy.admin_of(paths)) == {
        "pool/a": {("127.1.0.1", 8000), ("127.1.0.2", 8000)},
        "picker": {("127.1.0.2", 9002)},
        "empty": set(),
    }
    assert requested[0] == ("http://127.0.0.9:15000/clusters", {"format": "json"})
