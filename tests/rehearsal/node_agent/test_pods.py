"""Environment, volumes and status of a pod, as the kubelet makes them."""

from __future__ import annotations

import base64
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from llm_d_gke.rehearsal.autoscaler.pod_requests import requests
from llm_d_gke.rehearsal.host.ports import Ports
from llm_d_gke.rehearsal.node_agent.environment import ConfigError, resolve
from llm_d_gke.rehearsal.node_agent.eviction import eviction_message
from llm_d_gke.rehearsal.node_agent.pod_status import ContainerState, conditions, dated_back, phase
from llm_d_gke.rehearsal.node_agent.probes import check
from llm_d_gke.rehearsal.node_agent.volumes import MountError, has_token, materialize, mounts

OBJECTS: dict[tuple[str, str], dict[str, Any]] = {
    ("Secret", "hf"): {"kind": "Secret", "data": {"token": base64.b64encode(b"abc").decode()}},
    ("ConfigMap", "settings"): {"kind": "ConfigMap", "data": {"a.yaml": "x: 1", "b": "2"}},
}


def find(kind: str, namespace: str, name: str) -> dict[str, Any] | None:
    assert namespace == "llm"
    return OBJECTS.get((kind, name))


def pod(**spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "p", "namespace": "llm", "uid": "u", "labels": {"llm-d.ai/role": "decode"}},
        "spec": {"nodeName": "n", "containers": [], **spec},
    }


def env(*entries: dict[str, Any], sources: list[dict[str, Any]] | None = None) -> dict[str, str]:
    container = {"env": list(entries), "envFrom": sources or []}
    return resolve(pod(), container, "127.64.1.9", "127.64.0.10", find)


def reference(name: str, key: str, path: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "valueFrom": {key: path}}


def test_fields_secrets_and_config_maps_are_resolved() -> None:
    resolved = env(
        reference("IP", "fieldRef", {"fieldPath": "status.podIP"}),
        reference("ROLE", "fieldRef", {"fieldPath": "metadata.labels['llm-d.ai/role']"}),
        reference("NODE", "fieldRef", {"fieldPath": "spec.nodeName"}),
        reference("TOKEN", "secretKeyRef", {"name": "hf", "key": "token"}),
        reference("B", "configMapKeyRef", {"name": "settings", "key": "b"}),
        {"name": "URL", "value": "http://$(IP):8000/$(LATER)"},
        {"name": "LATER", "value": "x"},
        sources=[{"prefix": "S_", "configMapRef": {"name": "settings"}}],
    )
    assert resolved == {
        "S_a.yaml": "x: 1",
        "S_b": "2",
        "IP": "127.64.1.9",
        "ROLE": "decode",
        "NODE": "n",
        "TOKEN": "abc",
        "B": "2",
        "URL": "http://127.64.1.9:8000/$(LATER)",
        "LATER": "x",
    }


@pytest.mark.parametrize(
    ("key", "path", "message"),
    [
        ("secretKeyRef", {"name": "none", "key": "k"}, 'secret "none" not found'),
        ("secretKeyRef", {"name": "hf", "key": "HF_TOKEN"}, "couldn't find key HF_TOKEN in Secret llm/hf"),
        ("configMapKeyRef", {"name": "none", "key": "k"}, 'configmap "none" not found'),
        ("fieldRef", {"fieldPath": "status.color"}, "unsupported fieldPath: status.color"),
    ],
)
def test_what_is_missing_is_told_in_the_kubelets_words(key: str, path: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        env(reference("X", key, path))
    assert str(caught.value) == message


def test_optional_references_leave_the_variable_out() -> None:
    assert env(reference("X", "secretKeyRef", {"name": "none", "key": "k", "optional": True})) == {}


def test_volumes_hold_what_they_name(tmp_path: Path) -> None:
    volumes = [
        {"name": "config", "configMap": {"name": "settings"}},
        {"name": "part", "secret": {"secretName": "hf", "items": [{"key": "token", "path": "deep/t"}]}},
        {"name": "shm", "emptyDir": {"medium": "Memory"}},
    ]
    folders = materialize(pod(volumes=volumes), tmp_path, "127.64.1.9", "127.64.0.10", find)
    files = {str(file.relative_to(tmp_path)): file.read_text() for file in tmp_path.rglob("*") if file.is_file()}
    assert files == {"volumes/config/a.yaml": "x: 1", "volumes/config/b": "2", "volumes/part/deep/t": "abc"}
    assert Path(folders["shm"]).is_dir()
    container = {"volumeMounts": [{"name": "config", "mountPath": "/config", "subPath": "a.yaml"}]}
    assert mounts(container, folders) == {"/config": f"{folders['config']}/a.yaml"}


@pytest.mark.parametrize(
    ("volume", "written", "words"),
    [
        ({"sizeLimit": "1Mi"}, 2**20, ""),
        ({"sizeLimit": "1Mi"}, 2**20 + 1, 'Usage of EmptyDir volume "cache" exceeds the limit "1Mi". '),
        ({}, 3 * 2**30, ""),
        ({}, 3 * 2**30 + 1, "Pod ephemeral local storage usage exceeds the total limit of containers 3Gi. "),
        # A tmpfs: it counts as memory.
        ({"medium": "Memory", "sizeLimit": "1Mi"}, 2**20 + 1, ""),
    ],
)
def test_what_is_written_is_measured_against_the_limits(
    tmp_path: Path, volume: dict[str, Any], written: int, words: str
) -> None:
    containers = [{"resources": {"limits": {"ephemeral-storage": limit}}} for limit in ("1Gi", "2Gi")]
    filled = pod(volumes=[{"name": "cache", "emptyDir": volume}], containers=containers)
    folders = materialize(filled, tmp_path, "", "", find)
    with (Path(folders["cache"]) / "full").open("wb") as file:
        file.truncate(written)
    (Path(folders["cache"]) / "link").symlink_to("full")
    assert eviction_message(filled, folders) == words


def test_secrets_on_disk_are_for_their_owner_only(tmp_path: Path) -> None:
    folders = materialize(pod(volumes=[{"name": "s", "secret": {"secretName": "hf"}}]), tmp_path, "", "", find)
    assert (Path(folders["s"]) / "token").stat().st_mode & 0o077 == 0


def test_a_missing_config_map_keeps_the_pod_creating(tmp_path: Path) -> None:
    with pytest.raises(MountError, match=r'MountVolume.SetUp failed for volume "c" : configmap "none" not found'):
        materialize(pod(volumes=[{"name": "c", "configMap": {"name": "none"}}]), tmp_path, "", "", find)


@pytest.mark.parametrize(
    ("spec", "account", "expected"),
    [
        ({}, {}, True),
        ({"automountServiceAccountToken": False}, {}, False),
        ({}, {"automountServiceAccountToken": False}, False),
        ({"automountServiceAccountToken": True}, {"automountServiceAccountToken": False}, True),
    ],
)
def test_a_pod_has_its_accounts_token_unless_told_otherwise(
    spec: dict[str, Any], account: dict[str, Any], expected: bool
) -> None:
    assert has_token(pod(**spec), account) is expected


def state(*, ready: bool = False, **kind: Any) -> ContainerState:
    return ContainerState("c", "i", state=kind or {"running": {}}, ready=ready)


@pytest.mark.parametrize(
    ("containers", "policy", "expected"),
    [
        ([state(waiting={"reason": "ContainerCreating"})], "Always", "Pending"),
        ([state()], "Always", "Running"),
        ([state(terminated={"exitCode": 0})], "Never", "Succeeded"),
        ([state(terminated={"exitCode": 0}), state(terminated={"exitCode": 1})], "Never", "Failed"),
        ([state(), state(terminated={"exitCode": 0})], "Never", "Running"),
    ],
)
def test_the_phase_follows_the_containers(containers: list[ContainerState], policy: str, expected: str) -> None:
    assert phase(containers, policy, initialized=True) == expected


def test_conditions_keep_their_time_and_those_of_others() -> None:
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    first = conditions([scheduled], [state()], True, "Running")
    old = [{**condition, "lastTransitionTime": "2026-01-01T00:00:00Z"} for condition in first]
    second = {condition["type"]: condition for condition in conditions(old, [state(ready=True)], True, "Running")}
    assert second["PodScheduled"] == scheduled
    assert second["Initialized"]["lastTransitionTime"] == "2026-01-01T00:00:00Z"
    assert second["Ready"]["status"] == "True"
    assert second["Ready"]["lastTransitionTime"] != "2026-01-01T00:00:00Z"


def test_a_pod_is_told_to_have_been_ready_for_a_while_once() -> None:
    before = conditions([], [state()], True, "Running")
    assert dated_back(before, 60.0) == before
    ready = dated_back(conditions(before, [state(ready=True)], True, "Running"), 60.0)
    moments = {condition["type"]: datetime.fromisoformat(condition["lastTransitionTime"]) for condition in ready}
    assert (moments["ContainersReady"] - moments["Ready"]).total_seconds() == pytest.approx(60.0, abs=1.0)
    assert dated_back(conditions(ready, [state(ready=True)], True, "Running"), 10.0) == ready


def test_a_probe_of_a_port_nobody_opens_is_refused() -> None:
    with pytest.raises(ConnectionError, match="refused"):
        check({"httpGet": {"port": 8001}}, {8000: 20000}, {})


def test_ports_are_not_handed_out_twice() -> None:
    ports = Ports()
    runs = [ports.take(3) for _ in range(50)]
    assert len({port for first in runs for port in range(first, first + 3)}) == 150


def test_requests_are_containers_with_sidecars_or_the_largest_init_container() -> None:
    def needs(cpu: str, **more: Any) -> dict[str, Any]:
        return {"resources": {"requests": {"cpu": cpu}}, **more}

    requested = requests(
        pod(
            initContainers=[needs("3"), needs("500m", restartPolicy="Always"), needs("1")],
            containers=[needs("1"), {"resources": {"limits": {"nvidia.com/gpu": 1}}}],
        )
    )
    assert {name: float(amount) for name, amount in requested.items()} == {
        "cpu": 3.0,
        "nvidia.com/gpu": 1.0,
        "pods": 1.0,
    }
