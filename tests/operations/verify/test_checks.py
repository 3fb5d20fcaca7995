"""Each check passes on a stack that keeps its promise, and fails on one that breaks it."""

from __future__ import annotations

import base64
import itertools
import os
import ssl
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trustme

from llm_d_gke.operations.verify import context
from llm_d_gke.operations.verify.checks import gateway, objects, patterns, replicas, requests
from llm_d_gke.operations.verify.result import Outcome, Result
from llm_d_gke.operations.verify.run import CRITERIA, check
from llm_d_gke.planning.routing.gateway import POOLS_ROUTE, ROUTE
from tests.stacks import plan_of

from .fake_stack import Answer, Body, Choose, FakeEngine, context_of

GPU, PREFIX, MULTI, ROLES = "gpu", "prefix-cache-gpu", "multi-model-gpu", "disaggregated-gpu"


def engines_of(**settings: Any) -> Callable[[Any], list[FakeEngine]]:
    """One engine for each replica of a plan; `settings` by the engine's number: `answer={1: "other"}`."""

    def build(plan: Any) -> list[FakeEngine]:
        engines: list[FakeEngine] = []
        for model in plan.models:
            for server in model.servers:
                for number in range(server.replicas):
                    own = {name: values[len(engines)] for name, values in settings.items() if len(engines) in values}
                    name = f"{server.name}-{number}"
                    engines.append(FakeEngine(name, model.served_name, dict(server.serving_selector), **own))
        prefills = [engine for engine in engines if "prefill" in engine.name]
        for number, engine in enumerate(engines):
            engine.prefills, engine.address = prefills, f"10.0.0.{number}"
        return engines

    return build


def by_model(engines: list[FakeEngine]) -> Choose:
    """In turn among the replicas of the model, as a load balancer without a picker."""
    turns = {
        name: itertools.cycle([engine for engine in engines if engine.model == name])
        for name in {e.model for e in engines}
    }

    def choose(body: Body) -> Answer:
        if body["model"] not in turns:
            names = sorted(turns)
            return 404, {"error": {"message": "no such model"}, "models": names}
        return next(turns[body["model"]]).reply(body)

    return choose


def by_beginning(engines: list[FakeEngine]) -> Choose:
    """Prompts with a common prefix go to one replica."""

    def choose(body: Body) -> Answer:
        place = sum(str(body["messages"][0]["content"])[:16].encode()) % len(engines)
        return engines[place].reply(body)

    return choose


def to_the_first(engines: list[FakeEngine]) -> Choose:
    return lambda body: engines[0].reply(body)


def always(status: int, text: str) -> Callable[[list[FakeEngine]], Choose]:
    return lambda _engines: lambda _body: (status, text)


class TestRequests:
    @pytest.mark.parametrize(
        "check",
        [
            requests.address_answers,
            requests.models_listed,
            requests.chat_answers,
            requests.completion_answers,
            requests.long_prompt,
            requests.too_long_prompt,
            requests.unknown_model,
        ],
    )
    def test_a_stack_that_answers_passes_and_one_behind_a_broken_route_does_not(
        self, check: Callable[[Any], Result]
    ) -> None:
        with context_of(GPU, engines_of(), by_model) as ctx:
            assert check(ctx).outcome is Outcome.PASSED, check(ctx)
        with context_of(GPU, engines_of(), always(503, "no healthy upstream"), lists=["other"]) as ctx:
            assert check(ctx).outcome is Outcome.FAILED

    @pytest.mark.parametrize(("word", "template"), [(1, 0), (1, 60), (2, 30), (5, 10)])
    def test_a_long_prompt_is_half_the_longest_request_for_every_tokenizer(self, word: int, template: int) -> None:
        with context_of(GPU, engines_of(word={0: word}, template={0: template}), by_model) as ctx:
            result = requests.long_prompt(ctx)
        assert result.outcome is Outcome.PASSED, result
        assert 2048 * 0.3 < int(result.evidence.split()[-2]) <= 2048 * 0.55

    def test_a_prompt_that_was_cut_is_found(self) -> None:
        def cut(engines: list[FakeEngine]) -> Choose:
            def choose(body: Body) -> Answer:
                status, document = engines[0].reply(body)
                document["usage"]["prompt_tokens"] = min(document["usage"]["prompt_tokens"], 200)
                return status, document

            return choose

        with context_of(GPU, engines_of(), cut) as ctx:
            assert "the engine counted 200 tokens" in requests.long_prompt(ctx).evidence

    def test_an_answer_under_another_name_fails(self) -> None:
        def renamed(_engines: list[FakeEngine]) -> Choose:
            document = {"model": "/mnt/models", "choices": [{"message": {"content": "x"}}], "usage": {}}
            return lambda _body: (200, document)

        with context_of(GPU, engines_of(), renamed) as ctx:
            assert "'/mnt/models'" in requests.chat_answers(ctx).evidence

    def test_a_stream_needs_events_text_and_an_end(self) -> None:
        piece = '{"choices": [{"delta": {"content": "Hi"}}]}'
        complete = f"data: {piece}\n\ndata: [DONE]\n\n"
        for text, outcome in (
            (complete, Outcome.PASSED),
            (complete.replace("data: [DONE]", ""), Outcome.FAILED),
            (complete.replace("Hi", ""), Outcome.FAILED),
        ):
            with context_of(GPU, engines_of(), always(200, text)) as ctx:
                assert requests.stream_answers(ctx).outcome is outcome, text

    def test_the_list_of_models_names_what_is_missing_and_what_is_too_much(self) -> None:
        with context_of(GPU, engines_of(), by_model, lists=["google/gemma-2b-it", "extra"]) as ctx:
            assert requests.models_listed(ctx).evidence == "has also extra"
        with context_of(GPU, engines_of(), by_model, lists=["extra"]) as ctx:
            assert requests.models_listed(ctx).evidence == "lacks google/gemma-2b-it; has also extra"

    def test_an_unknown_model_is_answered_with_every_name_where_there_are_several(self) -> None:
        with context_of(MULTI, engines_of(), by_model) as ctx:
            assert requests.unknown_model(ctx).outcome is Outcome.PASSED
        with context_of(MULTI, engines_of(), always(404, "fault filter abort")) as ctx:
            assert requests.unknown_model(ctx).outcome is Outcome.FAILED


class TestPatterns:
    def test_models_in_one_pool_are_told_from_models_with_their_own(self) -> None:
        with context_of(MULTI, engines_of(), by_model) as ctx:
            assert patterns.model_routing(ctx).evidence.startswith("20 of 20")

        def one_pool(engines: list[FakeEngine]) -> Choose:
            """Each request to the next engine, whichever model it names: half of them get a 404."""
            turn = itertools.cycle(engines)
            return lambda body: next(turn).reply(body)

        with context_of(MULTI, engines_of(), one_pool) as ctx:
            assert patterns.model_routing(ctx).outcome is Outcome.FAILED

    def test_a_prefix_that_stays_at_one_replica_passes(self) -> None:
        with context_of(PREFIX, engines_of(cached={0: 64, 1: 64, 2: 64}), by_beginning) as ctx:
            assert patterns.prefix_affinity(ctx).outcome is Outcome.PASSED

    def test_round_robin_fails_the_prefix_check(self) -> None:
        with context_of(PREFIX, engines_of(cached={0: 64, 1: 64, 2: 64}), by_model) as ctx:
            assert "went to one replica" in patterns.prefix_affinity(ctx).evidence

    def test_a_replica_that_caches_nothing_fails_it_too(self) -> None:
        with context_of(PREFIX, engines_of(), by_beginning) as ctx:
            assert "no prompt token came from a cache" in patterns.prefix_affinity(ctx).evidence

    def test_distinct_prompts_reach_every_replica(self) -> None:
        with context_of(PREFIX, engines_of(), by_model) as ctx:
            assert patterns.distinct_prompts_spread(ctx).outcome is Outcome.PASSED
        with context_of(PREFIX, engines_of(), to_the_first) as ctx:
            assert "2 of 3 replicas got no request" in patterns.distinct_prompts_spread(ctx).evidence

    def test_a_round_that_went_by_old_figures_is_asked_for_again(self) -> None:
        """Forty prompts between two looks of the picker all see the same queue as the shortest."""

        def one_after_the_other(engines: list[FakeEngine]) -> Choose:
            turn = iter([engine for engine in engines for _ in range(40)])
            return lambda body: next(turn).reply(body)

        with context_of(PREFIX, engines_of(), one_after_the_other) as ctx:
            result = patterns.distinct_prompts_spread(ctx)
            assert (result.outcome, result.evidence.split()[-1]) == (Outcome.PASSED, "40/40/40")

    def test_a_lasting_preference_is_found(self) -> None:
        def two_of_three(engines: list[FakeEngine]) -> Choose:
            first, second, third = engines
            turn = itertools.cycle([first, first, second, first, first, third])
            return lambda body: next(turn).reply(body)

        with context_of(PREFIX, engines_of(), two_of_three) as ctx:
            result = patterns.distinct_prompts_spread(ctx)
            assert result.outcome is Outcome.FAILED
            assert "one replica got more than 60 %" in result.evidence

    @pytest.mark.parametrize(
        ("threshold", "outcome"), [(100, Outcome.PASSED), (1, Outcome.FAILED), (9999, Outcome.FAILED)]
    )
    def test_only_long_prompts_are_prefilled_elsewhere(self, threshold: int, outcome: Outcome) -> None:
        def gateway(engines: list[FakeEngine]) -> Choose:
            decode, prefill = (
                next(engine for engine in engines if role in engine.name) for role in ("decode", "prefill")
            )

            def choose(body: Body) -> Answer:
                if len(body["messages"][0]["content"].split()) >= threshold:
                    prefill.reply(body)
                return decode.reply(body)

            return choose

        with context_of(ROLES, engines_of(limit=dict.fromkeys(range(9), 40960)), gateway) as ctx:
            assert patterns.prefill_elsewhere(ctx).outcome is outcome


class TestSameAnswer:
    def test_replicas_that_agree_pass(self) -> None:
        with context_of(PREFIX, engines_of(), by_model) as ctx:
            assert replicas.same_answer_everywhere(ctx).evidence.endswith("3 places, one answer")

    def test_a_replica_with_other_weights_is_named(self) -> None:
        with context_of(PREFIX, engines_of(answer={1: "one, two, tree"}), by_model) as ctx:
            result = replicas.same_answer_everywhere(ctx)
            odd = ctx.replicas(ctx.live.plan.models[0])[1].name
        assert result.outcome is Outcome.FAILED
        assert f"{odd} says 'one, two, tree'" in result.evidence

    @pytest.mark.parametrize(("source", "last"), [(GPU, 0), (PREFIX, 2)])
    def test_a_replica_that_refuses_is_named_whatever_the_others_say(self, source: Any, last: int) -> None:
        """Not taken for another answer, which an engine that writes random words would excuse."""
        with context_of(source, engines_of(limit={last: 0}), by_model) as ctx:
            result = replicas.same_answer_everywhere(ctx)
            refusing = ctx.replicas(ctx.live.plan.models[0])[last].name
        assert result.outcome is Outcome.FAILED
        assert f": {refusing} answers HTTP 400: " in result.evidence

    def test_every_pair_of_prefill_and_decode_is_compared(self) -> None:
        """The second prefill server computes another cache: both decode servers answer otherwise with it."""
        changes = {"models[0].replicas": 2, "models[0].prefill": {"replicas": 2}, "accelerator.nodes": {"max": 8}}
        plan = plan_of(ROLES, changes)
        names = [f"{server.name}-{number}" for server in plan.models[0].servers for number in range(server.replicas)]
        decodes, prefills = ([name for name in names if role in name] for role in ("decode", "prefill"))
        for wrong in (None, names.index(prefills[1])):
            answers = {} if wrong is None else {wrong: "one, two, tree"}
            with context_of(ROLES, engines_of(answer=answers), by_model, changes=changes) as ctx:
                result = replicas.same_answer_everywhere(ctx)
            if wrong is None:
                assert result.evidence.endswith("4 places, one answer")
                continue
            assert result.outcome is Outcome.FAILED
            pairs = ", ".join(f"{prefills[1]} + {decode}" for decode in decodes)
            assert f"but {pairs} says 'one, two, tree'" in result.evidence

    def test_one_replica_has_nothing_to_be_compared_with(self) -> None:
        with context_of(GPU, engines_of(), by_model) as ctx:
            assert replicas.same_answer_everywhere(ctx).outcome is Outcome.SKIPPED

    def test_engines_that_do_not_repeat_themselves_are_not_compared(self) -> None:
        class Random(FakeEngine):
            def reply(self, body: Body, headers: Any = None) -> Answer:
                self.answer = os.urandom(8).hex()
                return super().reply(body, headers)

        def engines(plan: Any) -> list[FakeEngine]:
            [server] = plan.models[0].servers
            return [Random(f"r{n}", plan.models[0].served_name, dict(server.serving_selector)) for n in range(3)]

        with context_of(PREFIX, engines, by_model) as ctx:
            assert replicas.same_answer_everywhere(ctx).outcome is Outcome.SKIPPED


class TestMetrics:
    def test_an_engine_without_vllms_metrics_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with context_of(GPU, engines_of(), by_model) as ctx:
            assert replicas.engine_metrics(ctx).outcome is Outcome.PASSED
            monkeypatch.setattr(FakeEngine, "metrics", "sglang:num_running_reqs 0\n")
            assert "no vllm:num_requests_running" in replicas.engine_metrics(ctx).evidence

    @pytest.mark.parametrize(
        ("guard", "outcome", "words"),
        [
            ("secret", Outcome.PASSED, "1 pod, 401 without a token"),
            ("", Outcome.FAILED, "HTTP 200 without a token"),
            ("another", Outcome.FAILED, "HTTP 401 with the collectors' token"),
        ],
    )
    def test_metrics_of_a_picker_are_for_the_collectors_token(self, guard: str, outcome: Outcome, words: str) -> None:
        picker = plan_of(GPU).models[0].picker
        secret = {"data": {"token": base64.b64encode(b"secret").decode()}}
        pod = FakeEngine("epp-0", "m", dict(picker.selector), token=guard)
        objects = {("Secret", str(picker.metrics_reader)): secret}
        with context_of(GPU, lambda _plan: [pod], by_model, objects=objects) as ctx:
            result = replicas.picker_metrics(ctx)
        assert (result.outcome, words in result.evidence) == (outcome, True), result
        with context_of(GPU, lambda _plan: [pod], by_model) as ctx:
            assert replicas.picker_metrics(ctx).outcome is Outcome.SKIPPED

    def test_a_scrape_of_a_port_that_no_pod_has_is_named(self) -> None:
        def scrape(port: str) -> dict[tuple[str, str], Any]:
            spec = {"selector": {"matchLabels": {"llm-d.ai/model": "gemma-2b-it"}}, "endpoints": [{"port": port}]}
            return {("PodMonitoring", "a"): {"metadata": {"name": "a"}, "spec": spec}}

        class WithPort(FakeEngine):
            @property
            def pod(self) -> Any:
                return super().pod | {"spec": {"containers": [{"ports": [{"name": "http"}]}]}}

        def engines(plan: Any) -> list[FakeEngine]:
            [server] = plan.models[0].servers
            return [WithPort("r", plan.models[0].served_name, dict(server.serving_selector))]

        with context_of(GPU, engines, by_model, objects=scrape("http")) as ctx:
            assert replicas.scrapes_select(ctx).outcome is Outcome.PASSED
        with context_of(GPU, engines, by_model, objects=scrape("metrics")) as ctx:
            assert replicas.scrapes_select(ctx).evidence == "a scrapes port metrics, pods have http"

    @pytest.mark.parametrize(
        ("paused", "evidence"), [(True, "1 PodMonitorings"), (False, "gemma-2b-it-vllm selects no pod")]
    )
    def test_no_pod_of_a_paused_stack_is_missing(self, paused: bool, evidence: str) -> None:
        name = "gemma-2b-it-vllm"
        spec = {"selector": {"matchLabels": {"llm-d.ai/model": "gemma-2b-it"}}, "endpoints": [{"port": "http"}]}
        objects = {("PodMonitoring", name): {"metadata": {"name": name}, "spec": spec}}
        with context_of(GPU, lambda _plan: [], by_model, changes={"paused": paused}, objects=objects) as ctx:
            assert replicas.scrapes_select(ctx).evidence == evidence


def condition(kind: str, status: str, message: str = "") -> dict[str, str]:
    return {"type": kind, "status": status, "message": message}


class TestObjects:
    def test_a_gateway_without_address_or_route_fails(self) -> None:
        def result_of(status: dict[str, Any]) -> Result:
            item = {("Gateway", "inference-gateway"): {"status": status}}
            with context_of(GPU, engines_of(), by_model, objects=item) as ctx:
                return gateway.gateway_programmed(ctx)

        programmed = {"conditions": [condition("Programmed", "True")]}
        complete = programmed | {"addresses": [{"value": "10.0.0.1"}], "listeners": [{"attachedRoutes": 2}]}
        assert result_of(complete).outcome is Outcome.PASSED
        assert result_of(complete | {"addresses": []}).outcome is Outcome.FAILED
        assert "0 routes are attached" in result_of(complete | {"listeners": [{"attachedRoutes": 0}]}).evidence
        unprogrammed = {"conditions": [condition("Programmed", "False", "no proxy-only subnet")]}
        assert "no proxy-only subnet" in result_of(unprogrammed).evidence

    def test_a_route_that_refers_to_nothing_fails(self) -> None:
        def result_of(status: str) -> Result:
            parent = {
                "parentRef": {"kind": "Gateway"},
                "conditions": [condition("Accepted", "True"), condition("ResolvedRefs", status, "pool not found")],
            }
            item = {("HTTPRoute", name): {"status": {"parents": [parent]}} for name in (ROUTE, POOLS_ROUTE)}
            with context_of(GPU, engines_of(), by_model, objects=item) as ctx:
                return gateway.routes_accepted(ctx)

        assert result_of("True").outcome is Outcome.PASSED
        assert "ResolvedRefs: pool not found" in result_of("False").evidence

    def test_ready_does_not_stand_for_the_conditions_of_an_inference_service(self) -> None:
        """KServe: Ready stays True while PresetsCombined is False."""
        stack = "kserve-single-replica-gpu"
        with context_of(stack, engines_of(), by_model) as ctx:
            service = ctx.live.plan.models[0].inference_service
            assert service is not None
        kinds = service.conditions

        def result_of(presets: str) -> Result:
            conditions = [condition(kind, presets if kind == "PresetsCombined" else "True") for kind in kinds]
            item = {"status": {"conditions": [*conditions, condition("Ready", "True")]}}
            with context_of(
                stack, engines_of(), by_model, objects={("LLMInferenceService", service.name): item}
            ) as ctx:
                return objects.inference_services(ctx)

        assert "PresetsCombined" in kinds
        assert result_of("True").outcome is Outcome.PASSED
        assert result_of("False").outcome is Outcome.FAILED

    def test_missing_and_changed_objects_are_named(self) -> None:
        planned = [{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"type": "ClusterIP"}}]
        live = planned[0] | {"spec": {"type": "LoadBalancer"}}
        for objects_present, sentence in (
            ({}, "Service/a does not exist"),
            ({("Service", "a"): live}, "Service/a spec.type is 'LoadBalancer', planned 'ClusterIP'"),
        ):
            with context_of(GPU, engines_of(), by_model, objects=objects_present, planned=planned) as ctx:
                assert objects.objects_as_planned(ctx).evidence == sentence
        with context_of(GPU, engines_of(), by_model, objects={("Service", "a"): planned[0]}, planned=planned) as ctx:
            assert objects.objects_as_planned(ctx).outcome is Outcome.PASSED

    def test_replicas_that_follow_the_load_may_be_any_number_within_the_limits(self) -> None:
        def complaint(count: int) -> bool:
            """Whether `count` servers are named as too few or too many. The picker has no pod here."""

            def engines(plan: Any) -> list[FakeEngine]:
                server = plan.models[0].servers[0]
                labels = dict(server.serving_selector)
                return [FakeEngine(f"{server.name}-{n}", "m", labels) for n in range(count)]

            with context_of("autoscaled-gpu", engines, lambda _engines: lambda _body: (503, {})) as ctx:
                server = ctx.live.plan.models[0].servers[0]
                return f"{server.name}: " in objects.replicas_ready(ctx).evidence

        assert [complaint(count) for count in range(5)] == [True, False, False, False, True]

    def test_their_number_is_no_difference_and_everything_else_is(self) -> None:
        server = plan_of("autoscaled-gpu").models[0].servers[0]
        spec = {"replicas": 1, "minReadySeconds": 15}
        planned = [{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": server.name}, "spec": spec}]
        for changed, outcome in (({"replicas": 3}, Outcome.PASSED), ({"minReadySeconds": 0}, Outcome.FAILED)):
            live = {("Deployment", server.name): planned[0] | {"spec": spec | changed}}
            with context_of("autoscaled-gpu", engines_of(), by_model, objects=live, planned=planned) as ctx:
                assert objects.objects_as_planned(ctx).outcome is outcome

    def test_a_replica_that_is_not_ready_is_counted(self) -> None:
        with context_of(PREFIX, lambda plan: engines_of()(plan)[:2], by_model) as ctx:
            assert "2 of 3 ready" in objects.replicas_ready(ctx).evidence


class TestCertificate:
    """The Gateway's certificate, as the server presents it; `trusted` is off because its issuer is this test's own."""

    @pytest.mark.parametrize(
        ("age", "left", "outcome"),
        [
            (timedelta(days=60), timedelta(days=30), Outcome.PASSED),
            (timedelta(days=80), timedelta(days=10), Outcome.FAILED),
            # Certificates of six days are renewed when two of them are left.
            (timedelta(days=4), timedelta(days=2), Outcome.PASSED),
            (timedelta(days=91), timedelta(days=-1), Outcome.FAILED),
        ],
    )
    def test_one_that_ends_soon_fails(self, age: timedelta, left: timedelta, outcome: Outcome) -> None:
        now = datetime.now(UTC)
        issued = trustme.CA().issue_cert("127.0.0.1", not_before=now - age, not_after=now + left)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issued.configure_cert(tls)
        with context_of(GPU, engines_of(), by_model, tls=tls) as ctx:
            result = gateway.certificate(ctx)
        assert result.outcome is outcome
        assert f"{now + left:%Y-%m-%d}" in result.evidence


def test_a_request_beyond_the_stacks_own_limit_says_nothing_about_it() -> None:
    """Five requests a minute are fewer than a verification sends."""
    limited = {"gateway": {"implementation": "istio", "exposure": "internal", "limits": {"requestsPerMinute": 5}}}
    [chat] = [criterion for criterion in CRITERIA if criterion.id == "chat"]
    for changes, outcome in ((limited, Outcome.SKIPPED), (None, Outcome.FAILED)):
        with context_of(GPU, engines_of(), lambda _: lambda _: (429, {"error": "x"}), changes=changes) as ctx:
            result = check(chat, ctx).result
        assert result.outcome is outcome
        assert ("gateway.limits ({requestsPerMinute: 5}) refused" in result.evidence) is (changes is not None)


def test_only_the_first_request_without_an_answer_takes_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """With flow control the picker keeps requests as long as there is no replica, and a check sends several."""
    monkeypatch.setattr(context, "REQUEST_SECONDS", 0.4)
    monkeypatch.setattr(context, "_IMPATIENT_SECONDS", 0.2)
    over = threading.Event()

    def waiting(_engines: list[FakeEngine]) -> Choose:
        return lambda _body: (over.wait(), (503, {}))[1]

    with context_of(GPU, engines_of(), waiting) as ctx:
        by_id = {criterion.id: criterion for criterion in CRITERIA}
        evidence = [check(by_id[name], ctx).result.evidence for name in ("chat", "completion", "stream")]
        over.set()
    assert evidence == [f"no answer within {seconds:g} s" for seconds in (0.4, 0.2, 0.2)]
