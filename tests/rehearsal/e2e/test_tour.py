"""Stacks that go through patterns and both ways to deploy: each step is one `up`, and the address stays."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from llm_d_gke.catalog.reading import parse_yaml
from llm_d_gke.google_types import CLUSTER, NETWORK
from llm_d_gke.rehearsal.providers.gcp.store import MARKS, CloudStore
from llm_d_gke.stackfile import PROJECT_ROOT
from tests.stacks import existing_cluster
from tests.waiting import eventually

from . import group_stacks, scaling, test_disaggregated, test_multi_model, test_prefix_cache
from .project import STACKS, Project, chat

pytestmark = pytest.mark.rehearsal

# The stack of a tour, and stack files in the order in which it takes them, all where the first one is. A cluster and
# KServe are installed once for many examples. The address stays from the first to the last.
TOURS = {
    "gke": (
        "gpu",
        *("gpu", "kserve-single-replica-gpu", "kserve-prefix-cache-gpu"),
        # The pool has room for the next servers beside those of one replica only.
        *("kserve-prefix-cache-tpu", "kserve-single-replica-tpu"),
        *("kserve-disaggregated-tpu", "disaggregated-tpu"),
    ),
    "istio": (
        "gpu",
        *("kserve-istio-single-replica-gpu", "kserve-istio-prefix-cache-gpu"),
        *("kserve-istio-single-replica-tpu", "kserve-istio-prefix-cache-tpu"),
    ),
    "experts": ("gpu", "compute-class-gpu", "mixture-of-experts-gpu"),
    "existing": ("tpu", "prefix-cache-tpu", "multi-model-tpu"),
    "autopilot": ("gpu", "autopilot-gpu"),
}
# This tour is one of a stack in a cluster and a network that it did not create.
IN_EXISTING_CLUSTER = "existing"
# These take minutes, and `make test` has to end in fifteen on two cores.
SLOW = ("gke", "istio", "experts", "existing", "autopilot")
# The step that leaves KServe, whose chart takes its kinds along: refused unless acknowledged.
WITHOUT_KSERVE = "disaggregated-tpu"
DELETES = "LLMD-PREFLIGHT-DELETES"


def file_of(root: Path, stack: str) -> Path:
    """A stack's file: of the project's root, else of the examples."""
    name = f"Pulumi.{stack}.yaml"
    return root / name if stack in STACKS else root / "examples" / name


def check_answer(project: Project, stack: str, address: str, model: str, step: str) -> None:
    def is_answered() -> bool:
        answer = chat(address, model)
        if answer.status_code != 200:
            return False
        assert answer.json()["model"] == model, step
        return answer.headers["x-inference-pod"] in {
            model_server["metadata"]["name"] for model_server in project.model_servers(stack)
        }

    # A switch is over when the last route and the last old pod say so, which is after KServe does: until then one that
    # leaves may answer, or none.
    eventually(is_answered, f"{step}: {model} answers from a pod that stays")


def test_every_example_is_brought_up_by_some_test() -> None:
    shipped = {file.name.split(".")[1] for file in (PROJECT_ROOT / "examples").glob("Pulumi.*.yaml")}
    elsewhere = {
        *group_stacks.MODELS,
        test_disaggregated.STACK,
        test_disaggregated.KSERVE,
        test_multi_model.STACK,
        test_prefix_cache.STACK,
        scaling.STACK,
    }
    assert shipped - elsewhere - {step for _, *steps in TOURS.values() for step in steps} == set()


def placed(text: str, first: str) -> str:
    """A stack file at the location and in the network of another."""
    document, other = parse_yaml(text), parse_yaml(first)
    for key in ("llm-d:location", "llm-d:network"):
        document["config"].pop(key, None)
        if key in other["config"]:
            document["config"][key] = other["config"][key]
    return yaml.safe_dump(document)


def in_existing_cluster(text: str) -> str:
    """A stack file with its cluster and network named as existing."""
    document = parse_yaml(text)
    for path, value in existing_cluster().items():
        section = f"llm-d:{path.partition('.')[0]}"
        document["config"][section] = {**document["config"].get(section, {}), "existing": value}
    return yaml.safe_dump(document)


def acknowledging(text: str, finding: str) -> str:
    """A stack file that acknowledges one more finding."""
    document = parse_yaml(text)
    document["config"].setdefault("llm-d:acknowledge", []).append({"id": finding, "reason": "a test"})
    return yaml.safe_dump(document)


@pytest.mark.parametrize("tour", [pytest.param(tour, marks=[pytest.mark.slow] * (tour in SLOW)) for tour in TOURS])
def test_each_step_of_a_tour_answers(fresh: Project, tour: str) -> None:
    stack, *steps = TOURS[tour]
    texts = {step: file_of(fresh.root, step).read_text(encoding="utf-8") for step in steps}
    texts = {step: placed(text, texts[steps[0]]) for step, text in texts.items()}
    if tour == IN_EXISTING_CLUSTER:
        texts = {step: in_existing_cluster(text) for step, text in texts.items()}
    addresses = set()
    for step in steps:
        file_of(fresh.root, stack).write_text(texts[step], encoding="utf-8")
        if step == WITHOUT_KSERVE:
            assert DELETES in fresh.run("up", stack, code=2)
            file_of(fresh.root, stack).write_text(acknowledging(texts[step], DELETES), encoding="utf-8")
        fresh.run("up", stack)
        address = fresh.endpoint(stack)
        addresses.add(address)
        for model in parse_yaml(texts[step])["config"]["llm-d:models"]:
            check_answer(fresh, stack, address, model["id"], step)
    assert len(addresses) == 1
    created = CloudStore(fresh.paths(stack).cloud).read()["resources"]
    for kind in (NETWORK, CLUSTER):
        [(identifier, record)] = created[kind].items()
        assert (identifier.endswith("/shared"), "existing" in record[MARKS]["urn"]) == (
            tour == IN_EXISTING_CLUSTER,
        ) * 2
    fresh.run("down", stack)
    assert fresh.leftovers(stack) == []
