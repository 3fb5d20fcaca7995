"""The drawing at the end of `up`: every stop of the request, in plain ASCII, within 80 columns."""

from __future__ import annotations

from llm_d_gke.rehearsal.terminal.request_path import (
    Backend,
    backend_at,
    choices_of_pod,
    drawing,
    find_pod,
    gateway_stop,
    picker_stop,
    pod_stop,
)
from llm_d_gke.rehearsal.terminal.scores import Choice
from llm_d_gke.wording import WIDTH

LONG = "a-model-with-a-very-long-name-that-no-column-could-hold-vllm-797b7bb775-{}"
BACKEND = Backend("chat-b", "127.69.1.2:8000", "gke-pool-1", "n1-standard-4 with nvidia-tesla-t4", "vLLM 0.26.0")


def choice(*names: str) -> Choice:
    scores = {
        "queue-scorer": dict.fromkeys(names, 1.0),
        "prefix-cache-scorer": {name: number / 2 for number, name in enumerate(names)},
    }
    return Choice("r1", "acme/chat", scores, [names[-1]])


def drawn(choice: Choice) -> list[str]:
    weights = {"queue-scorer": 2.0, "prefix-cache-scorer": 3.0}
    return drawing(
        [
            gateway_stop("acme/chat", "inference", "gke-l7-regional", "http://127.69.250.1", "chat", "chat-pool"),
            picker_stop("chat-epp", choice, weights),
            pod_stop(BACKEND),
        ]
    )


def test_gateway_picker_and_pod_follow_each_other() -> None:
    lines = drawn(choice("chat-a", "chat-b"))
    titles = [line.split(" -", 1)[0] for line in lines if line.startswith("+- ")]
    assert titles == ["+- Gateway inference", "+- endpoint picker chat-epp", "+- pod chat-b"]
    assert "    |  x-gateway-destination-endpoint: 127.69.1.2:8000" in lines
    assert any("HTTPRoute chat -> InferencePool chat-pool" in line for line in lines)


def test_the_chosen_endpoint_is_marked_and_comes_first() -> None:
    rows = [line.split() for line in drawn(choice("chat-a", "chat-b"))]
    scored = [row for row in rows if any(word.startswith("chat-") for word in row) and "1.000" in row]
    assert scored == [
        ["|", "*", "chat-b", "1.000", "0.500", "3.500", "|"],
        ["|", "chat-a", "1.000", "0.000", "2.000", "|"],
    ]


def test_names_of_any_length_fit_80_columns_of_ascii() -> None:
    lines = drawn(choice(*(LONG.format(number) for number in range(5))))
    assert {len(line) for line in lines if line[0] in "+|"} == {WIDTH}
    assert all(line.isascii() and len(line) <= WIDTH for line in lines)
    assert sum("797b7bb775-" in line for line in lines) == 5


def test_a_log_without_scores_is_said_to_have_none() -> None:
    assert any("no scores in its log" in line for line in drawn(Choice("")))


def test_the_pod_is_found_by_its_address() -> None:
    pods = [{"metadata": {"name": name}, "status": {"podIP": address}} for name, address in (("a", "1"), ("b", "2"))]
    pod = find_pod(pods, "2:8000")
    assert pod is not None
    assert pod["metadata"]["name"] == "b"
    assert find_pod(pods, "3:8000") is None


def test_the_backend_names_node_machine_and_accelerator() -> None:
    class Cluster:
        def list(self, _version: str, _kind: str) -> list[dict[str, object]]:
            return [{"metadata": {"name": "b"}, "spec": {"nodeName": "n"}, "status": {"podIP": "1.2.3.4"}}]

        def find(self, _version: str, _kind: str, _name: str) -> dict[str, object]:
            labels = {
                "node.kubernetes.io/instance-type": "n1-standard-4",
                "cloud.google.com/gke-accelerator": "nvidia-tesla-t4",
            }
            return {"metadata": {"labels": labels}}

    backend = backend_at(Cluster(), "1.2.3.4:8000", "vLLM")  # type: ignore[arg-type]
    assert backend == Backend("b", "1.2.3.4:8000", "n", "n1-standard-4 with nvidia-tesla-t4", "vLLM")


def test_a_request_of_another_pod_at_the_same_time_is_not_drawn() -> None:
    """With two models under load, the latest lines of the logs were those of the other model."""
    pods = [
        {"metadata": {"name": "gemma-1"}, "status": {"podIP": "127.0.0.2"}},
        {"metadata": {"name": "phi-1"}, "status": {"podIP": "127.0.0.3"}},
    ]
    choices = [Choice("a", address="127.0.0.2:8000"), Choice("b", address="127.0.0.3:8000"), Choice("c")]
    assert choices_of_pod(choices, pods, "gemma-1") == choices[:1]
    assert choices_of_pod(choices, pods, "") == []
