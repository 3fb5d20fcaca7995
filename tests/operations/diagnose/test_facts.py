"""The input of a diagnosis, also with missing permissions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from llm_d_gke.kube import ApiError, Unreachable
from llm_d_gke.operations.diagnose.cause import Diagnosis
from llm_d_gke.operations.diagnose.command import diagnose, json_text, runnable, text
from llm_d_gke.operations.diagnose.facts import Facts, gather
from llm_d_gke.operations.diagnose.halfway import halfway
from llm_d_gke.operations.diagnose.messages import cause_of_state
from llm_d_gke.operations.live_stack.stack import Manifest
from tests.operations.verify.fake_stack import FakeCluster, FakeEngine, FakePods, context_of
from tests.operations.verify.test_checks import always, by_model, engines_of


def test_a_stack_that_answers_has_every_pod_and_no_cause() -> None:
    with context_of("gpu", engines_of(), by_model) as ctx:
        facts = gather(ctx.live)
        assert [workload.role for workload in facts.workloads] == ["engine", "picker"]
        assert facts.answer is not None
        assert facts.answer.status == 200
        assert facts.health_paths == {"gemma-2b-it": "/health"}
        picker = FakeEngine("epp-0", "", dict(ctx.live.plan.models[0].picker.selector))
        cluster = FakeCluster([*engines_of()(ctx.live.plan), picker])
        diagnosis = diagnose(replace(ctx.live, cluster=cluster))
    assert not diagnosis.has_causes, diagnosis
    assert "nothing is wrong that this command knows" in text(diagnosis)
    assert max(map(len, text(diagnosis).splitlines())) <= 80
    paused = text(replace(diagnosis, paused=True))
    assert "the stack is paused" in paused
    assert "answers" not in paused


class Forbidding(FakeCluster):
    """Gateways may not be listed with these credentials."""

    def list(self, api_version: str, kind: str, namespace: str | None = None, **options: Any) -> list[Manifest]:
        if kind == "Gateway":
            raise ApiError(403, {"message": "gateways is forbidden: User cannot list resource", "reason": "Forbidden"})
        return super().list(api_version, kind, namespace, **options)


def test_a_kind_that_may_not_be_read_is_named_and_left_out() -> None:
    with context_of("gpu", engines_of(), by_model) as ctx:
        diagnosis = diagnose(replace(ctx.live, cluster=Forbidding([])))
    assert diagnosis.unreadable == ("Gateway: gateways is forbidden: User cannot list resource",)
    assert "gateways is forbidden" in text(diagnosis)
    # Without any object the result names that, and does not claim that the stack serves.
    assert diagnosis.causes[0].id == "pods-missing"
    assert '"notRead"' in json_text(diagnosis)


def test_a_changed_stack_file_is_named_beside_the_cause_and_commands_are_for_the_stack() -> None:
    change = "llm-d:models[0].extraArgs: [] -> [--max-cpu-loras=-1]"
    with context_of("gpu", engines_of(), by_model) as ctx:
        live = replace(ctx.live, target="rehearsal", cluster=FakeCluster([]), changed_settings=(change,))
        diagnosis = diagnose(live)
    assert "`make verify STACK=gpu` names" in diagnosis.causes[0].fix
    assert "`make up STACK=gpu` restores" in diagnosis.causes[0].fix
    assert change in text(diagnosis)
    assert change in json_text(diagnosis)


class TestPlannedObjects:
    """Objects that were deleted or changed by hand, where pods and conditions say nothing."""

    NAMESPACE = "llm-d-inference-scheduling"

    def planned(self, kind: str, name: str, **spec: Any) -> Manifest:
        return {
            "apiVersion": "v1",
            "kind": kind,
            "metadata": {"name": name, "namespace": self.NAMESPACE},
            "spec": spec,
        }

    def diagnosed(self, cluster: FakeCluster, *planned: Manifest, answer: int = 200, **live: Any) -> Diagnosis:
        gateway = by_model if answer == 200 else always(answer, "fault filter abort")
        with context_of("gpu", engines_of(), gateway) as ctx:
            picker = FakeEngine("epp-0", "", dict(ctx.live.plan.models[0].picker.selector))
            cluster._engines = [*engines_of()(ctx.live.plan), picker]
            running = replace(ctx.live, target="rehearsal", cluster=cluster, **live)
            return diagnose(running, planned=lambda: list(planned))

    def test_a_deleted_object_is_the_cause_although_requests_are_answered(self) -> None:
        """Without the EnvoyFilter of the API keys, requests without a key are answered."""
        service = self.planned("Service", "a", type="ClusterIP")
        cluster = FakeCluster([], {("Service", "a"): service})
        [cause] = self.diagnosed(cluster, service, self.planned("EnvoyFilter", "clients")).causes
        assert (cause.id, cause.subject) == ("objects-differ", "EnvoyFilter/clients")
        assert cause.evidence == "EnvoyFilter/clients does not exist"
        assert "`make up STACK=gpu ARGS=--refresh` restores them" in cause.fix
        assert "`make down` or `pulumi destroy`, run again, ends a destroy" in cause.fix

    def test_a_deleted_route_comes_before_what_clients_see(self) -> None:
        causes = self.diagnosed(FakeCluster([]), self.planned("HTTPRoute", "inference"), answer=500).causes
        assert [cause.id for cause in causes] == ["objects-differ", "fault-filter-abort"]

    def test_a_changed_field_is_named_after_what_is_missing(self) -> None:
        live = self.planned("InferencePool", "a", port=8001)
        planned = (self.planned("InferencePool", "a", port=8000), self.planned("Service", "b"))
        [cause] = self.diagnosed(FakeCluster([], {("InferencePool", "a"): live}), *planned).causes
        assert cause.subject == "Service/b"
        assert cause.evidence.endswith("InferencePool/a spec.port is 8001, planned 8000")

    @pytest.mark.parametrize("live", [{"unfinished": True}, {"changed_settings": ("llm-d:paused: true -> false",)}])
    def test_an_up_that_is_still_to_come_makes_them_itself(self, live: dict[str, Any]) -> None:
        assert not self.diagnosed(FakeCluster([]), self.planned("Service", "a"), **live).has_causes

    def test_kinds_that_may_not_be_read_are_named_once(self) -> None:
        class OfView(FakeCluster):
            def find(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> Manifest | None:
                if kind == "Secret":
                    raise ApiError(403, {"message": "secrets is forbidden", "reason": "Forbidden"})
                return super().find(api_version, kind, name, namespace)

        secrets = [self.planned("Secret", name) for name in ("a", "b")]
        diagnosis = self.diagnosed(OfView([]), *secrets)
        assert diagnosis.unreadable == ("Secret, to compare them with the plan: secrets is forbidden",)
        assert not diagnosis.has_causes

    def test_objects_outside_of_the_namespace_are_not_read(self) -> None:
        elsewhere = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.NAMESPACE}}
        assert not self.diagnosed(FakeCluster([]), elsewhere).has_causes


def pool(name: str) -> Manifest:
    return {"metadata": {"name": name}, "spec": {"selector": {"matchLabels": {"pool": name}}}}


def of_pool(name: str, *, ready: bool) -> Manifest:
    condition = {"type": "Ready", "status": "True" if ready else "False"}
    return {"metadata": {"name": name, "labels": {"pool": name}}, "spec": {}, "status": {"conditions": [condition]}}


def route(name: str, backend: str) -> Manifest:
    backends = [{"kind": "InferencePool", "name": backend}]
    return {"metadata": {"name": name}, "spec": {"rules": [{"backendRefs": backends}]}}


class TestHalfDone:
    """An up that was interrupted in a switch of the deployment: the pool of before serves until the other is ready."""

    FACTS = Facts(
        health_paths={"new": "/health"},
        api_routes=frozenset({"inference"}),
        pools=(pool("old"), pool("new")),
        pods=(of_pool("old", ready=True), of_pool("new", ready=False)),
        # A route of the new pool comes first, so that the load balancer has it in time.
        routes=(route("inference", "old"), route("inference-kserve", "new")),
    )
    HALF = (
        "pool old of before: 1 of 1 pods ready; requests go to it",
        "pool new of the plan: 0 of 1 pods ready; no requests go to it yet",
    )

    @pytest.mark.parametrize("unfinished", [True, False], ids=["interrupted", "of another machine"])
    def test_which_pool_serves(self, unfinished: bool) -> None:
        assert halfway(self.FACTS, unfinished=unfinished) == self.HALF

    def test_pools_that_are_not_there(self) -> None:
        facts = replace(self.FACTS, pools=(pool("old"),))
        assert halfway(facts, unfinished=True)[1] == "pool new of the plan: not created; no requests go to it yet"

    def test_the_rest_after_the_routes_have_changed(self) -> None:
        facts = replace(self.FACTS, routes=(route("inference", "new"),))
        assert halfway(facts, unfinished=False) == ()
        assert halfway(facts, unfinished=True)[1].endswith(
            "pool old of before: 1 of 1 pods ready; no requests go to it any more"
        )

    def test_it_is_said_before_the_causes(self) -> None:
        with context_of("gpu", engines_of(), by_model) as ctx:
            diagnosis = replace(diagnose(replace(ctx.live, cluster=FakeCluster([]))), halfway=self.HALF)
        printed = " ".join(text(diagnosis).split())
        assert "a change of the stack is half done: pool old of before: 1 of 1 pods ready; requests go to it" in printed
        assert "goes on from here. What requests go to keeps running until the plan's pods are ready" in printed
        assert max(map(len, text(diagnosis).splitlines())) <= 80
        assert "halfDone" in json_text(diagnosis)


def test_the_log_of_the_pod_that_ended_is_a_command() -> None:
    with context_of("gpu", engines_of(), by_model) as ctx:
        cause = cause_of_state("container-ended", "Pod/gemma-0 container vllm", "why", code=1)
        assert runnable(cause, ctx.live) == "Read the log from its beginning: `make logs STACK=gpu POD=gemma-0`."


def test_an_api_server_that_does_not_answer_is_no_diagnosis(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_arguments: Any, **_options: Any) -> list[Manifest]:
        raise Unreachable("no answer from the API server at https://127.0.0.1:1: connection refused")

    with context_of("gpu", engines_of(), by_model) as ctx:
        monkeypatch.setattr(FakeCluster, "list", unreachable)
        with pytest.raises(Unreachable):
            gather(ctx.live)


def test_logs_are_read_of_containers_that_do_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = {"name": "vllm", "ready": False, "restartCount": 1, "state": {}, "lastState": {"terminated": {}}}

    class Broken(FakeEngine):
        @property
        def pod(self) -> Any:
            return super().pod | {"status": {"containerStatuses": [broken]}}

    def log(_self: FakePods, _pod: Manifest, container: str, *, previous: bool = False) -> str:
        return f"{container} {'before' if previous else 'now'}"

    monkeypatch.setattr(FakePods, "log", log)
    with context_of("gpu", lambda _plan: [Broken("a", "google/gemma-2b-it", {})], by_model) as ctx:
        assert gather(ctx.live).logs == {("a", "vllm"): "vllm before\nvllm now"}
