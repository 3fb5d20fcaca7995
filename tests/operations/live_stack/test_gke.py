"""A stack on GKE, located with the user's tools: stand-ins of pulumi, gcloud, kubectl run here."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from llm_d_gke.kube import ApiError
from llm_d_gke.operations.live_stack.find import open_stack
from llm_d_gke.operations.live_stack.gke import endpoint_of
from llm_d_gke.operations.live_stack.stack import LiveStackError
from tests.operations.verify.fake_stack import Answer, Body, serving

OUTPUTS = {
    "clusterName": "llm-d-gpu",
    "getCredentials": (
        "gcloud container clusters get-credentials llm-d-gpu --location us-central1-a --project my-project"
    ),
    "endpoint": "https://llm.example.com",
    "gatewayAddress": "203.0.113.9",
}
POD: dict[str, Any] = {"metadata": {"name": "vllm-0", "namespace": "llm-d-inference-scheduling", "labels": {}}}

PULUMI = """
import json, os, sys
print(os.environ["OUTPUTS"]) if os.environ.get("OUTPUTS") else sys.exit("error: no stack named 'gpu' found")
"""
GCLOUD = """
import os, sys
assert sys.argv[1:4] == ["container", "clusters", "get-credentials"], sys.argv
if not os.environ.get("SERVER"): sys.exit("ERROR: (gcloud) 403 Permission denied")
open(os.environ["KUBECONFIG"], "w").write(f'''
current-context: c
contexts: [{{name: c, context: {{cluster: k, user: u}}}}]
clusters: [{{name: k, cluster: {{server: "{os.environ["SERVER"]}"}}}}]
users: [{{name: u, user: {{exec: {{apiVersion: client.authentication.k8s.io/v1beta1,
  command: gke-gcloud-auth-plugin, installHint: "gcloud components install gke-gcloud-auth-plugin"}}}}}}]
''')
"""
PLUGIN = """
import json, os
assert json.loads(os.environ["KUBERNETES_EXEC_INFO"])["spec"] == {"interactive": False}
print(json.dumps({"kind": "ExecCredential", "status": {"token": os.environ["TOKEN"]}}))
"""
KUBECTL = """
import os, sys, time
assert sys.argv[3:5] == ["--namespace", "llm-d-inference-scheduling"], sys.argv
assert sys.argv[-2:] == ["pod/vllm-0", ":8000"], sys.argv
print(f"Forwarding from 127.0.0.1:{os.environ['ENGINE']} -> 8000", flush=True)
open(os.environ["FORWARD"], "w").write(str(os.getpid()))
time.sleep(60)
"""


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """The tools in PATH, an API server with one valid token, and an engine behind the forwarded port."""
    programs = {"pulumi": PULUMI, "gcloud": GCLOUD, "gke-gcloud-auth-plugin": PLUGIN, "kubectl": KUBECTL}
    for name, source in programs.items():
        (tmp_path / name).write_text(f"#!{sys.executable}\n{source}", encoding="utf-8")
        (tmp_path / name).chmod(stat.S_IRWXU)

    def api_server(path: str, _body: Body, headers: Any) -> Answer | str:
        if headers.get("authorization") != "Bearer secret-token":
            return 401, {"message": "Unauthorized", "reason": "Unauthorized"}
        if path == "/api/v1":
            kinds = {"pods": ("Pod", True), "namespaces": ("Namespace", False)}
            resources = [{"name": key, "kind": kind, "namespaced": own} for key, (kind, own) in kinds.items()]
            return 200, {"resources": resources}
        if path == f"/api/v1/namespaces/{POD['metadata']['namespace']}" and os.environ.get("ANOTHER"):
            return 404, {"message": "not found", "reason": "NotFound"}
        if "/log?" in path:
            return "the last line\n"
        return 200, {"metadata": {"resourceVersion": "1"}, "items": [POD]}

    with serving(api_server) as server, serving(lambda *_: "vllm:num_requests_running 0\n") as engine:
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setenv("OUTPUTS", json.dumps(OUTPUTS))
        monkeypatch.setenv("SERVER", f"http://127.0.0.1:{server}")
        monkeypatch.setenv("TOKEN", "secret-token")
        monkeypatch.setenv("ENGINE", str(engine))
        monkeypatch.setenv("FORWARD", str(tmp_path / "forward.pid"))
        yield monkeypatch


def test_a_stack_is_found_by_its_outputs_and_the_users_credentials(tools: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with open_stack("gpu", {}, "gke") as live:
        assert live.target == "gke"
        assert "on GKE: cluster llm-d-gpu" in live.looked_at
        # Of the stack file, which names no project, with the one of the outputs.
        assert live.plan.project == "my-project"
        assert live.endpoint is not None
        assert (live.endpoint.url, live.endpoint.host) == ("https://203.0.113.9", "llm.example.com")
        [pod] = live.pods_of({})
        assert pod["metadata"]["name"] == "vllm-0"
        assert live.pods.log(pod, "vllm") == "the last line\n"
        url = f"http://{live.pods.address(pod, 8000)}/metrics"
        assert "vllm:num_requests_running" in httpx.get(url, trust_env=False).text
        forward = int((tmp_path / "forward.pid").read_text(encoding="utf-8"))
        os.kill(forward, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(forward, 0)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("OUTPUTS", "", "make up STACK=gpu\nOn GKE: pulumi does not know it either: error: no stack named 'gpu'"),
        ("OUTPUTS", json.dumps({"clusterName": "x"}), "has no output getCredentials"),
        ("OUTPUTS", json.dumps(OUTPUTS | {"getCredentials": "rm -rf /"}), "is not a command of gcloud"),
        ("SERVER", "", "no credentials for cluster llm-d-gpu: ERROR: (gcloud) 403 Permission denied"),
        ("ANOTHER", "yes", "has no namespace llm-d-inference-scheduling: it is not that of stack gpu"),
    ],
    ids=["no stack", "up did not finish", "another command", "no access", "another cluster"],
)
def test_what_is_missing_is_one_sentence(tools: pytest.MonkeyPatch, name: str, value: str, sentence: str) -> None:
    tools.setenv(name, value)
    with pytest.raises(LiveStackError) as caught, open_stack("gpu", {}, "gke"):
        pass
    assert sentence in str(caught.value)


def test_a_refused_token_is_the_api_servers_refusal(tools: pytest.MonkeyPatch) -> None:
    tools.setenv("TOKEN", "old")
    with open_stack("gpu", {}, "gke") as live, pytest.raises(ApiError, match="Unauthorized"):
        live.pods_of({})


def test_a_tool_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LiveStackError, match="pulumi is not installed"), open_stack("gpu", {}, "gke"):
        pass


def test_a_stack_that_is_not_up_here_is_not_looked_for_elsewhere() -> None:
    with (
        pytest.raises(LiveStackError, match="make up STACK=multi-model-tpu"),
        open_stack("multi-model-tpu", {}, "rehearsal"),
    ):
        pass


def test_a_port_of_the_endpoint_stays() -> None:
    endpoint = endpoint_of(OUTPUTS | {"endpoint": "http://a:8080"})
    assert endpoint is not None
    assert endpoint.url == "http://203.0.113.9:8080"


def test_without_pulumi_the_way_to_rehearse_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(LiveStackError, match=r"make up STACK=multi-model-tpu\n.*pulumi\.com/docs/install"):
        open_stack("multi-model-tpu", {})
