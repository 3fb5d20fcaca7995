"""Mocks for unit tests of programs that create stacks: `pulumi.runtime.set_mocks(llm_d_gke.testing.Mocks())`.

Mocks that echo the inputs do not suffice: the program reads values that Google computes, such as a cluster's DNS
endpoint.
"""

from __future__ import annotations

from typing import Any

import pulumi

from llm_d_gke.resource_graph.answers import ResourceRequest, plausible


class Mocks(pulumi.runtime.Mocks):
    """Answers as Google Cloud or Kubernetes would, with ids and computed values that are the same in every run.

    Args:
        project: Project of resources that name none, in their ids and self links.
    """

    def __init__(self, project: str = "recorded-project") -> None:
        self._provider = {"project": project}

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        request = ResourceRequest(
            urn=f"{args.typ}::{args.name}",
            type=args.typ,
            name=args.name,
            parent=None,
            inputs=args.inputs,
            provider=self._provider,
        )
        answer = dict(plausible(request))
        identifier = str(answer.pop("id"))
        return identifier, {**args.inputs, **answer}

    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:  # noqa: ARG002
        return {}, None
