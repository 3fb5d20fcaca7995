"""The data that new clusters begin with: the same cluster, no keys, and a start without a file that is damaged."""

from __future__ import annotations

import base64
import dataclasses
import gzip
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from llm_d_gke.kube import Manifest
from llm_d_gke.rehearsal.cluster_client import client
from llm_d_gke.rehearsal.control_plane import start_data
from llm_d_gke.rehearsal.control_plane.addons import Features
from llm_d_gke.rehearsal.control_plane.control_plane import ControlPlane
from llm_d_gke.rehearsal.control_plane.parts import API_SERVER, ETCD, Layout, Ports
from llm_d_gke.rehearsal.host import processes
from llm_d_gke.rehearsal.paths import StackPaths
from tests.waiting import eventually

pytestmark = pytest.mark.rehearsal

FEATURES = Features("1.34.1-gke.1829001")
# Of each cluster: its certificates, its port, its name as a holder of leases, and times.
OWN = {"ca.crt", "client-ca-file", "requestheader-client-ca-file", "targetPort", "holderIdentity"}
TIMES = {"lastTransitionTime", "renewTime", "acquireTime", "creationTimestamp", "time"}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(start_data, "cache_of", lambda _module: tmp_path / "cache")
    return tmp_path / "cache" / "clusters"


@pytest.fixture
def stacks(tmp_path: Path) -> Iterator[list[StackPaths]]:
    four = [StackPaths(f"start-{number}", tmp_path) for number in range(4)]
    yield four
    for stack in four:
        processes.stop_all(stack)


def layout(folder: Path, minor: str = "1.34", service_range: str = "10.96.0.0/16") -> Layout:
    programs = {name: folder / name for name in (ETCD, API_SERVER)}
    for program in programs.values():
        program.touch()
    return Layout(StackPaths("none", folder), Ports(1, 2, 3, 4), service_range, minor, programs)


def test_other_versions_kinds_and_programs_have_other_data(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "other").mkdir()
    plain = layout(tmp_path)
    changed = {
        "minor": (layout(tmp_path, minor="1.35"), FEATURES),
        "range": (layout(tmp_path, service_range="10.97.0.0/16"), FEATURES),
        "program": (layout(tmp_path / "other"), FEATURES),
        "kinds": (plain, dataclasses.replace(FEATURES, secret_manager=True)),
        "objects": (plain, Features("1.34.0-gke.1")),
    }
    files = {name: start_data.file_of(*arguments) for name, arguments in changed.items()}
    same = start_data.file_of(plain, dataclasses.replace(FEATURES, version="1.34.1-gke.1829002"))
    assert same == start_data.file_of(plain, FEATURES)
    assert len({same, *files.values()}) == 1 + len(files)


def started(*stacks: StackPaths) -> list[list[str]]:
    """Start clusters at the same time and return what each reported."""

    def start(stack: StackPaths) -> list[str]:
        lines: list[str] = []
        ControlPlane(stack).start(FEATURES, lines.append)
        return lines

    with ThreadPoolExecutor() as pool:
        return list(pool.map(start, stacks))


def objects(stack: StackPaths) -> dict[str, Manifest]:
    """Every object of a cluster by its path, without what differs among clusters."""
    with client(stack) as kube:
        groups = ["/api/v1"]
        for group in kube.request("GET", "/apis")["groups"]:
            groups += [f"/apis/{version['groupVersion']}" for version in group["versions"]]
        resources = [
            f"{group}/{resource['name']}"
            for group in groups
            for resource in kube.request("GET", group)["resources"]
            if "list" in resource["verbs"] and resource["name"] != "events"
        ]
        return {
            f"{resource} {item['metadata'].get('namespace')}/{item['metadata']['name']}": common(item)
            for resource in resources
            for item in kube.request("GET", resource)["items"]
        }


def common(tree: Any) -> Any:
    if isinstance(tree, list):
        return sorted((common(item) for item in tree), key=repr)  # conditions have no order
    if not isinstance(tree, dict):
        return tree
    return {key: common(value) for key, value in tree.items() if key not in {"uid", "resourceVersion", *OWN, *TIMES}}


@pytest.mark.slow
def test_clusters_with_and_without_it_are_the_same(
    cache: Path, stacks: list[StackPaths], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two without it start at once, because the file is damaged, and then two with it."""
    damaged, name = b"\x1f\x8b damaged", start_data.file_of

    def with_a_damaged_file(layout: Layout, features: Features) -> Path:
        file = name(layout, features)
        cache.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            file.write_bytes(damaged)
        return file

    with monkeypatch.context() as patch:
        patch.setattr(start_data, "file_of", with_a_damaged_file)
        without = started(*stacks[:2])
    assert all(any("installing what GKE" in line for line in lines) for lines in without)
    [file] = cache.iterdir()
    written = [
        put["requestPut"]
        for line in gzip.decompress(file.read_bytes()).splitlines()
        for put in json.loads(line)["success"]
    ]
    assert written
    for put in written:
        key, value = base64.b64decode(put["key"]), base64.b64decode(put["value"])
        assert b"BEGIN" not in value
        assert not key.startswith((b"/registry/secrets", b"/registry/configmaps"))

    processes.stop_all(stacks[1])
    assert not any("installing what GKE" in line for lines in started(*stacks[2:]) for line in lines)
    # The controllers of both still write accounts and roles.
    eventually(lambda: objects(stacks[2]) == objects(stacks[0]))
    with client(stacks[2]) as kube, client(stacks[3]) as other:
        kind, premium = ("storage.k8s.io/v1", "StorageClass"), "premium-rwo"
        shared = kube.get(*kind, premium)["metadata"]["uid"]
        assert other.get(*kind, premium)["metadata"]["uid"] == shared
        assert (
            kube.get("v1", "Namespace", "kube-system")["metadata"]["uid"]
            != (other.get("v1", "Namespace", "kube-system")["metadata"]["uid"])
        )
        kube.delete(*kind, premium)
        assert kube.find(*kind, premium) is None
        assert other.get(*kind, premium)["metadata"]["uid"] == shared
