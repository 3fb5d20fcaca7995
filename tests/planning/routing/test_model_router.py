"""The model router by release, adapters as the engine takes them, and the answers of the index."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_d_gke.planning.plan.routing import ModelsEndpointPlan, RouterPlan
from tests.stacks import plan_of

STACK = "multi-model-gpu"
GEMMA, PHI = "google/gemma-2b-it", "microsoft/Phi-3-mini-4k-instruct"
LORA = {"name": "sql", "source": "somebody/sql-lora"}


def router(release: str) -> RouterPlan:
    router_plan = plan_of(STACK, {"release": release}).router
    assert router_plan is not None
    return router_plan


class TestRouter:
    @pytest.mark.parametrize(
        ("release", "image"),
        [
            ("llm-d-0.9", "ghcr.io/llm-d/llm-d-inference-payload-processor:v0.1.0"),
            ("gaie-1.5", "registry.k8s.io/gateway-api-inference-extension/bbr:v1.5.0"),
            # v1.3 is the first that names the base model.
            ("llm-d-0.4", "registry.k8s.io/gateway-api-inference-extension/bbr:v1.3.1"),
        ],
    )
    def test_the_release_decides_the_image(self, release: str, image: str) -> None:
        assert router(release).pod.image == image

    def test_plugins_as_flags(self) -> None:
        args = router("gaie-1.5").pod.args
        plugins = [args[place + 1] for place, word in enumerate(args) if word == "--plugin"]
        assert plugins == [
            'body-field-to-header:model-extractor:{"fieldName":"model","headerName":"X-Gateway-Model-Name"}',
            "base-model-to-header:base-model-mapper",
        ]
        assert {"--streaming", "--tracing=false"} <= set(args)

    def test_plugins_in_a_file(self) -> None:
        plan = router("llm-d-0.9")
        assert plan.config is not None
        [profile] = plan.config["profiles"]
        listed = [plugin["name"] for plugin in plan.config["plugins"]]
        assert [ref["pluginRef"] for ref in profile["plugins"]["request"]] == listed
        assert f"--config-file={plan.pod.volumes[0].mount_path}/{plan.config_file}" in plan.pod.args
        # That release always streams and no longer has the flag.
        assert "--streaming" not in plan.pod.args

    def test_plugins_that_are_built_in_are_not_asked_for(self) -> None:
        plan = router("llm-d-0.4")
        assert plan.config is None
        assert not {"--plugin", "--tracing=false"} & set(plan.pod.args)

    @pytest.mark.parametrize(("mode", "opened"), [(None, False), ("close", False), ("open", True)])
    def test_what_happens_without_a_router_is_a_setting(self, mode: str | None, opened: bool) -> None:
        """Unread requests all go to the models endpoint: by default 500 is better than 404."""
        plan = plan_of(STACK, {"router.failureMode": mode}).router
        assert plan is not None
        assert plan.callout.fail_open is opened

    def test_a_paused_stack_keeps_router_and_index(self) -> None:
        plan = plan_of(STACK, {"paused": True})
        assert plan.router is not None
        assert plan.models_endpoint is not None
        assert (plan.router.replicas, plan.models_endpoint.replicas) == (2, 1)
        assert {model.servers[0].replicas for model in plan.models} == {0}


class TestAdapters:
    def args(self, *adapters: dict[str, Any]) -> tuple[str, ...]:
        return plan_of("gpu", {"models[0].adapters": list(adapters)}).models[0].servers[0].pod.args

    def test_the_engine_loads_them_on_top_of_their_base(self) -> None:
        args = self.args(LORA, {"name": "de", "source": "somebody/german-lora"})
        start = args.index("--enable-lora")
        assert args[start + 1 : start + 4] == ("--max-loras", "2", "--lora-modules")
        assert [json.loads(text) for text in args[start + 4 : start + 6]] == [
            {"name": "sql", "path": "somebody/sql-lora", "base_model_name": GEMMA},
            {"name": "de", "path": "somebody/german-lora", "base_model_name": GEMMA},
        ]
        assert args[start + 6].startswith("--")

    def test_a_larger_rank_is_said(self) -> None:
        args = self.args(LORA, {**LORA, "name": "large", "rank": 64})
        assert args[args.index("--max-lora-rank") + 1] == "64"
        assert "--max-lora-rank" not in self.args(LORA)

    def test_no_more_slots_than_eight(self) -> None:
        args = self.args(*({**LORA, "name": f"sql-{number}"} for number in range(12)))
        assert args[args.index("--max-loras") + 1] == "8"

    def test_aliases_come_after_the_name_that_answers_carry(self) -> None:
        args = plan_of("gpu", {"models[0].aliases": ["a", "b"]}).models[0].servers[0].pod.args
        start = args.index("--served-model-name")
        assert args[start + 1 : start + 4] == (GEMMA, "a", "b")


class TestIndex:
    def index(self, changes: dict[str, Any] | None = None) -> ModelsEndpointPlan:
        endpoint = plan_of(STACK, changes).models_endpoint
        assert endpoint is not None
        return endpoint

    def routes(self, changes: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        args = self.index(changes).pod.args
        config = json.loads(args[args.index("--config-yaml") + 1].replace("$$", "$"))
        [listener] = config["static_resources"]["listeners"]
        assert listener["address"]["socket_address"]["port_value"] == self.index(changes).port
        manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
        [host] = manager["route_config"]["virtual_hosts"]
        return list(host["routes"])

    def answer(self, path: str, changes: dict[str, Any] | None = None) -> tuple[int, Any]:
        [route] = [route for route in self.routes(changes) if route["match"].get("path") == path]
        response = route["direct_response"]
        return response["status"], json.loads(response["body"]["inline_string"])

    def test_health(self) -> None:
        assert self.answer("/health") == (200, {"status": "ok"})

    def test_adapters_name_their_base(self) -> None:
        status, answer = self.answer("/v1/models", {"models[1].adapters": [LORA]})
        assert status == 200
        assert {card["id"]: card["parent"] for card in answer["data"]} == {GEMMA: None, PHI: None, "sql": PHI}

    def test_an_alias_is_the_model_itself(self) -> None:
        """vLLM lists each served name with the weights as root; a parent tells adapters from models."""
        _, answer = self.answer("/v1/models", {"models[1].adapters": [LORA], "models[1].aliases": ["small"]})
        cards = {card["id"]: (card["root"], card["parent"]) for card in answer["data"]}
        assert cards["small"] == cards[PHI] == (PHI, None)
        assert cards["sql"][1] == PHI

    def test_each_model_by_its_name(self) -> None:
        assert self.answer(f"/v1/models/{PHI}")[1]["id"] == PHI

    def test_everything_else_is_not_found_and_says_what_there_is(self) -> None:
        last = self.routes()[-1]
        body = json.loads(last["direct_response"]["body"]["inline_string"])
        assert (last["match"], last["direct_response"]["status"]) == ({"prefix": "/"}, 404)
        assert body["models"] == [GEMMA, PHI]
        assert (body["error"]["code"], body["error"]["param"]) == ("model_not_found", "model")

    def test_every_answer_is_json(self) -> None:
        headers = [route["response_headers_to_add"][0]["header"] for route in self.routes()]
        assert headers == [{"key": "content-type", "value": "application/json"}] * len(headers)

    def test_a_name_with_a_dollar_reaches_envoy_as_it_is(self) -> None:
        """Kubernetes would read `$(NAME)` in an argument as a variable. Such a name has to be acknowledged."""
        named = {
            "models[0].servedName": "a$(HOME)",
            "acknowledge": [
                {"id": name, "reason": "a test"} for name in ("LLMD-SETTING-PLACEHOLDER", "LLMD-GATEWAY-OPEN")
            ],
        }
        args = self.index(named).pod.args
        assert "a$$(HOME)" in args[args.index("--config-yaml") + 1]
        assert self.answer("/v1/models/a$(HOME)", named)[0] == 200
