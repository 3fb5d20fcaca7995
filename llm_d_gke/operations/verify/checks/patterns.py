"""Checks for each pattern: the right model, the replica with the prefix, prefill on other pods."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable

from llm_d_gke.operations.verify.checks.requests import longest_request
from llm_d_gke.operations.verify.context import CheckContext, Replica, risen
from llm_d_gke.operations.verify.result import Result, failed, passed, skipped
from llm_d_gke.planning.plan.stack import ModelPlan

_OK = 200
_GROUPS, _PER_GROUP = 3, 5
_DISTINCT = 30
_ROUNDS = 3
# From the guides: the least share of equal prefixes on one replica, and the largest share of distinct prompts.
_SAME_REPLICA, _LARGEST_SHARE = 0.9, 0.6
_SHORT = "Say hello."
_LONG_WORDS = 2400


def model_routing(ctx: CheckContext) -> Result:
    """Every one of N requests is answered by the model that it names, and computed by that model's servers."""
    models = ctx.live.plan.models
    replicas = {model.served_name: ctx.replicas(model) for model in models}
    before = {name: sum(ctx.served(own).values()) for name, own in replicas.items()}
    names = [models[number % len(models)].served_name for number in range(ctx.requests)]
    replies = ctx.chat_all([(name, f"{number}: which model?") for number, name in enumerate(names)], max_tokens=1)
    wrong = Counter(
        f"{name} answered by {reply.model or reply.status}"
        for name, reply in zip(names, replies, strict=True)
        if reply.status != _OK or reply.model != name
    )
    if wrong:
        return failed(_counts(wrong), ctx.live.diagnose)
    served = {name: sum(ctx.served(own).values()) - before[name] for name, own in replicas.items()}
    short = {name: count for name, count in served.items() if count < names.count(name)}
    if short:
        return failed(f"named rightly, but servers computed only {_counts(Counter(short))}", ctx.live.diagnose)
    return passed(f"{len(names)} of {len(names)}: " + ", ".join(f"{name} {names.count(name)}" for name in served))


def prefix_affinity(ctx: CheckContext) -> Result:
    """Prompts with one beginning go to one replica, and come back with cached tokens."""
    results = _of_replicated(ctx, _prefix_of)
    return next((result for result in results if result.outcome != "passed"), results[0]) if results else _ONE_REPLICA


def _of_replicated(
    ctx: CheckContext, check: Callable[[CheckContext, ModelPlan, list[Replica]], Result]
) -> list[Result]:
    """The results of a check for each model with two serving replicas or more."""
    served = [(model, ctx.replicas(model, roles=_SERVING)) for model in ctx.live.plan.models]
    return [check(ctx, model, replicas) for model, replicas in served if len(replicas) > 1]


def _prefix_of(ctx: CheckContext, model: ModelPlan, replicas: list[Replica]) -> Result:
    shares = []
    cached_before = ctx.cached(replicas)
    cached = 0
    for group in range(_GROUPS):
        words = min((longest_request(model) or 2048) // 2, 600)
        # New in every run: an earlier one must not have filled the caches.
        beginning = f"{os.urandom(8).hex()} group {group}. " + "shared " * words
        before = ctx.served(replicas)
        for number in range(_PER_GROUP):
            reply = ctx.chat(model.served_name, f"{beginning} Question {number}?")
            if reply.status != _OK:
                return failed(reply.summary, ctx.live.diagnose)
            cached += reply.cached_tokens or 0
        counts = risen(before, ctx.served(replicas))
        total = sum(counts.values())
        if total > _PER_GROUP:
            return skipped(f"{total - _PER_GROUP} requests of others ran meanwhile; run again while nobody else asks")
        shares.append(max(counts.values(), default=0) / _PER_GROUP)
    cached = max(cached, ctx.cached(replicas) - cached_before)
    if min(shares) < _SAME_REPLICA:
        return failed(
            f"{model.served_name}: of {_PER_GROUP} prompts with one beginning {min(shares):.0%} went to one replica",
            _picker_log(ctx, model),
        )
    if not cached:
        return failed(f"{model.served_name}: no prompt token came from a cache", _picker_log(ctx, model))
    return passed(f"{model.served_name}: {_GROUPS} beginnings, each at one replica; {cached} tokens from caches")


def distinct_prompts_spread(ctx: CheckContext) -> Result:
    """Prompts without a common beginning reach every replica, none of three or more gets above 60 %.

    What arrives between two looks of the picker at the queues goes by the same figures, mostly to one replica. So an
    uneven round is asked for again, and the sum of up to three is judged: only a lasting preference stays in it.
    """
    results = _of_replicated(ctx, _spread_of)
    if bad := next((result for result in results if result.outcome != "passed"), None):
        return bad
    return passed("; ".join(result.evidence for result in results)) if results else _ONE_REPLICA


def _spread_of(ctx: CheckContext, model: ModelPlan, replicas: list[Replica]) -> Result:
    counts: Counter[str] = Counter()
    for _ in range(_ROUNDS):
        before = ctx.served(replicas)
        prompts = [(model.served_name, os.urandom(200).hex()) for _ in range(_DISTINCT * len(replicas) // 3 + 10)]
        replies = ctx.chat_all(prompts)
        if unanswered := [reply for reply in replies if reply.status != _OK]:
            return failed(
                f"{len(unanswered)} of {len(replies)} were not answered: {unanswered[0].summary}", ctx.live.diagnose
            )
        counts.update(risen(before, ctx.served(replicas)))
        idle = len(replicas) - len(counts)
        uneven = len(replicas) > 2 and max(counts.values(), default=0) > _LARGEST_SHARE * counts.total()
        if not idle and not uneven:
            break
    distribution = "/".join(str(count) for count in sorted(counts.values(), reverse=True))
    if idle:
        return failed(f"{model.served_name}: {idle} of {len(replicas)} replicas got no request ({distribution})", "")
    if uneven:
        return failed(f"{model.served_name}: one replica got more than 60 % ({distribution})", _picker_log(ctx, model))
    return passed(f"{model.served_name} {distribution}")


def prefill_elsewhere(ctx: CheckContext) -> Result:
    """A short prompt is computed where it is decoded; a long one by a prefill server first."""
    for model in ctx.live.plan.models:
        decode, prefill = (ctx.replicas(model, roles=(role,)) for role in ("decode", "prefill"))
        if not decode or not prefill:
            return failed(
                f"{model.served_name}: {len(decode)} decode and {len(prefill)} prefill ready", ctx.live.diagnose
            )
        length = longest_request(model) or _LONG_WORDS * 2
        long = f"{os.urandom(8).hex()} " + "A word of a long prompt. " * (min(_LONG_WORDS, length // 2) // 6)
        for prompt, expected, what in ((_SHORT, 0, "short"), (long, 1, "long")):
            before = ctx.served(prefill)
            reply = ctx.chat(model.served_name, prompt)
            if reply.status != _OK:
                return failed(f"{what} prompt: {reply.summary}", ctx.live.diagnose)
            seen = sum(risen(before, ctx.served(prefill)).values())
            if seen != expected:
                return failed(
                    f"{model.served_name}: a {what} prompt was computed by {seen} prefill servers, not {expected}",
                    _picker_log(ctx, model),
                )
    return passed("a short prompt stayed at its decode server, a long one was computed by a prefill server")


def _picker_log(ctx: CheckContext, model: ModelPlan) -> str:
    return f"{ctx.live.kubectl} logs deployment/{model.picker.name}"


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{count} x {what}" for what, count in counter.most_common(5))


_SERVING = ("both", "decode")
_ONE_REPLICA = skipped("no model has two ready replicas to choose from")

__all__ = ["Replica", "distinct_prompts_spread", "model_routing", "prefill_elsewhere", "prefix_affinity"]
