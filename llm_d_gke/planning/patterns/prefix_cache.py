"""Pattern `prefix-cache`: a request is routed to the replica with the prefix of its prompt in the KV cache."""

from __future__ import annotations

from dataclasses import dataclass

from llm_d_gke.planning.findings import Findings
from llm_d_gke.planning.patterns.base import Pattern
from llm_d_gke.settings import StackSettings
from llm_d_gke.settings.stack import Pattern as Name


@dataclass(frozen=True)
class PrefixCache(Pattern):
    """One model on several replicas with prefix caching, and a picker that scores prefixes."""

    name: Name = "prefix-cache"
    states_block_size: bool = True
    relies_on_prefixes: bool = True

    def check_settings(self, settings: StackSettings, findings: Findings) -> None:
        """Several replicas, and a weight for prefixes."""
        super().check_settings(settings, findings)
        for index, model in enumerate(settings.models):
            if model.replicas < 2:
                findings.error(
                    "LLMD-PATTERN-PREFIX-REPLICAS", f"models[{index}]", *model.replicas_path, value=model.replicas
                )
        if settings.picker.scorers.prefix_cache == 0:
            findings.error("LLMD-PATTERN-PREFIX-SCORER", "picker.scorers.prefixCache", value=0)
