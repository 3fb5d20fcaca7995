"""Explanations of fields of every rendered object are complete and correct."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NoReturn

import pytest

from llm_d_gke.catalog import load
from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.operations.explain import command
from llm_d_gke.operations.explain.alternatives import alternatives
from llm_d_gke.operations.explain.command import format_explanation, stack_input_of
from llm_d_gke.operations.explain.explanation import Explainer, Explanation
from llm_d_gke.operations.explain.fields import FieldError, FieldPath, parse
from llm_d_gke.operations.explain.inputs import StackInput, inputs, plan_with
from llm_d_gke.stackfile.model_files import ModelFile

CONFIGS = Path(__file__).parents[2] / "catalog" / "configs"

SERVER = "Deployment/gemma-2b-it-vllm"
CONTAINER = f"{SERVER} spec.template.spec.containers[0]"


@pytest.fixture(scope="module")
def explainer() -> Explainer:
    """Shared: what is planned and built for one field serves the next."""
    return Explainer(stack_input_of("gpu"))


@pytest.fixture(scope="module")
def explained(explainer: Explainer) -> Callable[[str], Explanation]:
    """The explanation of a field, computed once."""
    return functools.cache(explainer.explain)


def names(explanation: Explanation, *, absent: bool = False) -> set[str]:
    """The inputs that change the field's value, or (`absent`) decide whether it exists."""
    return {
        origin.origin.name.removeprefix("llm-d:")
        for origin in explanation.origins
        if (origin.becomes == "(absent)") is absent
    }


@pytest.mark.parametrize(
    ("field", "among", "never"),
    [
        (
            f"{CONTAINER}.args",
            {
                *("models[0].id", "models[0].maxModelLen", "models[0].dtype", "models[0].gpuMemoryUtilization"),
                *("models[0].servedName", "models[0].extraArgs", "models[0].tensorParallel"),
                # The picker's weight for prefix matches switches the engine's cache.
                *("picker.scorers.prefixCache", "llm_d_gke/catalog/models.yaml google/gemma-2b-it revision"),
            },
            {"paused", "models[0].replicas", "gateway.timeoutSeconds", "models[0].image", "location"},
        ),
        (
            f"{CONTAINER}.image",
            {
                "models[0].image",
                "release",
                "llm_d_gke/catalog/releases.yaml llm-d-0.9 engine.gpu.image",
                "accelerator.type",
            },
            {"models[0].id", "models[0].maxModelLen"},
        ),
        (f"{SERVER} spec.replicas", {"models[0].replicas", "paused"}, {"models[0].maxModelLen", "release"}),
        (
            "NodePool/accelerator-0 nodeConfig.machineType",
            {"accelerator.type", "accelerator.machineType"},
            {"location", "models[0].replicas"},
        ),
        ("Subnetwork/proxies ipCidrRange", {"network.proxyCidr"}, {"network.nodeCidr", "location"}),
        (
            "Gateway/inference-gateway spec.gatewayClassName",
            {"gateway.exposure"},
            {"gateway.timeoutSeconds"},
        ),
        ("Service/gemma-2b-it-epp metadata.namespace", {"namespace.name"}, {"models[0].id", "location"}),
        (f"{SERVER} apiVersion", set(), {"models[0].id", "release", "location", "namespace.name"}),
    ],
)
def test_a_field_comes_from(
    explained: Callable[[str], Explanation], field: str, among: set[str], never: set[str]
) -> None:
    explanation = explained(field)
    tested = names(explanation) | names(explanation, absent=True)
    assert among <= tested, field
    assert not never & tested, field
    assert explanation.component is not None
    assert explanation.component.startswith("llm_d_gke/components/")


def test_what_it_says_of_another_value_is_what_happens(explained: Callable[[str], Explanation]) -> None:
    explanation = explained(f"{SERVER} spec.replicas")
    paused = {origin.origin.name: origin.becomes for origin in explanation.origins}["llm-d:paused"]
    assert paused == 0
    assert explanation.planned == "models[0].servers[0].replicas"


def test_a_default_and_a_fact_are_told_as_such(explained: Callable[[str], Explanation]) -> None:
    text = "\n".join(format_explanation(explained(f"{CONTAINER}.args")))
    assert "llm-d:models[0].maxModelLen = 2048\n" in text
    assert "llm-d:picker.scorers.prefixCache = 3 (default)" in text
    assert "source: config.json on the Hub" in text
    assert "planned as models[0].servers[0].pod.arguments" in text or "planned as models[0].servers[0].pod.args" in text


@pytest.mark.parametrize(
    ("field", "among", "never", "planned"),
    [
        pytest.param(
            "outputs hourlyCost.running",
            {
                *("accelerator.type", "accelerator.provisioning", "models[0].replicas", "cpuPool.machineType"),
                "llm_d_gke/catalog/prices.yaml nvidia-tesla-t4 us-central1 on-demand hourly",
                "llm_d_gke/catalog/prices.yaml e2-standard-4 us-central1 on-demand hourly",
                "llm_d_gke/catalog/prices.yaml cluster usd",
                "llm_d_gke/catalog/engine.yaml metrics.series[server]",
            },
            {"paused", "models[0].dtype", "llm_d_gke/catalog/prices.yaml nvidia-tesla-t4 us-central1 spot hourly"},
            "cost.lines",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "outputs hourlyCost.parts.NAT",
            {"cluster.privateNodes", "llm_d_gke/catalog/prices.yaml nat-gateway usd"},
            {"accelerator.type", "llm_d_gke/catalog/prices.yaml cluster usd"},
            "cost.lines",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "outputs capacity[google/gemma-2b-it].kvCacheTokensPerReplica",
            {
                *("models[0].gpuMemoryUtilization", "models[0].dtype", "accelerator.type"),
                "llm_d_gke/catalog/models.yaml google/gemma-2b-it layers",
            },
            {"location", "models[0].replicas", "llm_d_gke/catalog/engine.yaml speed.constants.turing.bandwidth_share"},
            "models[0].servers[0].memory",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "outputs capacity[google/gemma-2b-it].estimate.millisecondsPerToken",
            {
                *("models[0].dtype", "models[0].load.concurrency", "accelerator.type"),
                "llm_d_gke/catalog/accelerators.yaml nvidia-tesla-t4 bandwidth_gbs",
                "llm_d_gke/catalog/engine.yaml speed.constants.turing.host_seconds",
            },
            {"location", "paused", "llm_d_gke/catalog/prices.yaml cluster usd"},
            "models[0].capacity",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "outputs models[0]",
            {"models[0].servedName", "models[0].id"},
            {"location"},
            "models[0].served_name",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_an_output_comes_from(
    explained: Callable[[str], Explanation], field: str, among: set[str], never: set[str], planned: str
) -> None:
    explanation = explained(field)
    tested = names(explanation) | names(explanation, absent=True)
    assert among <= tested, field
    assert not never & tested, field
    assert explanation.component is not None
    assert explanation.component.startswith("llm_d_gke/components/outputs.py:")
    # One of the origins may replace a larger part, such as all servers of a model.
    assert explanation.planned is not None
    assert planned.startswith(explanation.planned)


@pytest.mark.slow
def test_an_outputs_fact_has_the_source_of_its_own_part(explained: Callable[[str], Explanation]) -> None:
    text = "\n".join(
        format_explanation(explained("outputs capacity[google/gemma-2b-it].estimate.millisecondsPerToken"))
    )
    (fact,) = re.findall(r"engine.yaml speed.constants.turing.bandwidth_share = .*\n.*\n +source: (.*)", text)
    assert fact.startswith("measurements published with the llm-d guides for GKE")
    text = "\n".join(format_explanation(explained("outputs hourlyCost.running")))
    assert re.search(
        r"prices.yaml nat-gateway usd = 0.0448\n +with .*\n +source: github.com/Cyclenerd/\S+ .*\(2026-", text
    )


def test_a_models_own_configuration_is_a_fact() -> None:
    """Its memory, and what follows from it, come from the file; without it nothing would be known of the model."""
    config = json.loads((CONFIGS / "google--gemma-2b-it.json").read_text(encoding="utf-8"))
    given_world = stack_input_of("gpu")
    (model,) = given_world.values["models"]
    values = {**given_world.values, "models": [{**model, "id": "mine/gemma", "config": "mine.json"}]}
    files = {"mine/gemma": ModelFile(config=config)}
    stack_input = StackInput(stack="gpu", values=values, encrypted=given_world.encrypted, files=files)
    plan = stack_input.plan()
    assert plan is not None
    assert plan.models[0].servers[0].memory is not None
    facts = [
        candidate for candidate in inputs(stack_input) if candidate.origin.name.startswith("mine.json mine/gemma ")
    ]
    assert {fact.origin.source for fact in facts} == {"the stack file's config: mine.json"}
    (layers,) = [fact for fact in facts if fact.origin.name == "mine.json mine/gemma layers"]
    changed = plan_with(stack_input, layers.others[0][1])
    assert changed is not None
    assert changed.models[0].servers[0].memory != plan.models[0].servers[0].memory


def test_a_name_alone_leads_to_the_fields_that_have_it(explained: Callable[[str], Explanation]) -> None:
    with pytest.raises(FieldError, match=r"Fields of this name:(.|\n)*Deployment/gemma-2b-it-vllm spec.replicas"):
        explained("replicas")


def test_a_name_with_a_mistake_leads_to_the_fields_that_may_be_meant(explained: Callable[[str], Explanation]) -> None:
    with pytest.raises(FieldError, match=r"Fields of this name:(.|\n)*Deployment/gemma-2b-it-vllm spec.replicas"):
        explained("replica")


def test_a_word_that_is_no_field_is_answered_with_what_a_path_begins_with(
    explained: Callable[[str], Explanation],
) -> None:
    with pytest.raises(FieldError, match=r"There are outputs capacity, .*, Deployment/gemma-2b-it-vllm, "):
        explained("nonsense")


@pytest.mark.parametrize(
    ("field", "words"), [("nonsense", "'nonsense' is no path of a field: looking for"), (f"{SERVER} spec", "planning")]
)
def test_what_takes_seconds_is_said_before(
    field: str, words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def output_before(stack_input: StackInput) -> NoReturn:
        raise FieldError(f"after {capsys.readouterr().err}")

    monkeypatch.setattr(command, "Explainer", output_before)
    with pytest.raises(FieldError, match=f"after {words}"):
        command.print_explanation("gpu", field, {})


def test_a_constant_is_called_one(explained: Callable[[str], Explanation]) -> None:
    text = "\n".join(format_explanation(explained(f"{SERVER} apiVersion")))
    assert "it is a constant of the code named above" in text


def _leaves(body: object, parts: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path of every leaf of an object."""
    items: Iterator[tuple[str | int, object]] | None = None
    if isinstance(body, Mapping):
        items = iter(body.items())
    elif isinstance(body, list):
        items = iter(enumerate(body))
    if items is None or not body:
        yield parts
        return
    for key, item in items:
        yield from _leaves(item, (*parts, key))


def test_every_field_of_every_object_has_an_explanation(explainer: Explainer) -> None:
    """Everything but the origins, which cost a plan each: the object is found, its maker too, and the path is read back
    as it was written."""
    count = 0
    for (kind, name), (resource, body) in explainer.objects.items():
        assert resource.source is not None
        for parts in _leaves(body):
            path = FieldPath(kind, name, parts)
            assert parse(str(path)) == path
            count += 1
    assert count > 500


def test_no_secret_is_told() -> None:
    tokens = [
        candidate for candidate in inputs(stack_input_of("gpu")) if candidate.origin.name == "llm-d:huggingFace.token"
    ]
    assert [token.origin.value for token in tokens] == ["(hidden)"]


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("spec.replicas", "write Kind/name path"),
        ("Deployment/nobody spec.replicas", "there are Deployment/gemma-2b-it-epp, Deployment/gemma-2b-it-vllm"),
        ("Widget/x spec", "there are "),
        ("outputs hourlyCost.walking", "there is no 'walking'; there is currency, "),
        (f"{SERVER} spec.replica", "there is no 'replica'; there is "),
        (f"{SERVER} spec.template.spec.containers[7].image", "there is no 7; there is [0]"),
    ],
)
def test_a_field_that_is_not_there_is_refused_with_what_is(
    explained: Callable[[str], Explanation], field: str, message: str
) -> None:
    with pytest.raises(FieldError, match=message.replace("[", r"\[")):
        explained(field)


def test_alternatives_never_repeat_what_is_there() -> None:
    assert list(alternatives(bool, True)) == [False]
    assert list(alternatives(bool | None, None)) == [True, False]
    assert 3 not in list(alternatives(int, 3))


def test_no_catalog_entry_is_written_into() -> None:
    """Facts are changed in copies: the shared catalog stays as it was read."""
    stack_input = stack_input_of("gpu")
    before = [entry.model_dump_json() for entry in (*load().accelerators.values(), load_engine())]
    facts = [fact for fact in inputs(stack_input) if fact.origin.name.startswith("llm_d_gke/catalog/")]
    assert len(facts) > 50
    for fact in facts[:40]:
        for _, change in fact.others:
            plan_with(stack_input, change)
    assert [entry.model_dump_json() for entry in (*load().accelerators.values(), load_engine())] == before
