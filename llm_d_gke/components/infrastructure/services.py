"""Google APIs the stack needs."""

from __future__ import annotations

import pulumi
import pulumi_gcp as gcp

from llm_d_gke.components.instance import Component, named
from llm_d_gke.components.options import child


class ProjectServices(Component):
    """Enables APIs and never disables them, because other workloads of the project may use them."""

    services: list[gcp.projects.Service]

    def __init__(self, project: str, services: tuple[str, ...], opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("llm-d:project:ProjectServices", "services", opts)
        self.services = [
            gcp.projects.Service(
                named(service.removesuffix(".googleapis.com"), self),
                project=project,
                service=service,
                disable_on_destroy=False,
                opts=child(self),
            )
            for service in services
        ]
        self.register_outputs({})
