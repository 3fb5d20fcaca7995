"""Both stacks at once: answers come through the real picker, and every change has exactly the documented effect."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from functools import partial

import httpx
import pytest

from llm_d_gke.operations.live_stack.gke import ForwardedPods
from llm_d_gke.operations.verify.run import CRITERIA
from llm_d_gke.planning.routing.gateway import ROUTE
from llm_d_gke.rehearsal.cluster_client import administrator
from llm_d_gke.wording import WIDTH
from tests.rehearsal.exec_client import execute
from tests.waiting import PATIENCE, eventually

from .conftest import Running
from .project import STACKS, Project, chat
from .traffic import Request, Steady

pytestmark = pytest.mark.rehearsal

MODELS = {"gpu": "google/gemma-2b-it", "tpu": "Qwen/Qwen2.5-3B-Instruct"}
ROUTES = "gateway.networking.k8s.io/v1"
REPLICAS = "llm-d:models[0].replicas=2"


def names(project: Project, stack: str) -> set[str]:
    return {pod["metadata"]["name"] for pod in project.model_servers(stack)}


def accelerator_nodes(project: Project, stack: str) -> list[str]:
    with project.kube(stack) as kube:
        nodes = kube.list("v1", "Node")
    resources = ("nvidia.com/gpu", "google.com/tpu")
    return [node["metadata"]["name"] for node in nodes if any(key in node["status"]["capacity"] for key in resources)]


def pickers(project: Project, stack: str) -> set[tuple[str, str]]:
    """Name and uid of every picker's pod."""
    with project.kube(stack) as kube:
        pods = kube.list("v1", "Pod")
    return {(pod["metadata"]["name"], pod["metadata"]["uid"]) for pod in pods if "-epp-" in pod["metadata"]["name"]}


@pytest.mark.parametrize("stack", STACKS)
def test_up_shows_an_answer_of_the_stacks_own_pod(running: Running, stack: str) -> None:
    output = running.outputs[stack]
    answer_line = re.search(r"(\S+) answered in \d+\.\d\d s from pod (\S+):\n  (.+)", output)
    assert answer_line, output
    assert answer_line[1] == MODELS[stack]
    assert {answer_line[2]} == names(running.project, stack)
    assert answer_line[3].strip()


@pytest.mark.parametrize("stack", STACKS)
def test_the_endpoint_answers_from_the_expected_pod(running: Running, stack: str) -> None:
    url = running.project.endpoint(stack)
    answer = chat(url, MODELS[stack])
    assert answer.status_code == 200, answer.text
    assert {answer.headers["x-inference-pod"]} == names(running.project, stack)
    assert answer.json()["model"] == MODELS[stack]
    # The other stack's model is not this stack's: nothing is shared but the machine.
    (other,) = set(STACKS) - {stack}
    assert chat(url, MODELS[other]).status_code == 404


@pytest.mark.parametrize("stack", STACKS)
def test_every_open_path_is_answered(running: Running, stack: str) -> None:
    """None is refused by the picker, and what it would refuse has no route."""
    question = [{"role": "user", "content": "Say hello."}]
    bodies: dict[str, dict[str, object]] = {
        "/v1/chat/completions": {"messages": question},
        "/v1/completions": {"prompt": "Say hello."},
        "/v1/responses": {"input": "Say hello."},
        "/v1/messages": {"messages": question, "max_tokens": 3},
        "/v1/embeddings": {"input": "Say hello."},
    }
    url = running.project.endpoint(stack)
    with running.project.kube(stack) as kube:
        [route] = [item for item in kube.list(ROUTES, "HTTPRoute") if item["metadata"]["name"] == ROUTE]
    paths = {match["path"]["value"] for rule in route["spec"]["rules"] for match in rule["matches"]}
    answers = {
        path: httpx.post(f"{url}{path}", json={"model": MODELS[stack], **body}, trust_env=False, timeout=PATIENCE)
        for path, body in bodies.items()
    }
    assert {path: answer.status_code for path, answer in answers.items()} == {
        path: 200 if path in paths else 404 for path in bodies
    }
    assert len(paths & bodies.keys()) >= 4


@pytest.mark.parametrize("stack", STACKS)
def test_an_answer_streams(running: Running, stack: str) -> None:
    answer = chat(running.project.endpoint(stack), MODELS[stack], stream=True)
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]
    assert events[-1] == "[DONE]"
    pieces = [choice["delta"].get("content") or "" for event in events[:-1] for choice in json.loads(event)["choices"]]
    assert len(events) > 3, answer.text
    assert "".join(pieces).strip()


def test_both_stacks_have_addresses_of_their_own(running: Running) -> None:
    addresses = {running.project.run("endpoint", stack).strip() for stack in STACKS}
    assert addresses == {running.project.endpoint(stack) for stack in STACKS}
    assert len(addresses) == 2


@pytest.mark.parametrize("stack", STACKS)
def test_status_shows_nodes_pods_gateway_and_endpoint(running: Running, stack: str) -> None:
    output = running.project.run("status", stack)
    for name in (*names(running.project, stack), *accelerator_nodes(running.project, stack)):
        assert name in output
    assert re.search(
        r"scheduling/inference-gateway, class\s+gke-l7-regional-external-managed\s+127\.[\d.]+, programmed",
        output,
    ), output
    assert max(len(line) for line in output.splitlines()) <= WIDTH
    assert running.project.endpoint(stack) in output


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="needs kubectl")
@pytest.mark.parametrize("websockets", ["true", "false"])
def test_kubectl_forwards_a_port(running: Running, monkeypatch: pytest.MonkeyPatch, websockets: str) -> None:
    """By a WebSocket, as kubectl does since 1.31, or by SPDY alone."""
    monkeypatch.setenv("KUBECTL_PORT_FORWARD_WEBSOCKETS", websockets)
    [pod] = running.project.model_servers("gpu")
    with running.project.kube("gpu") as kube:
        pods = ForwardedPods(kube, running.project.paths("gpu").kubeconfig)
        try:
            for _ in range(2):
                answer = httpx.get(f"http://{pods.address(pod, 8000)}/v1/models", trust_env=False)
                assert answer.json()["data"][0]["id"] == MODELS["gpu"]
        finally:
            pods.close()


def test_a_command_runs_in_the_environment_of_a_container(running: Running) -> None:
    paths = running.project.paths("gpu")
    [pod] = running.project.model_servers("gpu")
    container = pod["spec"]["containers"][0]
    name, value = next((entry["name"], entry["value"]) for entry in container["env"] if entry.get("value"))
    server, context = administrator(paths)
    place = f"namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}/exec"
    options = {"container": container["name"], "stdout": "1", "stderr": "1"}
    written = execute(server, context, f"/api/v1/{place}", "printenv", name, **options)
    assert written[1].decode() == f"{value}\n", written
    closing = (b"\x00one\n", b"\x00two\n", b"\xff\x00")
    written = execute(server, context, f"/api/v1/{place}", "cat", inputs=closing, stdin="1", **options)
    assert written[1] == b"one\ntwo\n", written


@pytest.mark.parametrize("stack", STACKS)
def test_verify_finds_every_promise_kept(running: Running, stack: str) -> None:
    passed = running.project.verified(stack)
    # One replica has no other whose answer its own could be compared with.
    assert {criterion.id for criterion in CRITERIA} - passed == {
        *("certificate", "kserve", "health", "other-names", "model-routing", "prefix-affinity", "spread", "prefill"),
        "same-answer",
        # This Gateway asks for none.
        "credentials",
        # No release has a lock of digests yet.
        "images",
    }


def test_a_refused_object_fails_with_the_api_servers_words_before_anything_changes(running: Running) -> None:
    project = running.project
    before = names(project, "gpu")
    output = project.run("up", "gpu", "-c", "llm-d:gateway.paths[0]=/a//b", code=1)
    assert "HTTPRoute" in output, output
    assert "must not contain '//'" in output, output
    assert "Traceback" not in output
    output = project.run("up", "gpu")
    assert re.search(r"\n\s*\d+ unchanged\n", output), output
    assert not re.search(r"\d+ (created|updated|deleted|replaced)", output), output
    assert names(project, "gpu") == before


def test_a_killed_engine_is_left_out_until_it_has_restarted(running: Running) -> None:
    project = running.project
    (pod,) = project.model_servers("gpu")
    name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
    url = project.endpoint("gpu")
    # Constant requests also notice an interruption of a second. On a busy machine the engine may be back before the
    # next one; what is killed again waits longer until it is started.
    restarts, statuses = 0, set[int | None]()
    while 503 not in statuses:
        assert restarts < 3, f"the Gateway had somewhere to send requests: {statuses}"
        restarts += 1
        with Steady(Request(url, MODELS["gpu"], "is the number.")) as load:
            project.kill("gpu", name)
            back = partial(project.is_back, "gpu", name, restarts=restarts)
            eventually(back, "the engine has restarted in the same pod")
            eventually(lambda: chat(url, MODELS["gpu"]).status_code == 200, "the Gateway answers again")
        statuses |= {sample.status for sample in load.unanswered}
    (after,) = project.model_servers("gpu")
    assert after["metadata"]["uid"] == uid
    (status,) = after["status"]["containerStatuses"]
    assert status["restartCount"] == restarts
    assert status["lastState"]["terminated"]["exitCode"] == 137
    assert chat(url, MODELS["gpu"]).headers["x-inference-pod"] == name


def test_a_changed_value_is_the_only_difference(running: Running) -> None:
    file = running.project.root / "Pulumi.gpu.yaml"
    before = file.read_text(encoding="utf-8")
    assert "maxModelLen: 2048" in before
    file.write_text(before.replace("maxModelLen: 2048", "maxModelLen: 1024"), encoding="utf-8")
    try:
        short = running.project.run("preview", "gpu")
        output = running.project.run("preview", "gpu", "--diff")
    finally:
        file.write_text(before, encoding="utf-8")
    assert re.search(r"\n\s*~ 1 to update\n\s*\d+ unchanged\n", output), output
    resources, _, _ = output.partition("--outputs:--")  # the outputs contain the values derived from it, too
    changes = [line.strip() for line in resources.splitlines() if "=>" in line]
    assert len(changes) == 1, output
    assert changes[0].endswith('"2048" => "1024"'), output
    assert re.findall(r"~ (kubernetes:\S+|gcp:\S+): \(update\)", output) == ["kubernetes:apps/v1:Deployment"]
    listed = re.search(r"changes of the stack that runs:\n(.*)\nevery value: ", short, re.DOTALL)
    assert listed is not None, short
    assert re.fullmatch(r"~ Deployment gemma-2b-it-vllm: spec\S+ 2048 -> 1024", " ".join(listed[1].split())), short


def test_two_replicas_bring_a_second_node_and_share_the_work(running: Running) -> None:
    project = running.project
    assert len(accelerator_nodes(project, "gpu")) == 1
    output = project.run("up", "gpu", "-c", REPLICAS)
    # The Deployment, and the disruption budget that two replicas are worth.
    assert re.search(r"\+ 1 created\n\s*~ 1 updated\n\s*2 changes\. \d+ unchanged", output), output
    both = names(project, "gpu")
    assert len(both) == 2
    assert len(accelerator_nodes(project, "gpu")) == 2
    url = project.endpoint("gpu")
    # Prompts that share no prefix: the picker has no reason to prefer one replica for all of them.
    served: set[str] = set()

    def ask() -> bool:
        answer = chat(url, MODELS["gpu"], prompt=os.urandom(600).hex())
        served.add(answer.headers.get("x-inference-pod", ""))
        return served - {""} == both

    eventually(ask, "both replicas were chosen")


def test_the_picker_leaves_out_a_dead_replica_while_the_other_answers(running: Running) -> None:
    project = running.project
    url = project.endpoint("gpu")
    eventually(lambda: len(project.ready("gpu")) == 2, "two replicas are ready")
    victim, survivor = sorted(names(project, "gpu"))
    # Stopped, not ended: its probes fail, it does not restart, and the test has all the time it needs.
    project.kill("gpu", victim, signal.SIGSTOP)
    try:
        eventually(lambda: project.ready("gpu") == {survivor}, "the hanging replica is not ready")
        served = {chat(url, MODELS["gpu"], prompt=os.urandom(600).hex()).headers["x-inference-pod"] for _ in range(8)}
        assert served == {survivor}
    finally:
        project.kill("gpu", victim, signal.SIGCONT)
    eventually(lambda: len(project.ready("gpu")) == 2, "it is ready again")


def test_paused_costs_no_accelerator_and_comes_back(running: Running) -> None:
    project = running.project
    pickers_before = pickers(project, "gpu")
    assert len(pickers_before) == 1
    output = project.run("up", "gpu", "-c", "llm-d:paused=true")
    assert "no model server is meant to run (paused)" in output
    eventually(lambda: not names(project, "gpu"), "no model server is left")
    eventually(lambda: not accelerator_nodes(project, "gpu"), "no accelerator node is left")
    assert pickers(project, "gpu") == pickers_before
    # From a pool at zero: the autoscaler has to add a node before anything can answer.
    output = project.run("up", "gpu")
    assert f"{MODELS['gpu']} answered" in output
    assert len(accelerator_nodes(project, "gpu")) == 1
    assert pickers(project, "gpu") == pickers_before


def test_an_answer_of_more_than_a_minute_arrives_whole(running: Running) -> None:
    """Begun with the stacks, in the background of the tests above: no hop may have a separate timeout."""
    running.answer.wait()
    assert running.answer.failure is None
    assert running.answer.complete
    assert running.answer.received >= running.answer.tokens * 0.99
    assert running.answer.seconds > 60
