"""What a stack tells its user."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pulumi

from planning.plan import ModelPlan, StackPlan


def outputs(plan: StackPlan, address: pulumi.Output[str]) -> dict[str, Any]:
    """Stack outputs: where to send requests, how to reach the cluster, what it costs."""
    host = pulumi.Output.from_input(plan.gateway.hostname) if plan.gateway.hostname else address
    scheme = plan.gateway.protocol.lower()
    endpoint = pulumi.Output.concat(f"{scheme}://", host)
    access = " --dns-endpoint" if plan.cluster.dns_endpoint else ""
    body = json.dumps({"model": plan.models[0].served_name, "messages": [{"role": "user", "content": "Say hello."}]})
    return {
        "endpoint": endpoint,
        "gatewayAddress": address,
        "models": [model.served_name for model in plan.models],
        "clusterName": plan.cluster.name,
        "getCredentials": (
            f"gcloud container clusters get-credentials {plan.cluster.name}"
            f" --location {plan.location} --project {plan.project}{access}"
        ),
        "curl": pulumi.Output.concat(
            "curl -sS ", endpoint, f"/v1/chat/completions -H 'content-type: application/json' -d {shlex.quote(body)}"
        ),
        "capacity": {model.served_name: _capacity(model) for model in plan.models},
        "hourlyCost": {
            "currency": "USD",
            "idle": plan.cost.idle,
            "running": plan.cost.running,
            "pricesOf": plan.cost.date,
            "parts": {
                line.name: {"idle": line.idle, "running": line.running, "note": line.note} for line in plan.cost.lines
            },
        },
    }


def _capacity(model: ModelPlan) -> dict[str, Any]:
    """Estimates, named so: memory from the formulas of planning/memory, times from planning/speed."""
    memory, latency = model.servers[0].memory, model.servers[0].latency
    if memory is None:
        return {"memory": "unknown: the catalogue lacks a figure"}
    capacity: dict[str, Any] = {
        "memory": memory.status,
        "kvCacheTokensPerReplica": memory.kv_tokens,
        "requestsOfFullLengthPerReplica": round(memory.max_concurrency, 1),
    }
    if latency is not None:
        capacity["estimatedMillisecondsToFirstToken"] = latency["time_to_first_token_ms"]
        capacity["estimatedMillisecondsPerToken"] = latency["inter_token_latency_ms"]
    return capacity
