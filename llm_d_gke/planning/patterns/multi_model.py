"""Pattern `multi-model`: several models behind one Gateway, chosen by the name in the request."""

from __future__ import annotations

from dataclasses import dataclass

from llm_d_gke.planning.findings import Findings
from llm_d_gke.planning.patterns.base import Pattern
from llm_d_gke.settings import StackSettings
from llm_d_gke.settings.gateway import GatewaySettings
from llm_d_gke.settings.stack import Pattern as Name


@dataclass(frozen=True)
class MultiModel(Pattern):
    """A model router puts the base model of each request into a header, which routes match."""

    name: Name = "multi-model"
    routes_by_model: bool = True

    def check_settings(self, settings: StackSettings, findings: Findings) -> None:
        """Two or more models, and a Gateway that can call the router."""
        super().check_settings(settings, findings)
        number = len(settings.models)
        if number < 2:
            findings.error("LLMD-PATTERN-TWO-MODELS", "models", value="1 model")
        if settings.gateway.implementation != "gke":
            needing = _needing_istio(settings.gateway)
            findings.error(
                "LLMD-PATTERN-GATEWAY",
                "gateway.implementation",
                value=settings.gateway.implementation,
                case="needed" if needing else "free",
                needing=needing,
            )


def _needing_istio(gateway: GatewaySettings) -> str | None:
    """The first setting of a Gateway that Google's load balancers would refuse."""
    settings = {
        "gateway.auth": gateway.auth.kind in ("api-keys", "jwt"),
        "gateway.backendTls": gateway.backend_tls.kind != "none",
        "gateway.limits.tokensPerMinute": gateway.limits.tokens_per_minute is not None,
        "gateway.limits.bodyBytes": gateway.limits.body_bytes is not None,
    }
    return next((name for name, is_set in settings.items() if is_set), None)
