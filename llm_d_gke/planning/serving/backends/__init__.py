"""Serving back ends: direct Deployments or KServe. One module each, one interface (`base`)."""

from __future__ import annotations

from collections.abc import Mapping

from llm_d_gke.planning.serving.backends.base import ExtProcIdentity, ServingBackend
from llm_d_gke.planning.serving.backends.direct import DirectBackend
from llm_d_gke.planning.serving.backends.kserve import KServeBackend
from llm_d_gke.settings import StackSettings
from llm_d_gke.settings.stack import Deployment

__all__ = ["BACKENDS", "ExtProcIdentity", "ServingBackend", "backend_of"]

BACKENDS: Mapping[Deployment, ServingBackend] = {"direct": DirectBackend(), "kserve": KServeBackend()}


def backend_of(settings: StackSettings) -> ServingBackend:
    """The back end that a stack's `deployment` selects."""
    return BACKENDS[settings.deployment]
