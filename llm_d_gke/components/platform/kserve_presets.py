"""KServe presets in the stack's namespace, which take precedence over those of KServe's chart."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from llm_d_gke.components.custom_resources.base import custom_resource
from llm_d_gke.components.custom_resources.llm_inference_service import LlmInferenceServiceConfigSpec
from llm_d_gke.components.instance import Component
from llm_d_gke.components.metadata import metadata
from llm_d_gke.components.platform.webhooks import retry_until_webhooks_ready
from llm_d_gke.components.scope import ClusterScope


class Presets(Component):
    """Creates empty presets, so that KServe merges nothing into the services of this stack."""

    ready: list[pulumi.Resource]

    def __init__(
        self,
        names: Sequence[str],
        scope: ClusterScope,
        depends_on: Sequence[pulumi.Resource],
    ) -> None:
        super().__init__("llm-d:inference:Presets", "presets", scope.opts)
        options = scope.deleted_with_cluster(self, depends_on)
        self.ready = [
            custom_resource(
                name,
                LlmInferenceServiceConfigSpec(),
                metadata=metadata(name, scope.namespace),
                opts=retry_until_webhooks_ready(name, options),
            )
            for name in names
        ]
        self.register_outputs({})
