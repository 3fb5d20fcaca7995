"""Stacks that go through patterns and both ways to deploy: each step is one `up`, and the address stays."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from .project import STACKS, Project, chat, eventually

pytestmark = pytest.mark.rehearsal

# Stack files in the order in which the stack takes them. The address stays from the first to the last.
TOURS = {
    "gpu": ("gpu", "kserve-single-replica-gpu", "kserve-prefix-cache-gpu", "mixture-of-experts-gpu"),
    "gpu-istio": ("kserve-istio-single-replica-gpu", "kserve-istio-prefix-cache-gpu"),
    "tpu": ("tpu", "multi-model-tpu", "prefix-cache-tpu"),
    "tpu-roles": ("disaggregated-tpu",),
}
SECONDS = 240.0


def file_of(root: Path, stack: str) -> Path:
    """A stack's file: of the project's root, else of the examples."""
    name = f"Pulumi.{stack}.yaml"
    return root / name if stack in STACKS else root / "examples" / name


def check_answer(project: Project, stack: str, address: str, model: str, step: str) -> None:
    # A switch is over when the last route says so: until then the old one may answer, or nobody.
    eventually(lambda: chat(address, model).status_code == 200, f"{step}: {model} answers")
    answer = chat(address, model)
    assert answer.json()["model"] == model, step
    assert answer.headers["x-inference-pod"] in {pod["metadata"]["name"] for pod in project.model_servers(stack)}, step


@pytest.mark.parametrize(
    ("stack", "steps"),
    [pytest.param("tpu" if tour.startswith("tpu") else "gpu", steps, id=tour) for tour, steps in TOURS.items()],
)
def test_each_step_of_a_tour_answers(fresh: Project, stack: str, steps: tuple[str, ...]) -> None:
    texts = {step: file_of(fresh.root, step).read_text(encoding="utf-8") for step in steps}
    addresses = set()
    for step in steps:
        file_of(fresh.root, stack).write_text(texts[step], encoding="utf-8")
        fresh.run("up", stack, seconds=SECONDS)
        address = fresh.run("endpoint", stack).strip()
        addresses.add(address)
        for model in yaml.safe_load(texts[step])["config"]["llm-d:models"]:
            check_answer(fresh, stack, address, model["id"], step)
    assert len(addresses) == 1
    fresh.run("down", stack, seconds=SECONDS)
    assert fresh.leftovers(stack) == []
