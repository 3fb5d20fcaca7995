"""Implements the command `diagnose`: from facts to causes, in the order in which one follows from another."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from llm_d_gke.cli.exits import DONE, UNMET
from llm_d_gke.operations.choices import Target
from llm_d_gke.operations.diagnose import capacity, pods, routing
from llm_d_gke.operations.diagnose.cause import Cause, Diagnosis
from llm_d_gke.operations.diagnose.facts import NO_HEADERS, Facts, gather
from llm_d_gke.operations.diagnose.halfway import halfway
from llm_d_gke.operations.diagnose.messages import recognize_anywhere, state_in_words
from llm_d_gke.operations.diagnose.planned import compared
from llm_d_gke.operations.live_stack.find import open_stack
from llm_d_gke.operations.live_stack.stack import LiveStack
from llm_d_gke.operations.verify.run import planned_objects
from llm_d_gke.wording import wrapped

_WORDS = "words, not the stack"
# A finding of this program in printed words, with its further lines: it says itself what is wrong, and its advice has
# words of causes (`set a certificate`).
_FINDING = re.compile(
    r"^( *)(?:\([a-z]+\) |(?:warning|error): )?LLMD-[A-Z0-9-]+  .*\n"
    r"(?:\1\S.*\)\n)?"  # the rest of a place that was broken over two lines
    r"(?:\1 +\S.*(?:\n|$))*",
    re.MULTILINE,
)
_OF_A_STACK = re.compile(r"`make (diagnose|preflight|report|status|verify|why)( STACK=\.\.\.)?`")


def run_diagnose(
    stack: str, changes: Mapping[str, str], *, target: Target | None, as_json: bool, headers: Mapping[str, str]
) -> int:
    """Print the cause and its fix. Exit status 2 if there is a cause. `headers` go with the request that it sends."""
    with open_stack(stack, changes, target) as live:
        recorded = partial(planned_objects, live.name, live.config)
        return _show(diagnose(live, headers, recorded), as_json=as_json)


def run_words(stack: str, words: str, *, as_json: bool) -> int:
    """Print what printed words mean: of `pulumi up`, an event, a condition or a log. Looks at no cluster."""
    printed = _FINDING.sub("", words)
    causes = recognize_anywhere(printed, "these words") or state_in_words(printed, "these words")
    return _show(Diagnosis(stack=stack, looked_at=_WORDS, causes=causes), as_json=as_json)


def _show(diagnosis: Diagnosis, *, as_json: bool) -> int:
    print(json_text(diagnosis) if as_json else text(diagnosis))
    return UNMET if diagnosis.has_causes else DONE


def diagnose(
    live: LiveStack,
    headers: Mapping[str, str] = NO_HEADERS,
    planned: Callable[[], Iterable[dict[str, Any]]] = tuple,
) -> Diagnosis:
    """Find the causes. `planned` records the plan's objects, in seconds: only where nothing else explains it."""
    facts = gather(live, headers)
    half_done = halfway(facts, unfinished=live.unfinished)
    causes, unreadable = causes_of(facts), facts.unreadable
    # While an up is under way, or before the one of a changed stack file, objects are not those of the plan.
    is_settled = not (half_done or live.unfinished or live.changed_settings)
    if is_settled and all(cause.subject == "the endpoint" or cause.id == "pods-missing" for cause in causes):
        differing, unread = compared(live, planned())
        causes, unreadable = (*differing, *causes), (*unreadable, *unread)
    causes = tuple(replace(cause, fix=runnable(cause, live)) for cause in causes)
    return Diagnosis(
        stack=live.name,
        looked_at=live.looked_at,
        causes=causes,
        unreadable=unreadable,
        changed=live.changed_settings if causes else (),
        paused=live.plan.paused,
        halfway=half_done,
    )


def runnable(cause: Cause, live: LiveStack) -> str:
    """The fix with commands that can be run as they are: for this stack, and for the pod that the cause is about."""
    pod = re.match(r"Pod/(\S+)", cause.subject)
    logs = f"make logs STACK={live.name}" + (f" POD={pod[1]}" if pod else "")
    fix = cause.fix.replace("`pulumi up --refresh`", f"`{live.restore}`").replace("`make logs`", f"`{logs}`")
    return _OF_A_STACK.sub(rf"`make \1 STACK={live.name}`", fix)


def text(diagnosis: Diagnosis) -> str:
    """The first cause in full, and a line for each further one."""
    parts = [f"diagnose {diagnosis.looked_at}"]
    if diagnosis.halfway:
        lines = [f"  {line}" for line in diagnosis.halfway]
        after = (
            "`make up` or `pulumi up` goes on from here. What requests go to keeps running until the plan's pods are"
            " ready, unless a preview says otherwise; what is seen below may only be unfinished"
        )
        parts.append("\n".join(["a change of the stack is half done:", *lines, after]))
    if diagnosis.causes:
        parts.append(_in_full(diagnosis.causes[0]))
    elif diagnosis.looked_at == _WORDS:
        parts.append(
            "these words are not among the known ones (docs/causes.md); findings (LLMD-...) say themselves what to do"
        )
    elif diagnosis.paused:
        parts.append(
            "the stack is paused: no model server runs, and requests end with 503 until `paused` is false and"
            " `make up` or `pulumi up` ran; nothing else is wrong that this command knows"
        )
    elif not diagnosis.halfway:
        parts.append("nothing is wrong that this command knows: pods are ready, the Gateway is programmed and answers")
    if diagnosis.causes[1:]:
        lines = [f"  {cause.id}: {cause.subject}: {cause.evidence[:120]}" for cause in diagnosis.causes[1:]]
        parts.append("\n".join(["also seen, perhaps a consequence:", *lines]))
    if diagnosis.changed:
        lines = [f"  {change}" for change in diagnosis.changed]
        parts.append("\n".join(["the stack file was changed after the last up that came to its end:", *lines]))
    if diagnosis.unreadable:
        parts.append("\n".join(["not read:", *(f"  {line}" for line in diagnosis.unreadable)]))
    return wrapped("\n\n".join(parts))


def _in_full(cause: Cause) -> str:
    numbers = ", ".join(str(number) for number in cause.pitfalls)
    return "\n".join(
        [
            f"{'waiting' if cause.waits else 'cause'}: {cause.id} at {cause.subject}",
            f"  {cause.cause}",
            f"  it says: {cause.evidence}",
            f"  what to do: {cause.fix}",
            *([f"  docs/pitfalls.md: {numbers}"] if numbers else []),
        ]
    )


def json_text(diagnosis: Diagnosis) -> str:
    return json.dumps(
        {
            "stack": diagnosis.stack,
            "lookedAt": diagnosis.looked_at,
            "found": diagnosis.has_causes,
            "causes": [asdict(cause) for cause in diagnosis.causes],
            "changed": list(diagnosis.changed),
            "halfDone": list(diagnosis.halfway),
            "notRead": list(diagnosis.unreadable),
        },
        indent=1,
    )


# What comes first may explain what comes later: without a node no pod, without a pod no healthy backend.
RULES: tuple[Callable[[Facts], Iterator[Cause]], ...] = (
    routing.presets_missing,
    routing.unknown_backends,
    pods.not_created,
    capacity.not_admitted,
    capacity.not_provisioned,
    pods.not_scheduled,
    capacity.nodes_at_fault,
    pods.not_started,
    pods.ended,
    pods.not_ready,
    routing.certificates_not_issued,
    routing.gateway_problems,
    routing.policies_refused,
    routing.health_check_changed,
    routing.service_conditions,
    routing.not_scaling,
    routing.endpoints_not_synced,
    routing.endpoint_answer,
)


def causes_of(facts: Facts) -> tuple[Cause, ...]:
    """All causes, most fundamental first. Pods of one workload share a cause.

    Causes that only need patience come last, because something broken as well matters more.
    """
    causes_by_key: dict[tuple[str, str], Cause] = {}
    for rule in RULES:
        for cause in rule(facts):
            causes_by_key.setdefault((cause.id, cause.evidence), cause)
    causes = list(causes_by_key.values())
    # What clients see does not explain that a Deployment asks for fewer pods.
    if all(cause.subject == "the endpoint" for cause in causes):
        missing = [cause for cause in pods.missing(facts) if not causes or cause.id == "scaled-down"]
        causes = [*missing, *causes]
    return tuple(sorted(causes, key=lambda cause: cause.waits))
