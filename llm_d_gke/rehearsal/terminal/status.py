"""Prints nodes, pods, Gateways and endpoint of a stack."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from llm_d_gke.rehearsal.errors import RehearsalError
from llm_d_gke.rehearsal.kube import Kube, client
from llm_d_gke.rehearsal.kube.conditions import find_condition
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.terminal.display import console, print_differences
from llm_d_gke.rehearsal.terminal.endpoint import reachable


def print_status(paths: StackPaths, *, differences: bool = False) -> None:
    """Print the running parts, and on request the differences from GKE.

    Raises RehearsalError when the stack is not up.
    """
    if not paths.kubeconfig.exists():
        raise RehearsalError(f"stack {paths.stack} is not up: make up STACK={paths.stack}")
    to = console()
    with client(paths) as kube:
        to.print(_nodes(kube))
        to.print(_pods(kube))
        to.print(_gateways(kube))
    try:
        to.print(f"endpoint  {reachable(paths)}")
    except RehearsalError as error:
        to.print(f"endpoint  none: {error}", markup=False)
    if differences:
        print_differences(to, paths)


def _nodes(kube: Kube) -> Table:
    table = Table("node", "pool", "machine", "accelerators", "ready", box=None, title="nodes", title_justify="left")
    for node in kube.list("v1", "Node"):
        labels, capacity = node["metadata"]["labels"], node["status"].get("allocatable", {})
        accelerators = [f"{capacity[name]} {name}" for name in ("nvidia.com/gpu", "google.com/tpu") if name in capacity]
        table.add_row(
            node["metadata"]["name"],
            labels.get("cloud.google.com/gke-nodepool", ""),
            labels.get("node.kubernetes.io/instance-type", ""),
            ", ".join(accelerators),
            _condition(node, "Ready"),
        )
    return table


def _pods(kube: Kube) -> Table:
    table = Table(
        "pod", "namespace", "ready", "restarts", "node", "address", box=None, title="pods", title_justify="left"
    )
    for pod in kube.list("v1", "Pod"):
        containers = pod["status"].get("containerStatuses", [])
        table.add_row(
            pod["metadata"]["name"],
            pod["metadata"]["namespace"],
            f"{sum(bool(c['ready']) for c in containers)}/{len(pod['spec']['containers'])}",
            str(sum(c["restartCount"] for c in containers)),
            pod["spec"].get("nodeName", "(pending)"),
            pod["status"].get("podIP", ""),
        )
    return table


def _gateways(kube: Kube) -> Table:
    table = Table("gateway", "class", "address", "programmed", box=None, title="gateways", title_justify="left")
    for gateway in kube.list("gateway.networking.k8s.io/v1", "Gateway"):
        addresses = [address["value"] for address in gateway.get("status", {}).get("addresses", [])]
        table.add_row(
            gateway["metadata"]["name"],
            gateway["spec"]["gatewayClassName"],
            ", ".join(addresses) or "(none)",
            _condition(gateway, "Programmed"),
        )
    return table


def _condition(thing: dict[str, Any], kind: str) -> str:
    """`True`, or the reason and message of the condition."""
    condition = find_condition(thing, kind)
    if condition is None:
        return "unknown"
    return "True" if condition["status"] == "True" else f"{condition['reason']}: {condition.get('message', '')}"
