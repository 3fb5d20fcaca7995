"""docs/causes.md: what `diagnose` recognizes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from llm_d_gke.cli.markdown import table
from llm_d_gke.operations.diagnose.messages import Message, Origin, messages, states
from llm_d_gke.stackfile import PROJECT_ROOT

PAGE = PROJECT_ROOT / "docs" / "causes.md"
_TITLES: dict[Origin, str] = {
    "scheduler": "Pods that no node takes: the scheduler",
    "autoscaler": "Pods that no node takes: the autoscaler",
    "admission": "Pods that are not created",
    "image": "Images that are not pulled",
    "start": "Containers that are not created",
    "mount": "Volumes that are not mounted",
    "pod": "Pods that their node refuses or ends",
    "engine": "Engines that end",
    "picker": "Endpoint pickers that end",
    "gateway": "Gateways and routes",
    "endpoint": "Answers of the endpoint",
    "scaling": "Replicas that do not follow the load",
}
_INTRODUCTION = """\
# Causes

What `make diagnose` recognizes by its words: the message, what it means, what to do, and where the message is from.
At the end is what shows without words: a node that is coming, a start that takes longer than its probe, KServe's
conditions. Written by `python -m llm_d_gke.maintenance.reference causes` from
`llm_d_gke/operations/diagnose/messages.yaml` and `llm_d_gke/operations/diagnose/states.yaml`.

`tests/rehearsal/e2e/test_causes.py` (`make test-slow`) breaks one rehearsed stack in most of these ways, one after
the other, and lists what other tests provoke: words of real pickers, of the real scheduler, of KEDA, of Envoy and of
Google's load balancer. The API server and the simulated kubelet say their own words. A process
that stands for the engine or a picker prints the line and ends. What only a container runtime, a driver of volumes,
GKE's autoscaler, GKE's Gateway controller or GKE Warden says is written into the status, the event or the policy where
it would stand.
"""


def page() -> str:
    """All messages as Markdown, by where they are read."""
    lines = [_INTRODUCTION]
    for origin, title in _TITLES.items():
        lines.append(f"## {title}\n")
        for name, message in messages().items():
            if message.origin == origin:
                lines += _section(name, message)
    lines += ["## States of objects\n", *table(("cause", "what it means", "what to do"), _states())]
    return "\n".join(lines).rstrip() + "\n"


def _states() -> Iterator[tuple[str, str, str]]:
    for name, state in states().items():
        yield f"`{name}`", re.sub(r"[{}]", "", state.cause), state.fix


def _section(name: str, message: Message) -> Iterator[str]:
    yield f"### {name}\n"
    yield f"```text\n{message.example}\n```\n"
    yield f"{message.cause} {message.fix}\n"
    numbers = ", ".join(str(number) for number in message.pitfalls)
    if numbers:
        yield f"- [pitfalls](pitfalls.md): {numbers}"
    source = f"<{message.source}>" if message.source.startswith("https://") else message.source
    yield f"- source: {source}\n"
