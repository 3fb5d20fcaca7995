"""From objects, events and logs as Kubernetes shows them to one named cause."""

from __future__ import annotations

from typing import Any

import pytest

from llm_d_gke.operations.diagnose.command import causes_of
from llm_d_gke.operations.diagnose.facts import Answer, Facts, Workload
from llm_d_gke.operations.diagnose.messages import messages

ENGINE = Workload(name="vllm", role="engine", selector={"app": "vllm"}, planned=1)
PICKER = Workload(name="epp", role="picker", selector={"app": "epp"}, planned=1)
READY = {"type": "Ready", "status": "True"}
SCHEDULED = {"type": "PodScheduled", "status": "True"}


def pod(
    name: str = "vllm-0",
    app: str = "vllm",
    *,
    node: str = "n",
    conditions: Any = (),
    containers: Any = (),
    **status: Any,
) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "n", "labels": {"app": app}},
        "spec": {"nodeName": node} if node else {},
        "status": {"conditions": list(conditions), "containerStatuses": list(containers), **status},
    }


def container(name: str = "vllm", **fields: Any) -> dict[str, Any]:
    return {"name": name, "ready": False, "restartCount": 0, "state": {}, "lastState": {}} | fields


def event(kind: str, name: str, reason: str, message: str, time: str = "2026-11-28T09:00:00Z") -> dict[str, Any]:
    about = {"kind": kind, "name": name}
    return {"involvedObject": about, "reason": reason, "message": message, "lastTimestamp": time, "type": "Warning"}


def running(**facts: Any) -> Facts:
    """A stack whose one engine is ready, and what a test changes."""
    return Facts(**{"workloads": (ENGINE,), "pods": (pod(conditions=[READY]),), **facts})


def first(facts: Facts) -> str:
    return causes_of(facts)[0].id


def example(name: str) -> str:
    return messages()[name].example


def pending(message: str) -> dict[str, Any]:
    return pod(node="", conditions=[{"type": "PodScheduled", "status": "False", "message": message}], phase="Pending")


def crashing(message: str = "", **ended: Any) -> dict[str, Any]:
    terminated = {"exitCode": 1, "reason": "Error", "message": message} | ended
    return container(
        state={"waiting": {"reason": "CrashLoopBackOff"}}, lastState={"terminated": terminated}, restartCount=3
    )


def test_a_stack_that_serves_has_no_cause() -> None:
    assert causes_of(running(answer=Answer(status=200, text="{}"))) == ()


class TestPending:
    @pytest.mark.parametrize("name", [name for name, message in messages().items() if message.origin == "scheduler"])
    def test_the_schedulers_words(self, name: str) -> None:
        assert first(running(pods=(pending(example(name)),))) == name

    @pytest.mark.parametrize("name", [name for name, message in messages().items() if message.origin == "autoscaler"])
    def test_the_autoscaler_knows_more_than_the_scheduler(self, name: str) -> None:
        reason = "NotTriggerScaleUp" if "didn't trigger" in example(name) else "FailedScaleUp"
        events = (event("Pod", "vllm-0", reason, example(name)),)
        assert first(running(pods=(pending(example("no-accelerator")),), events=events)) == name

    def test_a_node_that_is_coming_is_waited_for_until_it_fails_to(self) -> None:
        growing = event("Pod", "vllm-0", "TriggeredScaleUp", "pod triggered scale-up", "2026-11-28T09:00:00Z")
        failed = event("Pod", "vllm-0", "FailedScaleUp", example("scale-up-stock"), "2026-11-28T09:05:00Z")
        facts = running(pods=(pending(example("no-accelerator")),), events=(growing,))
        assert (first(facts), causes_of(facts)[0].waits) == ("node-coming", True)
        facts = running(pods=(pending(example("no-accelerator")),), events=(failed, growing))
        assert first(facts) == "scale-up-stock"

    def test_a_claim_that_could_not_be_made(self) -> None:
        waiting = pod(node="", phase="Pending")
        events = (event("Pod", "vllm-0", "FailedResourceClaimCreation", example("claims-missing")),)
        assert first(running(pods=(waiting,), events=events)) == "claims-missing"
        assert first(running(pods=(waiting,))) == "pods-missing"

    def test_unknown_words_are_shown(self) -> None:
        [cause] = causes_of(running(pods=(pending("0/3 nodes are available: something new."),)))
        assert (cause.id, cause.evidence) == ("unschedulable", "0/3 nodes are available: something new.")


class TestStart:
    @pytest.mark.parametrize("name", [name for name, message in messages().items() if message.origin == "image"])
    @pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff"])
    def test_images(self, name: str, reason: str) -> None:
        waiting = pod(conditions=[SCHEDULED], containers=[container(state={"waiting": {"reason": reason}})])
        events = (event("Pod", "vllm-0", "Failed", example(name)),)
        assert first(running(pods=(waiting,), events=events)) == name

    @pytest.mark.parametrize("name", [name for name, message in messages().items() if message.origin == "start"])
    def test_containers(self, name: str) -> None:
        state = {"waiting": {"reason": "CreateContainerConfigError", "message": example(name)}}
        assert first(running(pods=(pod(conditions=[SCHEDULED], containers=[container(state=state)]),))) == name

    @pytest.mark.parametrize("name", [name for name, message in messages().items() if message.origin == "mount"])
    def test_volumes(self, name: str) -> None:
        creating = pod(containers=[container(state={"waiting": {"reason": "ContainerCreating"}})])
        events = (event("Pod", "vllm-0", "FailedMount", example(name)),)
        assert first(running(pods=(creating,), events=events)) == name

    @pytest.mark.parametrize(
        ("reason", "name"),
        [
            ("FailedCreatePodSandBox", "sandbox-network"),
            ("FailedCreatePodSandBox", "sandbox-runtime"),
            ("FailedPrepareDynamicResources", "devices-not-prepared"),
        ],
    )
    def test_networks_and_devices_that_a_pod_waits_for(self, reason: str, name: str) -> None:
        waiting = container(state={"waiting": {"reason": "ContainerCreating"}})
        facts = running(pods=(pod(containers=[waiting]),), events=(event("Pod", "vllm-0", reason, example(name)),))
        assert first(facts) == name
        facts = running(pods=(pod(containers=[waiting]),), events=(event("Pod", "vllm-0", reason, "unknown"),))
        assert first(facts) == "container-not-created"

    @pytest.mark.parametrize("name", [name for name, message in messages().items() if message.origin == "admission"])
    def test_pods_that_are_not_created(self, name: str) -> None:
        events = (event("ReplicaSet", "vllm-5d9c", "FailedCreate", f"Error creating: {example(name)}"),)
        assert first(running(pods=(), events=events)) == name

    def test_pods_that_are_refused_in_unknown_words(self) -> None:
        events = (event("ReplicaSet", "vllm-5d9c", "FailedCreate", "Error creating: no pods on Sundays"),)
        assert first(running(pods=(), events=events)) == "pods-refused"


class TestEnd:
    @pytest.mark.parametrize("name", [name for name, message in messages().items() if message.origin == "engine"])
    def test_the_engines_last_lines_in_the_state_of_its_container(self, name: str) -> None:
        """`terminationMessagePolicy: FallbackToLogsOnError` puts them there: a viewer needs no log."""
        assert first(running(pods=(pod(containers=[crashing(example(name))]),))) == name

    @pytest.mark.parametrize("name", [name for name, message in messages().items() if message.origin == "picker"])
    def test_the_pickers_log(self, name: str) -> None:
        broken = pod("epp-0", "epp", containers=[crashing() | {"name": "epp"}])
        facts = running(workloads=(PICKER,), pods=(broken,), logs={("epp-0", "epp"): example(name)})
        assert first(facts) == name

    def test_a_program_that_fails_with_status_0_has_failed_nevertheless(self) -> None:
        """The simulated engine does so with an unknown flag; a container that shall run must not end."""
        ended = container(state={"terminated": {"exitCode": 0, "message": example("unknown-flag")}})
        assert first(running(pods=(pod(containers=[ended]),))) == "unknown-flag"

    def test_an_init_container_that_is_done_is_no_cause(self) -> None:
        done = container("prepare", state={"terminated": {"exitCode": 0}})
        facts = running(pods=(pod(conditions=[READY], initContainerStatuses=[done]),))
        assert causes_of(facts) == ()

    def test_killed_for_memory_of_the_node(self) -> None:
        facts = running(pods=(pod(containers=[crashing(exitCode=137, reason="OOMKilled")]),))
        assert first(facts) == "host-memory"

    def test_a_start_that_takes_longer_than_its_probe(self) -> None:
        events = (event("Pod", "vllm-0", "Killing", "Container vllm failed startup probe, will be restarted"),)
        assert first(running(pods=(pod(containers=[crashing(exitCode=137)]),), events=events)) == "start-too-slow"

    def test_an_engine_that_hangs_and_is_started_again(self) -> None:
        events = (event("Pod", "vllm-0", "Killing", "Container vllm failed liveness probe, will be restarted"),)
        assert first(running(pods=(pod(containers=[crashing(exitCode=137)]),), events=events)) == "probe-unanswered"

    def test_evicted_from_a_full_node(self) -> None:
        message = "The node was low on resource: ephemeral-storage."
        facts = running(pods=(pod(reason="Evicted", message=message, phase="Failed"),))
        assert (first(facts), causes_of(facts)[0].evidence) == ("evicted", message)

    @pytest.mark.parametrize(
        ("reason", "message", "cause"),
        [
            (
                "UnexpectedAdmissionError",
                "Pod Allocate failed due to requested number of devices unavailable for nvidia.com/gpu. Requested:1, "
                "Available: 0, which is unexpected",
                "device-not-allocated",
            ),
            ("Terminated", "Pod was terminated in response to imminent node shutdown.", "node-shut-down"),
            ("OutOfcpu", "Pod was rejected: Node didn't have enough resource: cpu", "node-too-full"),
            ("Terminated", "words that nobody knows", "pod-failed"),
        ],
    )
    def test_a_pod_that_its_node_refused_or_ended(self, reason: str, message: str, cause: str) -> None:
        facts = running(pods=(pod(reason=reason, message=message, phase="Failed"),))
        assert (first(facts), causes_of(facts)[0].evidence) == (cause, message)

    def test_one_that_was_replaced_is_no_cause(self) -> None:
        """It stays listed until Kubernetes collects it."""
        ended = pod("vllm-1", reason="Terminated", message="Pod was terminated.", phase="Failed")
        assert causes_of(running(pods=(*running().pods, ended))) == ()

    def test_words_that_nobody_knows_are_shown(self) -> None:
        [cause] = causes_of(running(pods=(pod(containers=[crashing("first\nlast words\n")]),)))
        assert (cause.id, cause.evidence) == ("container-ended", "last words")


class TestNotReady:
    def test_a_start_within_its_probe_is_waited_for(self) -> None:
        starting = container(state={"running": {}}, started=False)
        facts = running(pods=(pod(containers=[starting]),), logs={("vllm-0", "vllm"): "Loading weights 50 %"})
        [cause] = causes_of(facts)
        assert (cause.id, cause.waits, cause.evidence) == ("starting", True, "Loading weights 50 %")

    @pytest.mark.parametrize(
        ("words", "cause"),
        [
            ("HTTP probe failed with statuscode: 404", "probe-path"),
            ('Get "https://10.4.0.7:8000/health": http: server gave HTTP response to HTTPS client', "probe-path"),
            ("HTTP probe failed with statuscode: 503", "probe-unanswered"),
            ("HTTP probe failed with statuscode: 401", "probe-fails"),
        ],
    )
    def test_a_readiness_probe_that_fails(self, words: str, cause: str) -> None:
        events = (event("Pod", "vllm-0", "Unhealthy", f"Readiness probe failed: {words}"),)
        facts = running(pods=(pod(containers=[container(state={"running": {}}, started=True)]),), events=events)
        assert first(facts) == cause

    def test_a_picker_that_waits_for_its_turn_is_no_cause(self) -> None:
        pods = (
            pod("epp-0", "epp", conditions=[READY]),
            pod("epp-1", "epp", containers=[container(state={"running": {}}, started=True)]),
        )
        assert causes_of(running(workloads=(PICKER,), pods=pods)) == ()

    def test_pods_that_are_missing_without_a_word(self) -> None:
        [cause] = causes_of(running(pods=()))
        assert (cause.id, cause.evidence) == ("pods-missing", "there is no pod")

    def test_a_deployment_that_was_scaled_down_by_hand(self) -> None:
        deployment = {"metadata": {"name": "vllm"}, "spec": {"replicas": 0}}
        [cause] = causes_of(running(pods=(), deployments=(deployment,)))
        assert (cause.id, cause.subject, cause.evidence) == ("scaled-down", "Deployment/vllm", "spec.replicas is 0")
        answer = Answer(status=503, text="failed to find endpoint candidates for serving the request")
        causes = causes_of(running(pods=(), deployments=(deployment,), answer=answer))
        assert [cause.id for cause in causes] == ["scaled-down", "no-replica"]

    def test_what_is_broken_comes_before_what_is_waited_for(self) -> None:
        pods = (
            pod("vllm-0", containers=[container(state={"running": {}}, started=False)]),
            pod("vllm-1", containers=[crashing(example("cuda-out-of-memory"))]),
        )
        assert [cause.id for cause in causes_of(running(pods=pods))] == ["cuda-out-of-memory", "starting"]


def gateway(status: str, message: str = "") -> dict[str, Any]:
    condition = {"type": "Programmed", "status": status, "message": message}
    return {"metadata": {"name": "inference-gateway"}, "status": {"conditions": [condition]}}


def service(**conditions: str) -> dict[str, Any]:
    written = [{"type": kind, "status": status, "message": f"{kind} says"} for kind, status in conditions.items()]
    return {"metadata": {"name": "gemma"}, "status": {"conditions": written}}


class TestRouting:
    @pytest.mark.parametrize(
        ("reason", "cause"),
        [
            ("RefNotPermitted", "reference-not-permitted"),
            ("NoMatchingListenerHostname", "route-not-allowed"),
            ("InvalidKind", "backend-unknown"),
            ("BackendNotFound", "backend-unknown"),
        ],
    )
    def test_a_reason_counts_where_nobody_knows_the_words(self, reason: str, cause: str) -> None:
        condition = {"type": "ResolvedRefs", "status": "False", "reason": reason, "message": "words that nobody knows"}
        route = {"metadata": {"name": "models"}, "status": {"parents": [{"conditions": [condition]}]}}
        assert first(running(routes=(route,))) == cause

    @pytest.mark.parametrize("name", [name for name, message in messages().items() if message.origin == "gateway"])
    def test_the_gateways_words(self, name: str) -> None:
        assert first(running(gateways=(gateway("False", example(name)),))) == name

    def test_the_gateways_event_where_its_condition_says_nothing(self) -> None:
        events = (event("Gateway", "inference-gateway", "SYNC", example("no-proxy-only-subnet")),)
        assert first(running(gateways=(gateway("False"),), events=events)) == "no-proxy-only-subnet"

    def test_a_gateway_that_is_programmed_is_no_cause(self) -> None:
        assert causes_of(running(gateways=(gateway("True"),))) == ()

    def test_a_route_that_is_refused(self) -> None:
        refused = {"type": "Accepted", "status": "False", "message": example("route-timeouts")}
        route = {"metadata": {"name": "a"}, "status": {"parents": [{"conditions": [refused]}]}}
        assert first(running(routes=(route,))) == "route-timeouts"

    def test_a_pool_that_is_gone_explains_the_end_of_its_picker(self) -> None:
        unresolved = {"type": "ResolvedRefs", "status": "False", "message": example("backend-unknown")}
        route = {"metadata": {"name": "a"}, "status": {"parents": [{"conditions": [unresolved]}]}}
        ended = pod("epp-0", app="epp", containers=[crashing("Controller manager terminated", exitCode=0)])
        facts = running(routes=(route,), workloads=(ENGINE, PICKER), pods=(pod(conditions=[READY]), ended))
        assert [cause.id for cause in causes_of(facts)] == ["backend-unknown", "container-ended"]

    @pytest.mark.parametrize("name", [name for name, message in messages().items() if message.origin == "endpoint"])
    def test_the_load_balancers_answer(self, name: str) -> None:
        assert first(running(answer=Answer(status=503, text=example(name)))) == name

    @pytest.mark.parametrize(("status", "causes"), [(503, ["endpoints-not-synced", "endpoint-refuses"]), (200, [])])
    def test_endpoints_that_are_not_synced_while_requests_fail(self, status: int, causes: list[str]) -> None:
        events = (event("Service", "vllm", "SyncNetworkEndpointGroupFailed", example("endpoints-not-synced")),)
        facts = running(events=events, answer=Answer(status=status, text="words that nobody knows"))
        assert [cause.id for cause in causes_of(facts)] == causes

    def test_a_changed_health_check_explains_no_healthy_upstream(self) -> None:
        config = {"config": {"httpHealthCheck": {"requestPath": "/"}}}
        policy = {"metadata": {"name": "gemma"}, "spec": {"targetRef": {"name": "gemma"}, "default": config}}
        answer = Answer(status=503, text="no healthy upstream")
        facts = running(health_checks=(policy,), health_paths={"gemma": "/health"}, answer=answer)
        assert [cause.id for cause in causes_of(facts)] == ["health-check-path", "no-healthy-upstream"]
        facts = running(health_checks=(policy,), health_paths={"gemma": "/"})
        assert causes_of(facts) == ()

    def test_presets_that_are_gone_are_seen_although_the_service_is_ready(self) -> None:
        facts = running(services=(service(PresetsCombined="False", Ready="True"),))
        [cause] = causes_of(facts)
        assert cause.id == "kserve-presets"
        assert cause.evidence == "PresetsCombined False, Ready True: PresetsCombined says"

    def test_other_conditions_of_kserve(self) -> None:
        facts = running(services=(service(PresetsCombined="True", HTTPRoutesReady="False"),))
        assert causes_of(facts)[0].cause == "KServe reports HTTPRoutesReady False."
        assert causes_of(running(services=(service(InferencePoolReady="False"),))) == ()

    @pytest.mark.parametrize(("status", "causes"), [(200, []), (503, ["kserve-waits-for-gateway", "no-replica"])])
    def test_a_status_that_no_controller_writes_is_no_cause_while_requests_are_answered(
        self, status: int, causes: list[str]
    ) -> None:
        condition = {
            "type": "RouterReady",
            "status": "False",
            "reason": "WaitingForGateway",
            "message": example("kserve-waits-for-gateway"),
        }
        reported = causes_of(
            running(
                services=({"metadata": {"name": "gemma"}, "status": {"conditions": [condition]}},),
                answer=Answer(status=status, text=example("no-replica")),
            )
        )
        assert [cause.id for cause in reported] == causes

    def test_a_pod_explains_what_the_gateway_answers(self) -> None:
        facts = running(
            pods=(pod(containers=[crashing(example("gated-model"))]),),
            answer=Answer(status=503, text="no healthy upstream"),
        )
        assert [cause.id for cause in causes_of(facts)] == ["gated-model", "no-healthy-upstream"]

    def test_without_a_ready_picker_an_answer_without_a_word_is_its_cause(self) -> None:
        facts = running(workloads=(ENGINE, PICKER), answer=Answer(status=500, text=""))
        assert [cause.id for cause in causes_of(facts)] == ["picker-unreachable"]
        assert first(running(answer=Answer(status=500, text=""))) == "endpoint-refuses"

    @pytest.mark.parametrize("name", [name for name, message in messages().items() if message.origin == "kserve"])
    def test_kserves_own_words(self, name: str) -> None:
        condition = {"type": "RouterReady", "status": "False", "message": example(name)}
        cause = first(running(services=({"metadata": {"name": "gemma"}, "status": {"conditions": [condition]}},)))
        assert cause == name


class TestCertificates:
    def request(self, kind: str, message: str, number: int = 1) -> dict[str, Any]:
        condition = {"type": kind, "status": "True" if kind == "Denied" else "False", "message": message}
        return {
            "metadata": {
                "name": f"llm-tls-{number}",
                "creationTimestamp": f"2026-11-28T09:0{number}:00Z",
                "annotations": {"cert-manager.io/certificate-name": "llm-tls"},
            },
            "status": {"conditions": [condition]},
        }

    @pytest.mark.parametrize("name", [name for name, message in messages().items() if message.origin == "certificate"])
    def test_cert_managers_words(self, name: str) -> None:
        [cause] = causes_of(running(certificate_requests=(self.request("Ready", example(name)),)))
        assert (cause.id, cause.subject) == (name, "Certificate/llm-tls")

    def test_a_refusal_counts_more_than_what_is_not_ready(self) -> None:
        request = self.request("Denied", example("certificate-denied"))
        assert first(running(certificate_requests=(request,))) == "certificate-denied"

    def test_an_earlier_request_is_no_cause(self) -> None:
        signed = self.request("Ready", "Certificate fetched from issuer successfully", 2)
        signed["status"]["conditions"][0]["status"] = "True"
        assert causes_of(running(certificate_requests=(self.request("Ready", "refused"), signed))) == ()
        assert first(running(certificate_requests=(self.request("Ready", "words that nobody knows"),))) == (
            "certificate-waits"
        )


class TestScaling:
    def scaler(self, status: str) -> dict[str, Any]:
        ready = {
            "type": "Ready",
            "status": status,
            "message": "Triggers defined in ScaledObject are not working correctly",
        }
        return {"metadata": {"name": "vllm"}, "status": {"conditions": [ready]}}

    @pytest.mark.parametrize("name", [name for name, message in messages().items() if message.origin == "scaling"])
    def test_the_reason_is_in_an_event(self, name: str) -> None:
        events = (event("ScaledObject", "vllm", "KEDAScalerFailed", example(name)),)
        cause = causes_of(running(scalers=(self.scaler("False"),), events=events))[0]
        assert (cause.id, cause.subject) == (name, "ScaledObject/vllm")

    def test_the_latest_reason_counts(self) -> None:
        """KEDA's events are of events.k8s.io, where a repetition is in the series."""
        denied, empty = (
            event("ScaledObject", "vllm", "f", example(f"scaler-{name}")) for name in ("denied", "without-data")
        )
        times = {"lastTimestamp": None, "eventTime": "2026-11-28T09:00:00.000000Z"}
        repeated = {"series": {"count": 2, "lastObservedTime": "2026-11-28T09:10:00.000000Z"}}
        for events in ((denied | times, empty | times | repeated), (empty | times | repeated, denied | times)):
            assert first(running(scalers=(self.scaler("False"),), events=events)) == "scaler-without-data"

    def test_an_earlier_reason_is_not_that_of_an_object_that_is_refused_now(self) -> None:
        """KEDA writes why it does not take the object into an event and into the condition."""
        words = 'ScaledObject doesn\'t have correct scaleTargetRef specification: statefulsets.apps "vllm" not found'
        scaler = self.scaler("False")
        scaler["status"]["conditions"][0]["message"] = words
        earlier = event("ScaledObject", "vllm", "KEDAScalerFailed", example("scaler-denied"))
        now = event("ScaledObject", "vllm", "ScaledObjectCheckFailed", words)
        cause = causes_of(running(scalers=(scaler,), events=(earlier, now)))[0]
        assert (cause.id, words in cause.evidence) == ("scale-target-missing", True)

    def test_an_unknown_reason_is_shown(self) -> None:
        cause = causes_of(running(scalers=(self.scaler("False"),)))[0]
        assert cause.id == "not-scaling"
        assert "Triggers defined" in cause.evidence

    @pytest.mark.parametrize(
        ("kind", "reason", "message", "cause"),
        [
            ("ScalingActive", "FailedGetExternalMetric", example("scaler-metrics-server"), "scaler-metrics-server"),
            (
                "AbleToScale",
                "FailedGetScale",
                "the HPA controller was unable to get the target's scale",
                "autoscaler-stuck",
            ),
            (
                "ScalingActive",
                "ScalingDisabled",
                "scaling is disabled since the replica count of the target is zero",
                None,
            ),
        ],
    )
    def test_the_autoscaler_of_a_ready_one(self, kind: str, reason: str, message: str, cause: str | None) -> None:
        condition = {"type": kind, "status": "False", "reason": reason, "message": message}
        autoscaler = {"metadata": {"name": "keda-hpa-vllm"}, "status": {"conditions": [condition]}}
        others = {**autoscaler, "metadata": {"name": "other"}}
        reported = causes_of(running(scalers=(self.scaler("True"),), autoscalers=(autoscaler, others)))
        assert [entry.id for entry in reported] == ([cause] if cause else [])

    def test_a_ready_one_is_no_cause(self) -> None:
        assert not causes_of(running(scalers=(self.scaler("True"),)))


def condition(kind: str, status: str, message: str = "", reason: str = "") -> dict[str, str]:
    return {"type": kind, "status": status, "message": message, "reason": reason}


class TestCapacity:
    GATED = "Scheduling is blocked due to non-empty scheduling gates"

    def workload(self, *conditions: Any, **status: Any) -> dict[str, Any]:
        return {"metadata": {"name": "lws-vllm-0"}, "status": {"conditions": list(conditions), **status}}

    def request(self, *conditions: Any) -> dict[str, Any]:
        return {"metadata": {"name": "lws-vllm-0-dws-1"}, "status": {"conditions": list(conditions)}}

    def test_a_queue_without_room_is_named_at_its_workload(self) -> None:
        reserved = condition("QuotaReserved", "False", "couldn't assign flavors to pod set main: borrowing limit")
        cause = causes_of(running(pods=(pending(self.GATED),), queued_workloads=(self.workload(reserved),)))[0]
        assert (cause.id, cause.subject) == ("scheduling-gates", "Workload/lws-vllm-0")
        assert "borrowing limit" in cause.evidence

    def test_a_check_that_waits_has_words_of_its_own(self) -> None:
        check = {"name": "dws", "state": "Retry", "message": "Max nodepool size reached"}
        facts = running(pods=(pending(self.GATED),), queued_workloads=(self.workload(admissionChecks=[check]),))
        assert first(facts) in ("pool-at-maximum", "queued-capacity", "queue-waits")
        assert causes_of(facts)[0].evidence == "Max nodepool size reached"

    def test_an_admitted_workload_is_no_cause(self) -> None:
        assert causes_of(running(queued_workloads=(self.workload(condition("Admitted", "True")),))) == ()

    def test_a_request_for_machines_waits_or_has_failed(self) -> None:
        waiting = self.request(condition("Provisioned", "False", "no words that are known"))
        failed = self.request(condition("Failed", "True", "no words that are known"))
        assert [cause.waits for cause in causes_of(running(pods=(), capacity_requests=(waiting,)))] == [True]
        assert first(running(pods=(), capacity_requests=(failed,))) == "capacity-refused"
        assert causes_of(running(capacity_requests=(failed,))) == ()

    def test_a_node_s_own_event_explains_its_pods_until_it_is_ready_again(self) -> None:
        broken = event("Node", "n", "NodeNotReady", example("node-faulty"), "2026-11-28T09:01:00Z")
        recovered = event("Node", "n", "NodeReady", "Node n status is now: NodeReady", "2026-11-28T09:02:00Z")
        waiting = pod(containers=[container(state={"running": {}}, started=True)])
        cause = causes_of(running(pods=(waiting,), node_events=(broken,)))[0]
        assert (cause.id, cause.subject) == ("node-faulty", "Node/n")
        assert first(running(pods=(waiting,), node_events=(recovered, broken))) != "node-faulty"


class TestPolicies:
    @pytest.mark.parametrize("kind", ["health_checks", "backend_policies", "gateway_policies"])
    def test_a_policy_that_is_not_attached(self, kind: str) -> None:
        spec = {"targetRef": {"name": "elsewhere"}}
        refused = condition("Attached", "False", reason="Conflicted")
        for status in ({"conditions": [refused]}, {"ancestors": [{"conditions": [refused]}]}):
            policy = {"metadata": {"name": "p"}, "spec": spec, "status": status}
            assert first(running(**{kind: (policy,)})) == "policy-not-attached"
        unknown = condition("Accepted", "False", "words that nobody knows")
        policy = {"metadata": {"name": "p"}, "spec": spec, "status": {"conditions": [unknown]}}
        assert first(running(**{kind: (policy,)})) == "policy-refused"


def test_a_group_s_controller_says_why_it_makes_no_pods() -> None:
    warning = event("LeaderWorkerSet", "vllm", "FailedCreate", example("group-workers-missing"))
    assert first(running(pods=(), events=(warning,))) == "group-workers-missing"


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        ("Gateway serving/absent does not exist", "kserve-reference-missing"),
        ("the controller says something that no table has", "kserve-condition"),
    ],
)
def test_a_condition_of_kserve_is_named_by_its_message_or_by_itself(message: str, cause: str) -> None:
    condition = {"type": "RouterReady", "status": "False", "message": message}
    service = {"metadata": {"name": "chat"}, "status": {"conditions": [condition]}}
    [named] = [other for other in causes_of(running(services=(service,))) if other.id.startswith("kserve")]
    assert (named.id, named.evidence) == (cause, message)
