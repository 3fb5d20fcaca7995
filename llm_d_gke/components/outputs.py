"""The stack outputs."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pulumi

from llm_d_gke.planning.plan.estimates import CostPlan, When
from llm_d_gke.planning.plan.routing import FleetPlan
from llm_d_gke.planning.plan.stack import ModelPlan, StackPlan

# The variable of the shell from which the output `curl` takes a key or a token.
CREDENTIAL = "LLM_D_KEY"


def outputs(plan: StackPlan, address: pulumi.Output[str]) -> dict[str, Any]:
    """Stack outputs: where to send requests, how to reach the cluster, what it costs."""
    return {
        **(_of_gateway(plan, address) if plan.gateway.fleet is None else _of_fleet(plan, plan.gateway.fleet)),
        "models": [model.served_name for model in plan.models],
        "clusterName": plan.cluster.name,
        "getCredentials": plan.get_credentials,
        "capacity": {model.served_name: _capacity(model) for model in plan.models},
        "hourlyCost": _cost(plan.cost),
    }


def _of_gateway(plan: StackPlan, address: pulumi.Output[str]) -> dict[str, Any]:
    endpoint = endpoint_of(plan, address)
    body = json.dumps({"model": plan.models[0].served_name, "messages": [{"role": "user", "content": "Say hello."}]})
    return {
        "endpoint": endpoint,
        "gatewayAddress": address,
        **_paths(plan, endpoint),
        "curl": pulumi.Output.concat(
            "curl -sS ",
            endpoint,
            f"/v1/chat/completions -H 'content-type: application/json'{_credential(plan)} -d {shlex.quote(body)}",
        ),
    }


def _credential(plan: StackPlan) -> str:
    """The header of clients with a key or a token, which the shell takes from a variable."""
    edge = plan.gateway.edge
    asks = edge.api_keys is not None or edge.jwt is not None
    return f' -H "authorization: Bearer ${CREDENTIAL}"' if asks else ""


def _of_fleet(plan: StackPlan, fleet: FleetPlan) -> dict[str, Any]:
    """Google chooses the addresses of the Gateway, which the config cluster has."""
    gateway = plan.gateway
    addresses = f"kubectl get gateway {gateway.name} --namespace {plan.namespace.name} --output yaml"
    return {
        **({"endpoint": f"http://{gateway.hostname}"} if gateway.hostname else {}),
        **({"gatewayAddresses": addresses} if fleet.config else {}),
    }


def endpoint_of(plan: StackPlan, address: pulumi.Output[str]) -> pulumi.Output[str]:
    """URL of the Gateway, with the host name if there is one."""
    host = pulumi.Output.from_input(plan.gateway.hostname) if plan.gateway.hostname else address
    return pulumi.Output.concat(f"{plan.gateway.protocol.lower()}://", host)


def model_endpoint(model: ModelPlan, endpoint: pulumi.Output[str]) -> pulumi.Output[str]:
    """URL of a model: with KServe a path of its own, otherwise the Gateway's."""
    service = model.inference_service
    return endpoint if service is None else pulumi.Output.concat(endpoint, service.path)


def _paths(plan: StackPlan, endpoint: pulumi.Output[str]) -> dict[str, Any]:
    """The endpoint of each model by path, which exists only with KServe."""
    own = {
        model.served_name: model_endpoint(model, endpoint)
        for model in plan.models
        if model.inference_service is not None
    }
    return {"modelEndpoints": own} if own else {}


def _capacity(model: ModelPlan) -> dict[str, Any]:
    """Estimated memory and throughput of a model, from `llm_d_gke/planning/sizing`. Times in milliseconds."""
    memory, estimate = model.servers[0].memory, model.capacity
    if memory is None:
        return {"memory": "unknown: the catalog lacks a figure"}
    capacity: dict[str, Any] = {
        "memory": memory.status,
        "kvCacheTokensPerReplica": memory.replica_tokens,
        "requestsOfFullLengthPerReplica": round(memory.replica_concurrency, 1),
    }
    speed = estimate.at_load if estimate is not None else None
    if estimate is not None and speed is not None:
        capacity["estimate"] = {
            "of": estimate.basis,
            "requestsPerSecond": round(speed.requests_per_second, 2),
            "millisecondsToFirstToken": round(speed.time_to_first_token * 1000),
            "millisecondsPerToken": round(speed.time_per_output_token * 1000, 1),
            "error": f"{estimate.error:.0%}" if estimate.measured else "not held against a measurement",
        }
    if estimate is not None and estimate.stages:
        capacity["requestsPerSecondAtMost"] = {
            stage.role: round(stage.requests_per_second, 2) for stage in estimate.stages
        }
    return capacity


def _cost(cost: CostPlan) -> dict[str, Any]:
    """Cost in US dollars per hour and month. Parts without a known price are listed; the sums are then lower bounds."""
    whens: tuple[When, ...] = ("running", "idle", "paused")
    totals = {when: cost.total(when) for when in whens}
    unknown = tuple(dict.fromkeys(name for total in totals.values() for name in total.unknown))
    figures: dict[str, Any] = {"currency": "USD", "pricesOf": cost.date}
    figures |= {when: total.usd for when, total in totals.items()}
    figures |= {f"{when}Monthly": total.monthly for when, total in totals.items()}
    if unknown:
        figures["withoutPricesOf"] = list(unknown)
    if cost.units is not None:
        figures["perMillion"] = {
            "of": cost.units.basis,
            "requests": cost.units.requests.usd,
            "tokens": cost.units.tokens.usd,
            "outputTokens": cost.units.output_tokens.usd,
        }
    if cost.scaled_down is not None:
        # `running` is then with every model at its maximum.
        figures["runningAtLeast"] = cost.scaled_down.usd
        figures["runningAtLeastMonthly"] = cost.scaled_down.monthly
    figures["parts"] = {line.name: line.running for line in cost.lines}
    return figures
