"""The fields of an LLMInferenceService, its related resources, and their order."""

from __future__ import annotations

from typing import Any

import pytest

from llm_d_gke.resource_graph import Graph
from llm_d_gke.resource_graph.kubernetes import kubernetes_objects
from tests.components.test_pod_security import broken
from tests.objects import Object, container, of_kind, one
from tests.stacks import graph_of

STACK = "kserve-single-replica-gpu"
SERVICE = "kubernetes:serving.kserve.io/v1alpha2:LLMInferenceService"
GATEWAY = "kubernetes:gateway.networking.k8s.io/v1:Gateway"
ROUTE = "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute"


def graph(changes: dict[str, Any] | None = None) -> Graph:
    return graph_of(STACK, changes)


def service(changes: dict[str, Any] | None = None) -> Object:
    return one(graph(changes), "LLMInferenceService")


def pods_of(body: Object) -> dict[str, Object]:
    """Both pods as KServe creates them from their templates, as far as the templates define them."""
    labels = {"labels": body["spec"]["labels"]}
    return {
        "engine": {"metadata": labels, "spec": body["spec"]["template"]},
        "picker": {"metadata": {"labels": {}}, "spec": body["spec"]["router"]["scheduler"]["template"]},
    }


class TestService:
    def test_it_is_the_only_workload(self) -> None:
        assert {body["kind"] for body in kubernetes_objects(graph())} & {"Deployment", "InferencePool"} == set()

    def test_a_request_names_the_model_as_without_it(self) -> None:
        body = service()
        args = container(pods_of(body)["engine"])["args"]
        assert body["spec"]["model"]["name"] == args[args.index("--served-model-name") + 1] == "google/gemma-2b-it"

    @pytest.mark.parametrize(
        ("source", "uri"),
        [
            ({"kind": "hugging-face"}, "hf://google/gemma-2b-it"),
            ({"kind": "bucket", "bucket": "weights", "path": "gemma"}, "gs://weights/gemma"),
            ({"kind": "volume-claim", "claim": "weights", "path": "gemma"}, "pvc://weights/gemma"),
            ({"kind": "image", "reference": "example.com/gemma:v1", "path": "gemma"}, "oci://example.com/gemma:v1"),
        ],
    )
    def test_its_location_of_weights_is_of_every_source(self, source: dict[str, str], uri: str) -> None:
        assert service({"models[0].source": source})["spec"]["model"]["uri"] == uri

    def test_weights_of_scorers_stand_where_this_release_reads_them(self) -> None:
        config = service({"picker.scorers": {"queue": 7}})["spec"]["router"]["scheduler"]["config"]["inline"]
        [profile] = config["schedulingProfiles"]
        assert {"pluginRef": "queue-scorer", "weight": 7} in profile["plugins"]

    def test_every_container_is_the_one_that_presets_are_merged_into(self) -> None:
        assert {container(pod)["name"] for pod in pods_of(service()).values()} == {"main"}

    def test_pods_keep_pod_security(self) -> None:
        assert {name: broken(pod) for name, pod in pods_of(service()).items()} == {"engine": set(), "picker": set()}

    def test_a_container_may_be_root_where_its_pod_may(self) -> None:
        """The preset forbids it for its container, and a container's field overrides its pod's."""
        on_tpu = one(graph_of("kserve-single-replica-tpu"), "LLMInferenceService")
        for body, root in ((service(), True), (on_tpu, False)):
            security = container(pods_of(body)["engine"])["securityContext"]
            assert security["runAsNonRoot"] is body["spec"]["template"]["securityContext"]["runAsNonRoot"] is root

    def test_it_sleeps_before_its_end_by_a_command(self) -> None:
        """As the preset's container does: two kinds of hooks in one container are refused."""
        hook = container(pods_of(service())["engine"])["lifecycle"]["preStop"]
        assert set(hook) == {"exec"}
        assert hook["exec"]["command"][0] == "sleep"

    def test_a_start_has_its_planned_time(self) -> None:
        probe = container(pods_of(service())["engine"])["startupProbe"]
        assert probe["failureThreshold"] * probe["periodSeconds"] >= 1800

    def test_without_a_picker_nobody_chooses_unless_it_is_wanted(self) -> None:
        """The preset lets any replica answer."""
        pool = service()["spec"]["router"]["scheduler"]["pool"]["spec"]
        assert pool["endpointPickerRef"]["failureMode"] == "FailClose"

    def test_paused_it_has_no_replica(self) -> None:
        assert service({"paused": True})["spec"]["replicas"] == 0


class TestAround:
    @pytest.mark.parametrize("kind", ["HealthCheckPolicy", "GCPBackendPolicy"])
    def test_policies_are_for_the_pool_that_kserve_makes(self, kind: str) -> None:
        target = one(graph(), kind)["spec"]["targetRef"]
        name = service()["metadata"]["name"]
        assert target == {
            "group": "inference.networking.k8s.io",
            "kind": "InferencePool",
            "name": f"{name}-inference-pool",
        }

    def test_the_route_leads_to_that_pool_and_has_no_timeouts(self) -> None:
        rules = [
            rule
            for name in ("inference", "inference-kserve")
            for rule in one(graph(), "HTTPRoute", name)["spec"]["rules"]
        ]
        assert {ref["name"] for rule in rules for ref in rule["backendRefs"]} == {"gemma-2b-it-inference-pool"}
        assert [set(rule) - {"filters"} for rule in rules] == [{"matches", "backendRefs"}] * 2

    def test_it_names_route_and_gateway(self) -> None:
        router = service()["spec"]["router"]
        assert router["route"]["http"] == {"refs": [{"name": "inference-kserve"}]}
        gateway = one(graph(), "Gateway")["metadata"]
        assert router["gateway"]["refs"] == [{"name": gateway["name"], "namespace": gateway["namespace"]}]

    def test_its_pods_are_scraped(self) -> None:
        """By the labels that it hands down to them."""
        labels = service()["spec"]["labels"]
        selectors = {
            body["metadata"]["name"]: body["spec"]["selector"]["matchLabels"]
            for body in of_kind(graph(), "PodMonitoring")
        }
        assert selectors["gemma-2b-it-kserve"].items() <= labels.items()

    def test_two_servers_have_a_budget_and_two_pickers_none(self) -> None:
        """Of pickers that elect a leader one is ready: a budget would keep its node from being drained."""
        changes = {"models[0].replicas": 2, "picker.replicas": 2}
        budgets = {body["metadata"]["name"] for body in of_kind(graph(changes), "PodDisruptionBudget")}
        assert budgets == {"gemma-2b-it-kserve"}

    def test_clients_get_both_addresses(self) -> None:
        outputs = graph().outputs
        assert "modelEndpoints" in outputs
        assert "modelEndpoints" not in graph_of("gpu").outputs


class TestSwitching:
    """From one deployment to the other with one `up`, which creates before it deletes."""

    def test_what_stays_keeps_its_urn_and_its_inputs(self) -> None:
        direct = graph_of("gpu")
        under = {r.urn.replace(STACK, "gpu"): r for r in graph_of("gpu", {"deployment": "kserve"})}
        kept_types = {"Gateway", "Address", "Namespace", "Cluster", "NodePool", "Network"}
        same = [r for r in direct if r.type.rsplit(":", 1)[-1] in kept_types]
        assert len(same) >= len(kept_types)
        assert [r.urn for r in same if r.urn not in under or under[r.urn].inputs != r.inputs] == []

    def test_the_apis_route_is_changed_and_not_replaced(self) -> None:
        urns = [graph_of("gpu", changes).one(ROUTE, "inference").urn for changes in ({}, {"deployment": "kserve"})]
        assert urns[0] == urns[1]

    def test_nothing_new_has_the_name_of_something_old(self) -> None:
        """The old one is deleted last: by its name, and so the new one would go."""

        def named(changes: dict[str, Any]) -> dict[tuple[str, str], str]:
            objects = [r for r in graph_of("gpu", changes) if r.custom and "metadata" in r.inputs]
            return {(r.type, r["metadata"]["name"]): r.urn for r in objects}

        direct, under = named({}), named({"deployment": "kserve"})
        assert {key for key in direct.keys() & under.keys() if direct[key] != under[key]} == set()


class TestOrder:
    def test_its_servers_start_while_the_load_balancer_is_made(self) -> None:
        """KServe creates the servers before it looks for Gateway and route, and its conditions wait for the route."""
        recorded = graph()
        service, route = recorded.one(SERVICE), recorded.one(ROUTE, "inference-kserve")
        assert not recorded.depends(service, recorded.one(GATEWAY))
        assert not recorded.depends(service, route)
        assert not recorded.depends(route, service)
        assert "annotations" not in one(recorded, "HTTPRoute", "inference-kserve")["metadata"]

    def test_the_api_moves_to_it_when_it_serves(self) -> None:
        """In a switch from `direct` the old servers answer until then."""
        recorded = graph()
        assert recorded.depends(recorded.one(ROUTE, "inference"), recorded.one(SERVICE))

    def test_it_is_waited_for_by_its_conditions(self) -> None:
        wait = service()["metadata"]["annotations"]["pulumi.com/waitFor"]
        for condition in ("PresetsCombined", "WorkloadsReady", "SchedulerWorkloadReady", "HTTPRoutesReady"):
            assert f"@.type=='{condition}'" in wait

    def test_it_comes_after_what_its_pods_need(self) -> None:
        recorded = graph()
        needed = [
            *recorded.by_type("kubernetes:core/v1:Secret"),
            *recorded.by_type("kubernetes:core/v1:ServiceAccount"),
            *recorded.by_type("gcp:container/nodePool:NodePool"),
            *(r for r in recorded if r.type.startswith("kubernetes:networking.gke.io/")),
        ]
        # Accounts of controllers' pods are needed by the controllers.
        others = ("metrics-reader", "cert-manager", "kserve-default", "lws-system")
        required = [resource for resource in needed if not any(name in resource.name for name in others)]
        assert len(required) == 7
        assert [r.urn for r in required if not recorded.depends(recorded.one(SERVICE), r)] == []

    def test_it_has_the_time_its_start_takes(self) -> None:
        timeouts = graph().one(SERVICE).options.custom_timeouts
        assert int(timeouts["create"].removesuffix("s")) > 1800

    def test_it_takes_down_what_it_made_itself(self) -> None:
        assert graph().one(SERVICE).options.deleted_with is None
