"""Presets of KServe's in the stack's own namespace, where KServe looks before it takes those of its chart."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from components.custom_resources.base import custom_resource
from components.custom_resources.llm_inference_service import LlmInferenceServiceConfigSpec
from components.options import child
from components.platform.webhooks import until_webhooks_answer


class Presets(pulumi.ComponentResource):
    """Empty presets by name: services that would be merged with them stay as they are stated."""

    ready: list[pulumi.Resource]

    def __init__(
        self,
        names: Sequence[str],
        namespace: str,
        after: list[pulumi.Resource],
        deleted_with: pulumi.Resource | None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("llm-d:inference:Presets", "presets", None, opts)
        options = child(self, depends_on=after, deleted_with=deleted_with)
        self.ready = [
            custom_resource(
                name,
                LlmInferenceServiceConfigSpec(),
                name=name,
                namespace=namespace,
                opts=until_webhooks_answer(name, options),
            )
            for name in names
        ]
        self.register_outputs({})
