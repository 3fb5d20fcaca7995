"""The scan of all pods: what it finds in a stack with a planted fault, and what its exceptions cover."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from llm_d_gke.maintenance.scan import __main__, pods, scanners
from llm_d_gke.maintenance.scan.exceptions import ScanException, load, sort_out, traits_of
from llm_d_gke.maintenance.scan.pods import Traits, plain_objects, scanned_pods
from llm_d_gke.maintenance.scan.scanners import Failure, pod_security
from llm_d_gke.resource_graph.kubernetes import kubernetes_objects
from llm_d_gke.stackfile import StackConfig
from tests.stacks import graph_of

Objects = list[dict[str, Any]]

CHECKOV = scanners.ENVIRONMENT / "bin" / "checkov"


def objects(stack: str) -> Objects:
    return copy.deepcopy([dict(body) for body in kubernetes_objects(graph_of(stack))])


def spec(manifests: Objects, kind: str, *path: str) -> dict[str, Any]:
    value: Any = next(manifest for manifest in manifests if manifest["kind"] == kind)
    for part in path:
        value = value[part]
    return dict(value)


# Where a pod stands: stack, kind, the way to its specification, and the last part of its name in the scan.
PLACES: dict[str, tuple[str, str, tuple[str, ...], str]] = {
    "Deployment": ("gpu", "Deployment", ("spec", "template", "spec"), "template"),
    "LeaderWorkerSet": (
        "mixture-of-experts-wide-gpu",
        "LeaderWorkerSet",
        ("spec", "leaderWorkerTemplate", "workerTemplate", "spec"),
        "leaderworkertemplate-workertemplate",
    ),
    "LLMInferenceService": (
        "kserve-single-replica-gpu",
        "LLMInferenceService",
        ("spec", "router", "scheduler", "template"),
        "router-scheduler-template",
    ),
}


def open_failures(stack: str, manifests: Objects) -> list[Failure]:
    pods = scanned_pods(stack, manifests)
    return sort_out(list(pod_security(pods)), load(), traits_of(pods))[0]


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
class TestPlantedFaults:
    def test_without_one_nothing_is_open(self, place: tuple[str, str, tuple[str, ...], str]) -> None:
        assert open_failures(place[0], objects(place[0])) == []

    @pytest.mark.parametrize(
        ("rule", "plant"),
        [
            ("hostNetwork", lambda pod: pod.update(hostNetwork=True)),
            ("volumes", lambda pod: pod.update(volumes=[{"name": "node", "hostPath": {"path": "/"}}])),
            ("seccompProfile", lambda pod: pod["securityContext"].pop("seccompProfile")),
        ],
    )
    def test_one_is_found(
        self, place: tuple[str, str, tuple[str, ...], str], rule: str, plant: Callable[[dict[str, Any]], Any]
    ) -> None:
        stack, kind, path, name = place
        manifests = objects(stack)
        holder: Any = next(manifest for manifest in manifests if manifest["kind"] == kind)
        for part in path:
            holder = holder[part]
        plant(holder)
        assert {(failure.check, failure.subject.rpartition(".")[2]) for failure in open_failures(stack, manifests)} == {
            (rule, name)
        }

    @pytest.mark.skipif(not CHECKOV.exists(), reason="make scan creates the scanners' environment")
    def test_checkov_finds_one(self, place: tuple[str, str, tuple[str, ...], str], tmp_path: Path) -> None:
        stack, kind, path, name = place
        manifests = objects(stack)
        holder: Any = next(manifest for manifest in manifests if manifest["kind"] == kind)
        for part in path:
            holder = holder[part]
        del holder["containers"][0]["resources"]["limits"]
        scanners.write(tmp_path, scanned_pods(stack, manifests), {stack: plain_objects(manifests)})
        failures = [failure for failure in scanners.checkov(tmp_path) if failure.check in ("CKV_K8S_11", "CKV_K8S_13")]
        pods = {
            (failure.check, failure.subject.rpartition(".")[2]) for failure in failures if "/" not in failure.subject
        }
        assert pods == {("CKV_K8S_11", name), ("CKV_K8S_13", name)}


class TestKinds:
    @pytest.mark.parametrize(
        ("stack", "changes", "component"),
        [
            ("mixture-of-experts-tpu", {}, "group-worker"),
            ("mixture-of-experts-tpu", {"deployment": "kserve"}, "group-worker"),
            # Every host of the group is alike, and answers.
            ("mixture-of-experts-wide-gpu", {}, "model-server"),
            ("kserve-mixture-of-experts-wide-gpu", {}, "model-server"),
        ],
    )
    def test_a_worker_is_a_host_whose_leader_is_another_pod(
        self, stack: str, changes: dict[str, Any], component: str
    ) -> None:
        manifests = [dict(body) for body in kubernetes_objects(graph_of(stack, changes))]
        workers = [pod for pod in scanned_pods(stack, manifests) if pod.name.endswith(("workertemplate", ".worker"))]
        assert {pod.traits.component for pod in workers} == {component}


class TestExceptions:
    def test_each_has_a_reason_and_names_a_scanner(self) -> None:
        assert {exception.scanner for exception in load()} == {"pod-security", "checkov", "kube-score"}

    def test_a_typed_exception_covers_its_own_pod_only(self) -> None:
        root = ScanException(
            scanner="checkov",
            checks=("CKV_K8S_23",),
            security_exceptions=("runAsNonRoot",),
            reason="the engine runs as root, and its pod says why",
        )
        failures = [Failure("checkov", "CKV_K8S_23", pod, "") for pod in ("engine", "picker")]
        traits = {
            pod: [Traits("model-server", frozenset({"main"}), "", rule)]
            for pod, rule in (("engine", "runAsNonRoot"), ("picker", "privileged"))
        }
        open_, _ = sort_out(failures, [root], traits)
        assert [failure.subject for failure in open_] == ["picker"]

    def test_one_that_covers_nothing_is_reported(self) -> None:
        idle = ScanException(scanner="checkov", checks=("CKV_K8S_1",), reason="nothing fails this check any more")
        assert sort_out([], [idle], {}) == ([], [idle])

    def test_one_without_a_reason_is_refused(self) -> None:
        with pytest.raises(ValueError, match="reason"):
            ScanException(scanner="checkov", checks=("CKV_K8S_1",), reason="")


def test_a_text_in_helm_s_syntax_hides_no_pod(tmp_path: Path) -> None:
    """checkov skips a whole file that has `{{ .Values.`, as the template of Istio's sidecars does."""
    manifests = objects("gpu")
    text = {"template": "{{ .Values.global.hub }}"}
    manifests.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "sidecars"}, "data": text})
    scanners.write(tmp_path, scanned_pods("gpu", manifests), {"gpu": plain_objects(manifests)})
    assert "name: sidecars" in (tmp_path / "gpu.yaml").read_text()
    assert ".Values." not in (tmp_path / "gpu.yaml").read_text()


def test_pods_have_the_labels_by_which_policies_select_them() -> None:
    pods = scanned_pods("gpu", objects("gpu"))
    labels = {pod.name: pod.manifest["metadata"]["labels"] for pod in pods}
    assert labels["gpu.deployment.gemma-2b-it-vllm.template"]["llm-d.ai/inference-serving"] == "true"
    assert all(labels.values())


def test_texts_stay_texts_for_a_scanner_in_go(tmp_path: Path) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "quota", "namespace": "n"}}
    scanners.write(tmp_path, (), {"gpu": (quota,)})
    assert '  namespace: "n"' in (tmp_path / "gpu.yaml").read_text().splitlines()


def test_a_refused_stack_ends_with_its_findings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    values = {
        "llm-d:location": "us-central1-z",
        "llm-d:accelerator": {"type": "nvidia-l4"},
        "llm-d:models": [{"id": "Qwen/Qwen3-8B"}],
    }
    monkeypatch.setattr(pods, "load", lambda *_, **__: StackConfig(values=values))
    with pytest.raises(typer.Exit) as ended:
        __main__.main(["mine"], 0, 0, tmp_path)
    assert ended.value.exit_code == 1
    assert "LLMD-ZONE-OFFERS" in capsys.readouterr().err
