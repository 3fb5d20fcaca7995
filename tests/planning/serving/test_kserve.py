"""Under KServe a model keeps its plan, under the names that KServe gives to what it makes."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from llm_d_gke.planning.plan.routing import PathPlan
from llm_d_gke.planning.plan.serving import InferenceServicePlan
from llm_d_gke.planning.plan.stack import ModelPlan
from llm_d_gke.planning.routing.api_paths import API_PATHS, MODELS_LIST
from llm_d_gke.planning.routing.gateway import KSERVE_ROUTE, POOLS_ROUTE, ROUTE
from llm_d_gke.planning.serving.backends.kserve import child_name
from tests.stacks import plan_of

KSERVE, DIRECT = "kserve-single-replica-gpu", "gpu"


def model(stack: str, changes: dict[str, Any] | None = None) -> ModelPlan:
    [model_plan] = plan_of(stack, changes).models
    return model_plan


def service(changes: dict[str, Any] | None = None) -> InferenceServicePlan:
    service_plan = model(KSERVE, changes).inference_service
    assert service_plan is not None
    return service_plan


@pytest.mark.parametrize(
    ("parent", "suffix", "name"),
    [
        ("gemma-2b-it", "-inference-pool", "gemma-2b-it-inference-pool"),
        ("m" * 39, "-kserve-router-scheduler", "m" * 39 + "-kserve-router-scheduler"),
        # kmeta.ChildName of knative.dev/pkg: what fits of the name, its MD5, the suffix; 63 in all.
        ("m" * 40, "-kserve-router-scheduler", "mmmmmmm45a4f5c54b4efb2e8691ce2ac4020957-kserve-router-scheduler"),
    ],
)
def test_names_are_made_as_kserve_makes_them(parent: str, suffix: str, name: str) -> None:
    assert child_name(parent, suffix) == name
    assert len(name) <= 63


class TestWhatStays:
    """A client cannot tell which of both answers."""

    def test_the_engine_runs_with_the_same_arguments(self) -> None:
        direct, on_kserve = model(DIRECT).servers[0], model(KSERVE).servers[0]
        assert on_kserve.pod.args == direct.pod.args
        assert on_kserve.pod.command == direct.pod.command
        assert on_kserve.pod.image == direct.pod.image
        assert (on_kserve.pod.startup, on_kserve.start_up_seconds) == (direct.pod.startup, direct.start_up_seconds)

    def test_the_picker_scores_with_the_same_weights(self) -> None:
        changes = {"picker.scorers": {"queue": 7}}
        assert model(KSERVE, changes).picker.config == model(DIRECT, changes).picker.config

    def test_the_verdict_is_the_same(self) -> None:
        direct, on_kserve = plan_of(DIRECT), plan_of(KSERVE)
        assert on_kserve.models[0].servers[0].memory == direct.models[0].servers[0].memory
        assert on_kserve.cost == direct.cost

    def test_the_gateway_is_the_same(self) -> None:
        direct, on_kserve = plan_of(DIRECT), plan_of(KSERVE)
        assert on_kserve.gateway.name == direct.gateway.name
        names = [{route.name for route in plan.routes} for plan in (direct, on_kserve)]
        assert names == [{ROUTE, POOLS_ROUTE}, {ROUTE, KSERVE_ROUTE}]


class TestWhatDiffers:
    def test_no_object_of_one_deployment_has_a_name_of_the_other(self) -> None:
        """Switching creates the new objects before it deletes the old: with one name the new one would be deleted."""
        changes = {"gateway.exposure": "internal", "gateway.directLoadBalancer": True}
        direct, on_kserve = model(DIRECT, changes), model(KSERVE, changes)

        def named(plan: ModelPlan) -> set[str | None]:
            server = plan.servers[0]
            return {plan.pool.name, plan.picker.name, server.name, server.service_account, server.direct_service}

        assert named(direct) & named(on_kserve) == set()

    def test_the_picker_runs_its_own_binary(self) -> None:
        """The preset's command starts the binary of the preset's image, with different flags."""
        assert model(KSERVE, {"release": "gaie-1.5"}).picker.pod.command == ("/epp",)
        assert model(KSERVE, {"release": "llm-d-0.9"}).picker.pod.command == ("/app/epp",)
        arguments = model(KSERVE).picker.pod.args
        assert "--pool-name=gemma-2b-it-inference-pool" in arguments
        assert not any(argument.startswith("--config") for argument in arguments)

    def test_pods_have_no_label_that_kserve_selects_by(self) -> None:
        labels = model(KSERVE).servers[0].pod.labels
        assert labels.items() >= model(KSERVE).servers[0].selector.items()
        assert not {"app.kubernetes.io/name", "app.kubernetes.io/component", "llm-d.ai/role"} & set(labels)

    def test_downloads_go_where_there_is_a_limit(self) -> None:
        [cache] = [variable.value for variable in model(KSERVE).servers[0].pod.env if variable.name == "HF_HUB_CACHE"]
        mounts = {volume.mount_path: volume.source for volume in model(KSERVE).servers[0].pod.volumes}
        [source] = [source for path, source in mounts.items() if str(cache).startswith(f"{path}/")]
        assert "sizeLimit" in source

    def test_a_model_also_answers_below_its_path(self) -> None:
        plan = plan_of(KSERVE, {"namespace.name": "models"})
        assert plan.models[0].inference_service is not None
        assert plan.models[0].inference_service.path == "/models/gemma-2b-it"
        [below], [api] = (route.rules for route in plan.routes)
        assert below.paths == (PathPlan(value="/models/gemma-2b-it/v1", prefix=True),)
        assert (below.rewrite, below.pools) == ("/v1", (("gemma-2b-it-inference-pool", 1),))
        assert (api.paths, api.rewrite, api.pools) == ((*API_PATHS, *MODELS_LIST), None, below.pools)


@pytest.mark.parametrize(
    ("source", "uri"),
    [
        ({"kind": "hugging-face"}, "hf://google/gemma-2b-it"),
        ({"kind": "bucket", "bucket": "weights", "path": "/gemma/"}, "gs://weights/gemma"),
        ({"kind": "volume-claim", "claim": "models", "path": "gemma"}, "pvc://models/gemma"),
    ],
)
def test_the_uri_says_where_the_weights_are(source: dict[str, str], uri: str) -> None:
    assert service({"models[0].source": source}).uri == uri


def test_kserve_waits_for_a_route_of_its_own() -> None:
    plan = plan_of(KSERVE)
    assert plan.early_routes_to(plan.models[0].pool.name) == ("inference-kserve",)
    assert plan.early_routes_to("another-pool") == ()


class TestRedHat:
    CHANGES: ClassVar[dict[str, Any]] = {
        "release": "rhaiis-3.2",
        "registry": {"server": "registry.redhat.io", "username": "me", "password": "p"},
    }

    def test_its_images_run_under_their_own_command(self) -> None:
        direct, kserve = model(DIRECT, self.CHANGES).servers[0].pod, model(KSERVE, self.CHANGES).servers[0].pod
        assert direct.command == ()
        # Without one the preset would put another in its place.
        assert kserve.command == ("python3", "-m", "vllm.entrypoints.openai.api_server")
        assert direct.args[:2] == kserve.args[:2] == ("--model", "google/gemma-2b-it")

    def test_every_pod_has_red_hats_pull_secret(self) -> None:
        plan = plan_of(KSERVE, self.CHANGES)
        assert plan.pull_secret is not None
        assert plan.pull_secret.name == "redhat-pull-secret"
        assert {plan.models[0].servers[0].pod.pull_secret, plan.models[0].picker.pod.pull_secret} == {
            "redhat-pull-secret"
        }
