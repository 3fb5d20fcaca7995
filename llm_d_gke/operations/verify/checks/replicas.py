"""Checks of single replicas: the same text from all of them, and their metrics."""

from __future__ import annotations

import base64
import binascii
import secrets
from collections import defaultdict
from collections.abc import Iterator, Mapping

import httpx

from llm_d_gke.operations.live_stack.stack import LiveStackError, Manifest, is_ready
from llm_d_gke.operations.verify.context import CheckContext, Replica, Reply, chat_body
from llm_d_gke.operations.verify.result import Result, failed, judged, passed, skipped
from llm_d_gke.planning.plan.routing import PickerPlan, RouterPlan
from llm_d_gke.planning.plan.stack import ModelPlan
from llm_d_gke.wording import count

_OK = 200
_CANARY = "Count from one to ten in English words, separated by commas."
_CANARY_TOKENS = 24
# The routing sidecar of a decode pod computes a prompt at the prefill server that this header names.
_PREFILLER = "x-prefiller-host-port"
_ENGINE_METRIC = "vllm:num_requests_running"


def same_answer_everywhere(ctx: CheckContext) -> Result:
    """One greedy prompt gets one answer from every replica, every rank, and every pair of prefill and decode."""
    sentences, incomparable, is_single = [], [], True
    for model in ctx.live.plan.models:
        texts: dict[str, list[str]] = defaultdict(list)
        refusals = []
        for place, reply in _replies(ctx, model):
            if reply.status == _OK:
                texts[reply.content].append(place)
            else:
                refusals.append(f"{place} answers {reply.summary}")
        if refusals:
            return failed(f"{model.served_name}: {'; '.join(refusals)}", ctx.live.diagnose)
        answers = sum(len(places) for places in texts.values())
        if not answers:
            return failed(f"{model.served_name} has no ready replica", ctx.live.diagnose)
        is_single = is_single and answers == 1
        if len(texts) == 1:
            sentences.append(f"{model.served_name}: {answers} places, one answer")
            continue
        if not _repeats_itself(ctx, model):
            incomparable.append(model.served_name)
            continue
        return failed(f"{model.served_name}: {_odd_one_out(texts)}", f"{ctx.live.kubectl} get pods -o wide")
    if incomparable:
        why = "the simulated engine writes random words" if ctx.live.simulated_engine else "batching may change it"
        return skipped(f"a replica of {', '.join(incomparable)} does not repeat its own greedy answer: {why}")
    if is_single:
        return skipped("each model has one replica, so there is nothing to compare its answer with")
    return passed("; ".join(sentences))


def _replies(ctx: CheckContext, model: ModelPlan) -> Iterator[tuple[str, Reply]]:
    """Each place that answers the canary, and its reply."""
    prefills = ctx.replicas(model, roles=("prefill",))
    for replica in ctx.replicas(model, roles=("both", "decode")):
        if not prefills:
            yield replica.name, _reply(ctx, replica, {})
        for prefill in prefills:
            address = f"{prefill.pod['status']['podIP']}:{prefill.port}"
            yield f"{prefill.name} + {replica.name}", _reply(ctx, replica, {_PREFILLER: address})


def _reply(ctx: CheckContext, replica: Replica, headers: Mapping[str, str]) -> Reply:
    # Each place computes the prompt: a decode server that has it cached would not read what a prefill server computed.
    fresh = {"cache_salt": secrets.token_hex(8)}
    body = chat_body(replica.model.served_name, _CANARY, max_tokens=_CANARY_TOKENS, temperature=0, seed=0, **fresh)
    return ctx.ask_replica(replica, body, headers)


def _repeats_itself(ctx: CheckContext, model: ModelPlan) -> bool:
    """Whether one replica gives the same answer twice. If not, answers of several cannot be compared."""
    replica = ctx.replicas(model, roles=("both", "decode"))[0]
    return len({_reply(ctx, replica, {}).content for _ in range(3)}) == 1


def _odd_one_out(texts: Mapping[str, list[str]]) -> str:
    """The places whose answer differs from the most frequent one."""
    ordered = sorted(texts.items(), key=lambda item: -len(item[1]))
    usual, agreeing = ordered[0]
    others = "; ".join(f"{', '.join(places)} says {text[:80]!r}" for text, places in ordered[1:])
    return f"{count(len(agreeing), 'place')} say {usual[:80]!r}, but {others}"


def engine_metrics(ctx: CheckContext) -> Result:
    """Every replica and rank answers /metrics with vLLM's metrics."""
    seen, wrong = 0, []
    for model in ctx.live.plan.models:
        for replica in ctx.replicas(model):
            seen += 1
            try:
                text = ctx.metrics(replica)
            except (httpx.HTTPError, LiveStackError) as error:
                wrong.append(f"{replica.name}: {error}")
                continue
            if _ENGINE_METRIC not in text:
                wrong.append(f"{replica.name}: no {_ENGINE_METRIC}")
    if not seen:
        return failed("no replica is ready", ctx.live.diagnose)
    return judged(wrong, ctx.live.diagnose, count(seen, "replica"))


def picker_metrics(ctx: CheckContext) -> Result:
    """Pickers and model router serve /metrics with the collectors' token, and refuse requests without it."""
    guarded: list[PickerPlan | RouterPlan] = [model.picker for model in ctx.live.plan.models]
    if ctx.live.plan.router is not None:
        guarded.append(ctx.live.plan.router)
    wrong, seen = [], 0
    for workload in guarded:
        if workload.metrics_reader is None:
            continue
        token = _token(ctx, workload.metrics_reader)
        if token is None:
            return skipped(f"Secret/{workload.metrics_reader} holds no token, or these credentials may not read it")
        port = next(port.number for port in workload.pod.ports if port.name == "metrics")
        for pod in ctx.live.pods_of(workload.selector):
            if not is_ready(pod):
                continue
            seen += 1
            if problem := _guard_problem(ctx, pod, port, token):
                wrong.append(f"{pod['metadata']['name']}: {problem}")
    if not seen:
        return skipped("no picker guards its metrics")
    return judged(wrong, ctx.live.diagnose, f"{count(seen, 'pod')}, 401 without a token")


def _guard_problem(ctx: CheckContext, pod: Manifest, port: int, token: str) -> str:
    url = f"http://{ctx.live.pods.address(pod, port)}/metrics"
    with_token = ctx.pods_client.get(url, headers={"Authorization": f"Bearer {token}"})
    if with_token.status_code != _OK:
        return f"HTTP {with_token.status_code} with the collectors' token"
    without = ctx.pods_client.get(url).status_code
    return f"HTTP {without} without a token" if without not in (401, 403) else ""


def _token(ctx: CheckContext, name: str) -> str | None:
    try:
        secret = ctx.live.cluster.find("v1", "Secret", name, ctx.live.namespace)
        return base64.b64decode(((secret or {}).get("data") or {})["token"]).decode()
    except (KeyError, binascii.Error, UnicodeDecodeError):
        return None


def scrapes_select(ctx: CheckContext) -> Result:
    """Every PodMonitoring selects pods that run, and names ports that they have."""
    live, wrong = ctx.live, []
    servers = [server for model in live.plan.models for server in model.servers]
    # Of a stack that is paused, and of servers that wait for requests, no pod runs.
    resting = {server.name for server in servers if live.plan.paused or not server.replicas or server.wakes}
    scrapes = live.cluster.list("monitoring.googleapis.com/v1", "PodMonitoring", live.namespace)
    for scrape in scrapes:
        name, spec = scrape["metadata"]["name"], scrape["spec"]
        pods = live.pods_of(spec["selector"]["matchLabels"])
        if not pods:
            if name not in resting:
                wrong.append(f"{name} selects no pod")
            continue
        ports = _port_names(pods[0])
        wrong += [
            f"{name} scrapes port {endpoint['port']}, pods have {', '.join(sorted(ports))}"
            for endpoint in spec["endpoints"]
            if endpoint["port"] not in ports
        ]
    if not scrapes:
        return failed("there is no PodMonitoring", live.diagnose)
    return judged(wrong, f"{live.kubectl} get podmonitoring -o yaml", f"{len(scrapes)} PodMonitorings")


def _port_names(pod: Manifest) -> set[str]:
    spec = pod["spec"]
    containers = [*spec["containers"], *(spec.get("initContainers") or [])]
    return {port["name"] for container in containers for port in container.get("ports") or [] if "name" in port}
