"""Routes let clients reach the API and nothing else of an engine."""

from __future__ import annotations

import pytest

from llm_d_gke import catalog
from llm_d_gke.planning.findings import Severity
from llm_d_gke.planning.plan.routing import PathPlan, RoutePlan
from llm_d_gke.planning.plan.stack import StackPlan
from llm_d_gke.planning.routing.api_paths import ADMINISTRATION, API_PATHS, FURTHER
from llm_d_gke.planning.routing.gateway import MAX_MATCHES, MAX_RULES, POOL_HEADER
from tests.planning.refusals.case import findings_of
from tests.stacks import plan_of


def reached(paths: tuple[PathPlan, ...], target: str) -> bool:
    """Whether a request to `target` matches, as Gateway API defines Exact and PathPrefix."""
    return any(
        target == path.value or (path.prefix and (target + "/").startswith(path.value.rstrip("/") + "/"))
        for path in paths
    )


def api_route(plan: StackPlan) -> RoutePlan:
    [route] = [route for route in plan.routes if not route.early]
    return route


@pytest.mark.parametrize("stack", ["gpu", "tpu", "prefix-cache-gpu", "disaggregated-gpu", "kserve-single-replica-gpu"])
@pytest.mark.parametrize("path", [*ADMINISTRATION, "/v1/audio/transcriptions", "/"])
def test_what_is_no_api_reaches_no_pool(stack: str, path: str) -> None:
    rules = [rule for route in plan_of(stack).routes for rule in route.rules if rule.pools]
    assert rules
    assert not any(reached(rule.paths, path) for rule in rules)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions", "/v1/models", "/v1/models/gemma-2b-it"])
def test_the_api_reaches_the_pool(path: str) -> None:
    plan = plan_of("gpu")
    assert [rule.pools for rule in api_route(plan).rules if reached(rule.paths, path)] == [
        ((plan.models[0].pool.name, 1),)
    ]


# The paths of the API that each release's picker takes: what its own source says, and what the pinned ones answered.
OPEN = {
    "llm-d-0.9": {"chat/completions", "completions", "responses", "messages", "embeddings"},
    "llm-d-0.6": {"chat/completions", "completions", "responses"},
    "gaie-1.5": {"chat/completions", "completions", "responses", "embeddings"},
    "llm-d-0.4": {"chat/completions", "completions"},
    "rhaiis-3.2": {"chat/completions", "completions", "responses", "embeddings"},
    "llm-d-0.10": {"chat/completions", "completions", "responses", "messages", "embeddings"},
    "rhaii-3.4": {"chat/completions", "completions", "responses", "embeddings"},
}


@pytest.mark.parametrize("release", catalog.load().releases)
def test_a_path_that_the_picker_does_not_take_is_closed(release: str) -> None:
    paths = api_route(plan_of("gpu", {"release": release, "registry.existingSecret": "pull"})).rules[0].paths
    assert {path.value for path in API_PATHS if reached(paths, path.value)} == {f"/v1/{name}" for name in OPEN[release]}


def test_below_the_path_of_a_model_nothing_ends_the_picker() -> None:
    """A prefix would open /v1/messages, and one answer from there ends the picker of llm-d-0.4."""
    plan = plan_of("kserve-single-replica-gpu", {"release": "llm-d-0.4"})
    [service] = [model.inference_service for model in plan.models]
    assert service is not None
    rules = [rule for route in plan.routes for rule in route.rules]
    paths = (*(path.value for path in API_PATHS), *FURTHER)
    opened = {path for rule in rules for path in paths if reached(rule.paths, path)}
    assert opened == {f"/v1/{name}" for name in OPEN["llm-d-0.4"]}
    below = {rule.rewrite: rule.paths for rule in rules if rule.rewrite is not None}
    assert below == {
        f"/v1/{name}": (PathPlan(value=f"{service.path}/v1/{name}", prefix=True),)
        for name in ("chat/completions", "completions", "models")
    }


def test_a_route_of_its_own_brings_each_pool_to_the_load_balancer() -> None:
    """It serves only the list of models, and only to requests that name the pool."""
    plan = plan_of("multi-model-gpu")
    [route] = [route for route in plan.routes if route.early]
    assert [(rule.header, rule.pools) for rule in route.rules] == [
        ((POOL_HEADER, model.pool.name), ((model.pool.name, 1),)) for model in plan.models
    ]
    assert {path for rule in route.rules for path in rule.paths} == {PathPlan(value="/v1/models")}


def test_the_stack_file_adds_paths() -> None:
    route = api_route(plan_of("gpu", {"gateway.paths": ["/v1/rerank", "/v2/*"]}))
    assert {PathPlan(value="/v1/rerank"), PathPlan(value="/v2/", prefix=True)} <= set(route.rules[0].paths)


@pytest.mark.parametrize("path", ["/metrics", "/health", "/*", "/v1/*", "/v1/load_lora_adapter"])
def test_a_path_that_opens_administration_is_refused_on_the_internet(path: str) -> None:
    for exposure, severity in (("external", Severity.ERROR), ("internal", Severity.WARNING)):
        changes = {"gateway.paths": [path], "gateway.exposure": exposure}
        [finding] = [finding for finding in findings_of("gpu", changes) if finding.id == "LLMD-ROUTE-ADMINISTRATION"]
        assert (finding.value, finding.severity) == (path, severity)


# More than a route has rules.
MODELS = [
    *(f"Qwen/Qwen2.5-{size}-Instruct" for size in ("0.5B", "1.5B", "3B", "7B")),
    *(f"Qwen/Qwen3-{size}" for size in ("0.6B", "1.7B", "4B", "4B-Instruct-2507")),
    *(f"google/{name}-it" for name in ("gemma-2b", "gemma-2-2b", "gemma-3-1b", "gemma-3-4b")),
    *(f"meta-llama/Llama-3.2-{size}-Instruct" for size in ("1B", "3B")),
    *(f"microsoft/Phi-{name}-instruct" for name in ("3-mini-4k", "4-mini")),
    "microsoft/phi-2",
]


@pytest.mark.parametrize("deployment", ["direct", "kserve"])
@pytest.mark.parametrize("paths", [0, 16])
def test_routes_keep_the_limits_of_the_gateway_api(deployment: str, paths: int) -> None:
    changes = {
        "deployment": deployment,
        "gateway.paths": [f"/extra/{number}" for number in range(paths)],
        "models": [{"id": name, "maxModelLen": 2048} for name in MODELS],
        "accelerator": {"type": "nvidia-l4", "nodes": {"min": 0, "max": len(MODELS) + 1}},
    }
    plan = plan_of("multi-model-gpu", changes)
    for route in plan.routes:
        assert len(route.rules) <= MAX_RULES
        assert sum(len(rule.paths) for rule in route.rules) <= MAX_MATCHES
    assert all(len(plan.early_routes_to(model.pool.name)) == 1 for model in plan.models)
