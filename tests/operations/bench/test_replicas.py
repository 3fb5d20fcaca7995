"""Cache hits of each replica during a run: what its counters rose by."""

from __future__ import annotations

from llm_d_gke.operations.bench.command import cache_counters, cached_shares
from llm_d_gke.operations.verify.context import chat_body
from tests.operations.verify.fake_stack import context_of
from tests.operations.verify.test_checks import PREFIX, by_model, engines_of


def test_what_replicas_found_since_the_run_began() -> None:
    with context_of(PREFIX, engines_of(cached={0: 80, 1: 20}), by_model) as ctx:
        [model] = ctx.live.plan.models
        first, second, _ = ctx.replicas(model)
        body = chat_body(model.served_name, "before")
        ctx.ask_replica(first, body)
        before = cache_counters(ctx.live, model)
        for replica in (first, second, second):
            ctx.ask_replica(replica, body)
        after = cache_counters(ctx.live, model)
    # The third one had no request.
    assert cached_shares(before, after) == {first.name: 0.8, second.name: 0.2}


def test_a_replica_that_came_or_went_is_left_out() -> None:
    assert cached_shares({"a": (0, 0), "b": (0, 0)}, {"b": (5, 10), "c": (5, 10)}) == {"b": 0.5}
