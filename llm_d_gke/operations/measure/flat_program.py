"""The comparison for `measure preview`: the same resources, registered one by one from literals.

The equivalent without settings, plan or components: the SDK's classes with their final arguments.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from typing import Any

import pulumi
import pulumi_gcp as gcp
import pulumi_kubernetes as kubernetes

from llm_d_gke.rehearsal.providers.properties import unwrap_secrets
from llm_d_gke.resource_graph import Graph


def flat_program(graph: Graph) -> Callable[[], None]:
    """A program that registers every resource of a recorded graph, without components and without dependencies."""
    literals = [(resource, unwrap_secrets(resource.inputs)) for resource in graph.resources if resource.custom]
    kubeconfig = next(inputs for resource, inputs in literals if resource.type == "pulumi:providers:kubernetes")

    def program() -> None:
        cloud = gcp.Provider("gcp", project="rehearsal-project")
        cluster = kubernetes.Provider(
            "kubernetes", kubeconfig=kubeconfig["kubeconfig"], cluster_identifier=kubeconfig["clusterIdentifier"]
        )
        for number, (resource, inputs) in enumerate(literals):
            if resource.type.startswith("gcp:"):
                _class(resource.type)(
                    f"{resource.name}-{number}", **_snake(inputs), opts=pulumi.ResourceOptions(provider=cloud)
                )
            elif resource.type.startswith("kubernetes:"):
                _kubernetes(
                    f"{resource.name}-{number}", resource.type, inputs, pulumi.ResourceOptions(provider=cluster)
                )

    return program


def _kubernetes(name: str, token: str, inputs: dict[str, Any], options: pulumi.ResourceOptions) -> None:
    rest = {key: value for key, value in inputs.items() if key not in ("apiVersion", "kind")}
    try:
        kind = _class(token)
    except (AttributeError, ModuleNotFoundError):
        kubernetes.apiextensions.CustomResource(
            name, api_version=inputs["apiVersion"], kind=inputs["kind"], opts=options, **rest
        )
        return
    kind(name, opts=options, **_snake(rest))


def _class(token: str) -> Any:
    """`kubernetes:apps/v1:Deployment` and `gcp:compute/network:Network` as the SDK's classes."""
    package, module, name = token.split(":")
    path = module.split("/")
    if package == "gcp":
        return getattr(importlib.import_module(f"pulumi_gcp.{path[0]}"), name)
    group = path[0].removesuffix(".k8s.io").split(".")[0]
    return getattr(importlib.import_module(f"pulumi_kubernetes.{group}.{path[1]}"), name)


def _snake(inputs: dict[str, Any]) -> dict[str, Any]:
    return {re.sub(r"(?<!^)([A-Z])", r"_\1", key).lower(): value for key, value in inputs.items()}
