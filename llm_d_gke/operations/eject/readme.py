"""The instructions in the folder of an ejected stack."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from llm_d_gke.operations.eject.google import CloudCommands
from llm_d_gke.operations.eject.steps import Step, variables, waits
from llm_d_gke.operations.templates import render
from llm_d_gke.planning import StackPlan


def readme(plan: StackPlan, cloud: Sequence[CloudCommands], steps: Sequence[Step]) -> str:
    """The text of README.md."""
    text = render(
        Path(__file__).with_name("readme.md.jinja"),
        plan=plan,
        steps=steps,
        names=[name for step in steps for name in variables(step)],
        commands=sum(len(item.commands) for item in cloud),
        created=_created,
        awaited=_awaited,
    )
    return f"{text}\n"


def _created(step: Step) -> list[str]:
    kinds: dict[str, int] = {}
    for _, body in step.objects:
        kinds[str(body["kind"])] = kinds.get(str(body["kind"]), 0) + 1
    created = [kind if number == 1 else f"{number} x {kind}" for kind, number in sorted(kinds.items())]
    created += [f"Secret {secret.name}" for secret in step.secrets]
    return created + [f"chart {release.inputs['name']} {release.inputs['version']}" for release in step.releases]


def _awaited(step: Step) -> list[str]:
    awaited = []
    for words in waits(step):
        condition = next((word.removeprefix("--for=") for word in words if word.startswith("--for=")), "rollout")
        object_name = words[3] if words[1] == "rollout" else words[2]
        awaited.append(f"{object_name} ({condition})".replace("|", "\\|"))
    return awaited + [f"chart {release.inputs['name']}" for release in step.releases]
