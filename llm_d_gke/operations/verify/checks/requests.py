"""Checks by requests to the endpoint."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import httpx

from llm_d_gke.operations.verify.context import CheckContext, Reply
from llm_d_gke.operations.verify.result import Result, failed, judged, passed, skipped
from llm_d_gke.planning.plan.stack import ModelPlan

UNKNOWN_MODEL = "llmd-verify/no-such-model"
_OK, _BAD_REQUEST, _NOT_FOUND = 200, 400, 404
# 302: Identity-Aware Proxy leads to Google's login.
_WITHOUT_CREDENTIALS = (302, 401, 403)
# Longest prompt that is sent to see that one passes: longer ones only cost time.
_LONG_PROMPT_WORDS = 4000
_PAUSE_SECONDS = 1.0
_PROMPT = "Say hello."


def address_answers(ctx: CheckContext) -> Result:
    """The address answers a chat request, within the patience that a load balancer takes to learn its backends."""
    model = ctx.live.plan.models[0].served_name
    deadline = time.monotonic() + ctx.patience
    while True:
        try:
            reply, seen = ctx.chat(model, _PROMPT), ""
        except httpx.HTTPError as error:
            reply, seen = None, str(error) or type(error).__name__
        if reply is not None and reply.status == _OK:
            return passed(f"{_url(ctx)} answered in {reply.seconds:.2f} s")
        if time.monotonic() > deadline:
            return failed(f"{_url(ctx)}: {seen or (reply.summary if reply else '')}", ctx.live.diagnose)
        time.sleep(_PAUSE_SECONDS)


def credentials_required(ctx: CheckContext) -> Result:
    """A request without a key, token or identity is refused, as gateway.auth says."""
    reply = ctx.get_without_credentials("/v1/models")
    if reply.status in _WITHOUT_CREDENTIALS:
        return passed(f"{reply.status} without credentials")
    if reply.status == _OK:
        everyone = "HTTP 200 without credentials: whoever reaches the address can use the models"
        return failed(everyone, ctx.live.restore)
    return failed(f"not refused for its missing credentials: {reply.summary}", ctx.live.diagnose)


def models_listed(ctx: CheckContext) -> Result:
    """GET /v1/models lists every name that requests may give, and nothing else."""
    reply = ctx.get("/v1/models")
    if reply.status != _OK:
        return failed(reply.summary, ctx.live.diagnose)
    listed = {str(card.get("id")) for card in reply.document.get("data") or []}
    expected = set(names_of(ctx))
    if listed == expected:
        return passed(", ".join(sorted(listed)))
    parts = [f"lacks {', '.join(sorted(expected - listed))}"] if expected - listed else []
    parts += [f"has also {', '.join(sorted(listed - expected))}"] if listed - expected else []
    return failed("; ".join(parts), f"curl {_url(ctx)}/v1/models")


def names_of(ctx: CheckContext) -> Iterator[str]:
    """Every name that requests may give."""
    if ctx.live.plan.router is not None:
        for base in ctx.live.plan.router.names:
            yield from (base.name, *base.others)
        return
    for model in ctx.live.plan.models:
        yield from (model.served_name, *model.other_names)


def chat_answers(ctx: CheckContext) -> Result:
    """Each model answers a chat request with text, under its own name, and counts the tokens."""
    return _each_model(ctx, lambda model: _problem(ctx.chat(model.served_name, _PROMPT), model.served_name))


def completion_answers(ctx: CheckContext) -> Result:
    """Each model answers a completion request."""

    def problem(model: ModelPlan) -> str:
        body = {"model": model.served_name, "prompt": _PROMPT, "max_tokens": 16}
        return _problem(ctx.post("/v1/completions", body), model.served_name)

    return _each_model(ctx, problem)


def stream_answers(ctx: CheckContext) -> Result:
    """Each model streams: several events, text in them, and the end mark."""

    def problem(model: ModelPlan) -> str:
        reply = ctx.chat(model.served_name, _PROMPT, stream=True)
        if reply.status != _OK:
            return reply.summary
        if not reply.pieces or reply.pieces[-1] != "[DONE]":
            return f"no stream of events that ends with [DONE]: {reply.text[:120]!r}"
        return "" if _streamed_text(reply).strip() else "the events hold no text"

    return _each_model(ctx, problem)


def _streamed_text(reply: Reply) -> str:
    events = [json.loads(piece) for piece in reply.pieces[:-1]]
    return "".join(
        (choice.get("delta") or {}).get("content") or "" for event in events for choice in event.get("choices") or []
    )


def long_prompt(ctx: CheckContext) -> Result:
    """A prompt of about half the longest request, 4,000 words at most, is answered."""
    sent: list[str] = []

    def problem(model: ModelPlan) -> str:
        words = min((longest_request(model) or _LONG_PROMPT_WORDS * 2) // 2, _LONG_PROMPT_WORDS)
        # Tokenizers divide a word, and chat templates add to a prompt: a shorter one shows by how much.
        few = max(1, words // 8)
        sample = ctx.chat(model.served_name, "word " * few)
        if sample.status != _OK:
            return _problem(sample, model.served_name)
        words = int(words / max(1.0, _prompt_tokens(sample) / few))
        reply = ctx.chat(model.served_name, "word " * words)
        counted = _prompt_tokens(reply)
        sent.append(f"{model.served_name} {counted} tokens")
        if reply.status == _OK and counted < words // 2:
            return f"{words} words were sent, the engine counted {counted} tokens"
        return _problem(reply, model.served_name)

    return _each_model(ctx, problem, lambda: ", ".join(sent))


def _prompt_tokens(reply: Reply) -> int:
    return int(reply.usage.get("prompt_tokens") or 0)


def too_long_prompt(ctx: CheckContext) -> Result:
    """A prompt longer than the longest request is refused with 400, and the reason names the limit."""
    lengths = {model.served_name: longest_request(model) for model in ctx.live.plan.models}
    if not any(lengths.values()):
        return skipped("no model has a maxModelLen in the plan, so no prompt is known to be too long")

    def problem(model: ModelPlan) -> str:
        length = lengths[model.served_name]
        if length is None:
            return ""
        reply = ctx.chat(model.served_name, "word " * (length + 100))
        if reply.status != _BAD_REQUEST:
            return f"{length + 100} words: {reply.summary}"
        return "" if str(length) in reply.text else f"400 without the limit of {length} tokens: {reply.text[:120]!r}"

    return _each_model(ctx, problem)


def unknown_model(ctx: CheckContext) -> Result:
    """A model that the stack does not serve is answered with 404; with several models, with the list of names."""
    reply = ctx.chat(UNKNOWN_MODEL, _PROMPT)
    if reply.status != _NOT_FOUND:
        return failed(reply.summary, ctx.live.diagnose)
    if ctx.live.plan.models_endpoint is None:
        return passed(f"404: {reply.text[:120]}")
    missing = sorted(set(names_of(ctx)) - set(reply.document.get("models") or []))
    if missing:
        return failed(f"404, whose list lacks {', '.join(missing)}", ctx.live.diagnose)
    return passed("404 with the list of models")


def health(ctx: CheckContext) -> Result:
    """GET /health of the address is answered."""
    reply = ctx.get("/health")
    return passed("200") if reply.status == _OK else failed(reply.summary, ctx.live.diagnose)


def other_names(ctx: CheckContext) -> Result:
    """Every alias and adapter is answered by its own model: an adapter under its own name."""
    wrong, count = [], 0
    for model in ctx.live.plan.models:
        for name in model.other_names:
            count += 1
            reply = ctx.chat(name, _PROMPT)
            if reply.status != _OK or reply.model not in (name, model.served_name):
                wrong.append(f"{name}: {reply.summary}")
    return judged(wrong, ctx.live.diagnose, f"{count} further names answered")


def longest_request(model: ModelPlan) -> int | None:
    """`--max-model-len` of a model's servers, None where the engine takes the model's own."""
    arguments = model.servers[0].pod.args
    for index, word in enumerate(arguments):
        name, equals, value = word.partition("=")
        if name == "--max-model-len":
            text = value if equals else arguments[index + 1]
            return int(text) if text.isdecimal() else None
    return None


def _each_model(
    ctx: CheckContext, problem: Callable[[ModelPlan], str], evidence: Callable[[], str] | None = None
) -> Result:
    """Passed where `problem` finds none, an empty text, with any model."""
    models = ctx.live.plan.models
    wrong = [f"{model.served_name}: {text}" for model in models if (text := problem(model))]
    names = ", ".join(model.served_name for model in models)
    return judged(wrong, ctx.live.diagnose, evidence() if evidence is not None else names)


def _problem(reply: Reply, model: str) -> str:
    if reply.status != _OK:
        return reply.summary
    if reply.model != model:
        return f"the answer is of {reply.model!r}"
    if not reply.content.strip():
        return f"an empty answer: {reply.text[:120]!r}"
    return "" if reply.usage.get("completion_tokens") else "the answer counts no completion tokens"


def _url(ctx: CheckContext) -> str:
    return ctx.live.endpoint.url if ctx.live.endpoint is not None else "(no Gateway listens)"
