"""The share of prompt tokens that each replica found in its prefix cache, from the engines' own counters."""

from __future__ import annotations

from collections.abc import Mapping

import httpx

from llm_d_gke.catalog.metrics import ENGINE, load_metrics
from llm_d_gke.metrics_text import total
from llm_d_gke.operations.live_stack.stack import LiveStack, LiveStackError
from llm_d_gke.operations.verify.context import CheckContext
from llm_d_gke.planning.plan.stack import ModelPlan

# Tokens found and tokens looked up since the start of a replica, by its name.
Counters = Mapping[str, tuple[float, float]]


def cache_counters(live: LiveStack, model: ModelPlan) -> Counters:
    """Of every ready replica that can be reached, past the Gateway."""
    ctx = CheckContext(live=live, gateway=None, planned=None, patience=0.0, requests=0)
    counters = {}
    try:
        for replica in ctx.replicas(model):
            try:
                text = ctx.metrics(replica)
            except (httpx.HTTPError, LiveStackError):
                continue
            counters[replica.name] = (_read(text, "engine-cache-hits"), _read(text, "engine-cache-queries"))
    finally:
        ctx.close()
    return counters


def cached_shares(before: Counters, after: Counters) -> dict[str, float]:
    """By replica. One without a request, or one that is not there before and after, is left out."""
    shares = {}
    for name in before.keys() & after.keys():
        hits, queries = (now - then for now, then in zip(after[name], before[name], strict=True))
        if queries > 0:
            shares[name] = hits / queries
    return dict(sorted(shares.items()))


def _read(text: str, metric: str) -> float:
    entry = load_metrics().metrics[metric]
    return max(total(text, name) for name in (entry.names[ENGINE], *entry.aliases[ENGINE]))
