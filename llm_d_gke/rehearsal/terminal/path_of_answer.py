"""Draws the path of the latest request of a stack from the logs of its picker and of Envoy."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from llm_d_gke.planning.plan.stack import ModelPlan, StackPlan
from llm_d_gke.rehearsal.kube import Kube, client
from llm_d_gke.rehearsal.node_agent.vllm_on_cpu import describe_engine
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.terminal import scores
from llm_d_gke.rehearsal.terminal.pod_logs import picker_lines
from llm_d_gke.rehearsal.terminal.request_path import Backend, backend_at, drawing, gateway_stop, picker_stop, pod_stop

_PICKED: Final = re.compile(r"picked=(\S+)")


@dataclass(frozen=True)
class AnswerPath:
    """The pod that answered, None where it is not known, and the drawing."""

    backend: Backend | None
    lines: tuple[str, ...]


def path_of_answer(paths: StackPaths, plan: StackPlan, model_name: str, endpoint: str) -> AnswerPath:
    """The path of the latest request to a model, as far as logs tell it."""
    model = next((model for model in plan.models if model.served_name == model_name), plan.models[0])
    weights = scores.weights_of(model.picker.config)
    choices = scores.choices(picker_lines(paths, plan.namespace.name, [model.picker.name], None))
    choice = choices[-1] if choices else scores.Choice("")
    address = _picked(paths) or choice.address
    with client(paths) as kube:
        backend = _backend(kube, paths, address)
    stops = [
        gateway_stop(
            model_name, plan.gateway.name, plan.gateway.class_name, endpoint, _route(plan, model), model.pool.name
        ),
        picker_stop(model.picker.name, choice, weights),
        *([pod_stop(backend)] if backend is not None else []),
    ]
    return AnswerPath(backend, tuple(drawing(stops)))


def _backend(kube: Kube, paths: StackPaths, address: str) -> Backend | None:
    return backend_at(kube, address, describe_engine(paths)) if address else None


def _route(plan: StackPlan, model: ModelPlan) -> str:
    """The route of the API: early routes lead to the pool, too, but not such a request."""
    return next(
        route.name
        for route in plan.routes
        if not route.early and any(model.pool.name in dict(rule.pools) for rule in route.rules)
    )


def _picked(paths: StackPaths) -> str:
    """The endpoint that the picker named for the latest answered request, from Envoy's access log."""
    log = paths.logs / "gateway.log"
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    picked = (_PICKED.search(line) for line in reversed(lines) if '" 200 ' in line)
    return next((hit[1] for hit in picked if hit is not None and hit[1] != "-"), "")
