"""Prints nodes, pods, Gateways and endpoint of a stack, in lines of 80 columns.

`console` is as wide as the terminal, or without one wide enough for whole names.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

from rich.console import Console

from llm_d_gke.kube import Kube, KubeError
from llm_d_gke.kube.conditions import find_condition
from llm_d_gke.rehearsal.cluster_client import client
from llm_d_gke.rehearsal.errors import NotUpError, RehearsalError, not_up
from llm_d_gke.rehearsal.paths import StackPaths, recorded_differences
from llm_d_gke.rehearsal.terminal.on_gke import not_up_here
from llm_d_gke.rehearsal.terminal.waiting_pods import waiting_reason
from llm_d_gke.wording import count, wrapped


def print_status(paths: StackPaths, *, differences: bool = False) -> None:
    """Print the running parts, and on request the differences from GKE.

    Raises NotUpError.
    """
    if not paths.is_up:
        raise not_up_here(
            paths.stack, lambda plan: [f"kubectl get nodes,pods,gateways --namespace {plan.namespace.name}"]
        )
    try:
        with client(paths) as kube:
            for title, lines in (("nodes", _nodes(kube)), ("pods", _pods(kube)), ("gateways", _gateways(kube))):
                print("\n".join([title, *map(wrapped, lines)]))
            note = host_note(kube)
    except KubeError as error:
        raise RehearsalError(_without_answer(paths)) from error
    try:
        print(f"endpoint  {reachable(paths)}")
        if note:
            print(wrapped(note))
    except (RehearsalError, KubeError) as error:
        print(wrapped(f"endpoint  none: {error}"))
    if differences:
        print_differences(console(), paths)


def _without_answer(paths: StackPaths) -> str:
    """Why the API server lists nothing, and what to do."""
    if paths.unfinished.exists():
        return wrapped(
            f"the cluster of stack {paths.stack} does not list the rest yet: an up starts it. Run this again in a few"
            f" seconds. If no up runs: `make up STACK={paths.stack}` continues"
        )
    return wrapped(
        f"the control plane of stack {paths.stack} does not answer: `make up STACK={paths.stack}` starts it again,"
        f" `make down STACK={paths.stack}` cleans up"
    )


def _nodes(kube: Kube) -> Iterator[str]:
    for node in kube.list("v1", "Node"):
        labels, capacity = node["metadata"]["labels"], node["status"].get("allocatable", {})
        machine = labels.get("node.kubernetes.io/instance-type", "unknown machine")
        accelerators = [f"{capacity[name]} {name}" for name in ("nvidia.com/gpu", "google.com/tpu") if name in capacity]
        pool = labels.get("cloud.google.com/gke-nodepool", "unknown")
        yield f"  {node['metadata']['name']}"
        cordoned = ["cordoned, takes no new pod"] if node["spec"].get("unschedulable") else []
        words = [_condition(node, "Ready"), *cordoned, f"pool {pool}", machine, *accelerators]
        yield f"    {', '.join(words)}"


def _pods(kube: Kube) -> Iterator[str]:
    for pod in kube.list("v1", "Pod"):
        containers = pod["status"].get("containerStatuses", [])
        restarts = sum(container["restartCount"] for container in containers)
        ready = f"{sum(bool(container['ready']) for container in containers)}/{len(pod['spec']['containers'])} ready"
        node = pod["spec"].get("nodeName")
        places = [pod["status"].get("podIP", ""), f"on {node}" if node else "no node"]
        words = [ready, count(restarts, "restart") if restarts else "", *places]
        yield f"  {pod['metadata']['namespace']}/{pod['metadata']['name']}"
        yield f"    {', '.join(filter(None, words))}"
        if (reason := waiting_reason(pod)) is not None:
            yield f"    {reason}"


def running_images(kube: Kube) -> set[str]:
    """Images of all containers of pods."""
    specs = [pod["spec"] for pod in kube.list("v1", "Pod")]
    return {part["image"] for spec in specs for kind in ("initContainers", "containers") for part in spec.get(kind, ())}


def _gateways(kube: Kube) -> Iterator[str]:
    for gateway in kube.list("gateway.networking.k8s.io/v1", "Gateway"):
        addresses = [address["value"] for address in gateway.get("status", {}).get("addresses", [])]
        metadata = gateway["metadata"]
        yield f"  {metadata['namespace']}/{metadata['name']}, class {gateway['spec']['gatewayClassName']}"
        yield f"    {', '.join(addresses) or 'no address'}, {_condition(gateway, 'Programmed')}"


def _condition(thing: dict[str, Any], kind: str) -> str:
    """The name of a condition that is true, in small letters, or its name, reason and message."""
    condition = find_condition(thing, kind)
    if condition is None:
        return f"{kind} unknown"
    if condition["status"] == "True":
        return kind.lower()
    return f"not {kind.lower()} ({condition['reason']}: {condition.get('message', '')})"


def reachable(paths: StackPaths) -> str:
    """The URL of the stack's Gateway: its address, and the port of Envoy on this machine.

    Raises NotUpError, and RehearsalError when no Gateway listens.
    """
    if not paths.is_up:
        raise NotUpError(f"{not_up(paths.stack)}\nOn GKE: pulumi stack output endpoint --stack {paths.stack}")
    listening = paths.envoy / "gateways.json"
    gateways = json.loads(listening.read_text(encoding="utf-8")) if listening.exists() else {}
    own = [gateways.get(paths.gateway.read_text(encoding="utf-8"))] if paths.gateway.exists() else gateways.values()
    for gateway in filter(None, own):
        for requested, port in sorted(gateway["ports"].items()):
            scheme, usual = ("https", 443) if requested == "443" else ("http", 80)
            return f"{scheme}://{gateway['address']}" + ("" if port == usual else f":{port}")
    raise RehearsalError(f"stack {paths.stack} has no listening Gateway: make diagnose STACK={paths.stack}")


def host_note(kube: Kube) -> str:
    """What a request to the address needs beside it: the host name of the Gateway's listener. Empty for any name."""
    gateways = kube.list("gateway.networking.k8s.io/v1", "Gateway")
    names = [entry["hostname"] for gateway in gateways for entry in gateway["spec"]["listeners"] if "hostname" in entry]
    return f"The Gateway answers to its host name only: curl -k -H 'Host: {names[0]}' ..." if names else ""


_WIDTH_WITHOUT_TERMINAL = 200


def console() -> Console:
    return Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else _WIDTH_WITHOUT_TERMINAL)


def print_differences(to: Console, paths: StackPaths) -> None:
    to.print("\nin this rehearsal, unlike on GKE", style="bold")
    for sentence in recorded_differences(paths):
        to.print(wrapped(f"  - {sentence}"), markup=False)
