"""A picker that reads vLLM's real KV events knows what each replica has cached, also from prompts that it did not send.

The picker is llm-d's inference scheduler v0.7.1 with its precise index. The program renders precise prefix routing for
newer pickers only, which no Go module provides, so the events and this picker's configuration are put into the running
objects here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import httpx
import pytest
import yaml

from llm_d_gke.planning.serving.kv_events import EVENTS_PORT, publisher
from tests.waiting import PATIENCE, eventually

from ..e2e.project import PICKERS, chat
from .running import ENGINES, MODEL, NAMESPACE, PICKER, STACK, START_SECONDS, Up
from .tokenizer_service import serve_tokenizer

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1800)]

SCHEDULER = "ghcr.io/llm-d/llm-d-inference-scheduler:v0.7.1"
# As the program renders it for `picker.prefixRouting: precise`.
EVENTS = publisher(MODEL, 8000)


def configuration(tokenizer: int) -> str:
    """An EndpointPickerConfig in which the index of KV events alone decides."""
    # Without a number of workers this version starts none, and the first request waits indefinitely.
    pool = {"modelName": MODEL, "workersCount": 4, "uds": {"socketFile": f"127.0.0.1:{tokenizer}", "useTCP": True}}
    parameters = {
        "tokenProcessorConfig": {"blockSizeTokens": 16},
        "indexerConfig": {"tokenizersPoolConfig": pool},
        "kvEventsConfig": {
            "topicFilter": "kv@",
            "concurrency": 2,
            "discoverPods": True,
            "podDiscoveryConfig": {"socketPort": EVENTS_PORT},
        },
    }
    index = "precise-prefix-cache-scorer"
    plugins = [
        {"type": "single-profile-handler"},
        {"type": "max-score-picker"},
        {"type": index, "parameters": parameters},
    ]
    profile = {"name": "default", "plugins": [{"pluginRef": index, "weight": 1}, {"pluginRef": "max-score-picker"}]}
    kind = {"apiVersion": "inference.networking.x-k8s.io/v1alpha1", "kind": "EndpointPickerConfig"}
    return yaml.safe_dump({**kind, "plugins": plugins, "schedulingProfiles": [profile]})


@pytest.fixture(scope="module")
def precise(up: Up) -> Iterator[Up]:
    """The stack, with engines that publish events and a picker that follows them."""
    project = up.project
    before = project.ready(STACK) | project.ready(STACK, PICKERS)
    with serve_tokenizer(lambda: next(iter(up.engines().values()))) as tokenizer:
        with project.kube(STACK) as kube:
            container = kube.get("apps/v1", "Deployment", ENGINES, NAMESPACE)["spec"]["template"]["spec"]["containers"][
                0
            ]
            changed = {**container, "args": [*container["args"], "--kv-events-config", EVENTS]}
            template = {"spec": {"template": {"spec": {"containers": [changed]}}}}
            kube.patch("apps/v1", "Deployment", ENGINES, template, NAMESPACE, content="strategic")
            document = {"data": {"picker.yaml": configuration(tokenizer)}}
            kube.patch("v1", "ConfigMap", PICKER, document, NAMESPACE)
            container = kube.get("apps/v1", "Deployment", PICKER, NAMESPACE)["spec"]["template"]["spec"]["containers"][
                0
            ]
            image = {"spec": {"template": {"spec": {"containers": [{"name": container["name"], "image": SCHEDULER}]}}}}
            kube.patch("apps/v1", "Deployment", PICKER, image, NAMESPACE, content="strategic")
        eventually(
            lambda: len(project.ready(STACK) - before) == 2 == len(project.model_servers(STACK)),
            "both engines were replaced",
            patience=START_SECONDS,
        )
        eventually(
            lambda: bool(project.ready(STACK, PICKERS) - before), "the picker was replaced", patience=START_SECONDS
        )
        yield up


def served_where_it_is_cached(up: Up) -> bool:
    """Whether a prompt that one replica was given past the picker comes to the same replica through it."""
    landed = []
    for pod, address in up.engines().items():
        prompt = f"{os.urandom(8).hex()} " + "What all of these prompts have in common. " * 30
        body = {"model": MODEL, "messages": [{"role": "user", "content": prompt}], "max_tokens": 1}
        url = f"{address}/v1/chat/completions"
        assert httpx.post(url, json=body, timeout=PATIENCE, trust_env=False).status_code == 200
        before = up.counters("vllm:request_success_total")
        assert chat(up.address, MODEL, prompt=prompt).status_code == 200
        after = up.counters("vllm:request_success_total")
        landed.append([name for name in after if after[name] > before[name]] == [pod])
    return all(landed)


def test_a_prompt_goes_to_the_replica_whose_events_announced_its_blocks(precise: Up) -> None:
    """An approximate index knows its own choices only, and these prompts came to the replicas without the picker.

    By luck twelve prompts of six rounds would all come to the right one of two replicas once in 4,096 times.
    """
    # The picker follows a replica from the first request on that it scores.
    eventually(lambda: served_where_it_is_cached(precise), "the picker follows both engines' events")
    assert [served_where_it_is_cached(precise) for _ in range(6)] == [True] * 6


def test_engines_count_the_cached_tokens(precise: Up) -> None:
    hits = precise.counters("vllm:prefix_cache_hits_total")
    assert len(hits) == 2
    assert min(hits.values()) > 6 * 200
