"""The path that the latest request took, from the logs of its picker and of Envoy, drawn in text."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.text import Text

from llm_d_gke.cli.drawing import drawn
from llm_d_gke.kube import Kube, Manifest
from llm_d_gke.planning.plan.stack import ModelPlan, StackPlan
from llm_d_gke.rehearsal.cluster_client import client
from llm_d_gke.rehearsal.node_agent.vllm_on_cpu import describe_engine
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.terminal import scores
from llm_d_gke.rehearsal.terminal.chat import Answer
from llm_d_gke.rehearsal.terminal.pod_logs import picker_lines
from llm_d_gke.rehearsal.terminal.scores import Choice
from llm_d_gke.wording import WIDTH

_INDENT: Final = 4


@dataclass(frozen=True)
class Stop:
    """A box of the drawing, and the arrow to it."""

    way: str
    title: str
    lines: tuple[RenderableType, ...]


@dataclass(frozen=True)
class Backend:
    """The pod that answered, and where it runs. `engine` says in words what does."""

    pod: str
    address: str
    node: str
    machine: str
    engine: str


def drawing(stops: Sequence[Stop]) -> list[str]:
    """Boxes below each other in plain ASCII, at most 80 columns wide."""
    parts: list[RenderableType] = []
    for stop in stops:
        arrow = "\n".join((*(f"|  {way}" for way in textwrap.wrap(stop.way, WIDTH - _INDENT - 3)), "v"))
        parts.append(Padding(Text(arrow), (0, 0, 0, _INDENT), expand=False))
        parts.append(Panel(Group(*stop.lines), box.ASCII, title=Text(stop.title), title_align="left"))
    return drawn(*parts).splitlines()


def gateway_stop(model: str, name: str, class_name: str, endpoint: str, route: str, pool: str) -> Stop:
    return Stop(
        f"POST /v1/chat/completions, model {model}",
        f"Gateway {name}",
        (f"{endpoint}, class {class_name}", f"HTTPRoute {route} -> InferencePool {pool}"),
    )


def picker_stop(picker: str, choice: Choice, weights: Mapping[str, float]) -> Stop:
    grid = scores.table(choice, weights)
    grid.title, grid.box, grid.pad_edge = None, None, False
    grid.expand, grid.columns[1].ratio = True, 1
    body = (grid,) if choice.endpoints else ("no scores in its log",)
    return Stop("asks which pod (ext_proc)", f"endpoint picker {picker}", body)


def pod_stop(backend: Backend) -> Stop:
    return Stop(
        f"x-gateway-destination-endpoint: {backend.address}",
        f"pod {backend.pod}",
        (f"on node {backend.node}, {backend.machine}", backend.engine),
    )


def find_pod(pods: Iterable[Manifest], address: str) -> Manifest | None:
    """The pod with an address, `127.64.1.2:8000` or without the port."""
    host = address.rpartition(":")[0] or address
    return next((pod for pod in pods if (pod.get("status") or {}).get("podIP") == host), None)


def backend_at(kube: Kube, address: str, engine: str) -> Backend | None:
    """The pod of an address with its node. None where no pod has it, as after a restart."""
    pod = find_pod(kube.list("v1", "Pod"), address)
    if pod is None:
        return None
    name = str(pod["spec"].get("nodeName") or "")
    node = kube.find("v1", "Node", name) or {"metadata": {}}
    labels = node["metadata"].get("labels") or {}
    accelerator = labels.get("cloud.google.com/gke-accelerator") or labels.get("cloud.google.com/gke-tpu-accelerator")
    machine = " with ".join(filter(None, [labels.get("node.kubernetes.io/instance-type"), accelerator]))
    return Backend(pod["metadata"]["name"], address, name, machine or "machine unknown", engine)


_PICKED: Final = re.compile(r"picked=(\S+)")


@dataclass(frozen=True)
class AnswerPath:
    """The pod that answered, None where it is not known, and the drawing."""

    backend: Backend | None
    lines: tuple[str, ...]


def path_of_answer(paths: StackPaths, plan: StackPlan, answer: Answer, endpoint: str) -> AnswerPath:
    """The path of the request that was answered, as far as logs tell it. Others may run at the same time."""
    model = next((model for model in plan.models if model.served_name == answer.model), plan.models[0])
    weights = scores.weights_of(model.picker.config)
    choices = scores.choices(picker_lines(paths, [model.picker.name], None))
    with client(paths) as kube:
        own = choices_of_pod(choices, kube.list("v1", "Pod"), answer.pod)
        choice = (own or choices or [Choice("")])[-1]
        address = (choice.address if own else _picked(paths)) or choice.address
        backend = backend_at(kube, address, describe_engine(paths)) if address else None
    stops = [
        gateway_stop(
            answer.model, plan.gateway.name, plan.gateway.class_name, endpoint, _route(plan, model), model.pool.name
        ),
        picker_stop(model.picker.name, choice, weights),
        *([pod_stop(backend)] if backend is not None else []),
    ]
    return AnswerPath(backend, tuple(drawing(stops)))


def choices_of_pod(choices: Sequence[Choice], pods: Sequence[Manifest], name: str) -> list[Choice]:
    """The choices that sent a request to the pod of this name."""
    pod = [pod for pod in pods if pod["metadata"]["name"] == name]
    return [choice for choice in choices if find_pod(pod, choice.address) is not None]


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
