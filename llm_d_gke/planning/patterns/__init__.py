"""Patterns: how the replicas of a stack share the work. One module each; `base` defines the decisions of a pattern.

Other modules ask `pattern_of(settings)` for what they need to know and do not compare `settings.pattern`.
"""

from __future__ import annotations

from collections.abc import Mapping

from llm_d_gke.planning.patterns.base import Pattern
from llm_d_gke.planning.patterns.disaggregated import Disaggregated
from llm_d_gke.planning.patterns.mixture_of_experts import MixtureOfExperts
from llm_d_gke.planning.patterns.multi_model import MultiModel
from llm_d_gke.planning.patterns.prefix_cache import PrefixCache
from llm_d_gke.planning.patterns.single_replica import SingleReplica
from llm_d_gke.settings import StackSettings
from llm_d_gke.settings.stack import Pattern as Name

__all__ = ["PATTERNS", "Pattern", "pattern_of"]

PATTERNS: Mapping[Name, Pattern] = {
    pattern.name: pattern
    for pattern in (SingleReplica(), MultiModel(), PrefixCache(), MixtureOfExperts(), Disaggregated())
}


def pattern_of(settings: StackSettings) -> Pattern:
    """The pattern that a stack selects."""
    return PATTERNS[settings.pattern]
