"""A real API server changes Deployments as KServe writes them, and no others."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import pytest

from llm_d_gke.kube import Kube, Manifest
from llm_d_gke.planning.serving.shutdown import LISTED_SECONDS, NOTICE_SECONDS
from llm_d_gke.rehearsal.cluster_client import client
from llm_d_gke.rehearsal.control_plane.addons import Features
from llm_d_gke.rehearsal.control_plane.control_plane import ControlPlane
from llm_d_gke.rehearsal.host import processes
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.resource_graph.kubernetes import kubernetes_objects
from llm_d_gke.waiting import happens_within
from tests.stacks import graph_of, plan_of

pytestmark = pytest.mark.rehearsal

STACK, CHANGES = "kserve-single-replica-gpu", {"cluster.version": "1.36"}
KINDS = ("Namespace", "MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding")
# Labels of KServe's Deployments end so.
COMPONENTS = {"picker": "router-scheduler", "servers": "workload"}
RECREATE = {"type": "Recreate"}
# Of KServe's preset since v0.20.0. The image of a picker has no such program.
HOOK = {"preStop": {"exec": {"command": ["/bin/sleep", "15"]}}}


@pytest.fixture(scope="module")
def kube(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kube]:
    paths = StackPaths("rollouts", tmp_path_factory.mktemp("rehearsal"))
    ControlPlane(paths).start(Features("1.36.4-gke.1391000"))
    with client(paths) as connection:
        for body in kubernetes_objects(graph_of(STACK, CHANGES)):
            if body["kind"] in KINDS:
                connection.apply(dict(body))
        # The API server follows policies a moment after their creation.
        assert happens_within(60, lambda: written(connection, "picker")["spec"].get("minReadySeconds") is not None)
        yield connection
    processes.stop_all(paths)


def written(kube: Kube, of: str, service: str | None = None) -> Manifest:
    """A Deployment as the API server would keep it: of the service's picker or servers."""
    labels = {
        "app.kubernetes.io/name": service or plan_of(STACK, CHANGES).models[0].key,
        "app.kubernetes.io/part-of": "llminferenceservice",
        "app.kubernetes.io/component": f"llminferenceservice-{COMPONENTS[of]}",
    }
    container = {"name": "main", "image": "example/main:1", "lifecycle": HOOK}
    return kube.create(
        copy.deepcopy(
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": "any", "namespace": plan_of(STACK).namespace.name, "labels": labels},
                "spec": {
                    "selector": {"matchLabels": labels},
                    **({"strategy": RECREATE} if of == "picker" else {}),
                    "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
                },
            }
        ),
        dry_run=True,
    )


def lifecycle(deployment: Manifest) -> Manifest:
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    return dict(container["lifecycle"])


def test_a_new_picker_comes_first_and_the_old_one_has_notice(kube: Kube) -> None:
    picker = written(kube, "picker")
    surge = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    assert (picker["spec"]["strategy"], picker["spec"]["minReadySeconds"]) == (surge, LISTED_SECONDS)
    assert lifecycle(picker) == {"preStop": {"sleep": {"seconds": NOTICE_SECONDS}}}


def test_servers_wait_for_the_load_balancer_and_keep_their_hook(kube: Kube) -> None:
    servers = written(kube, "servers")
    assert servers["spec"]["minReadySeconds"] == LISTED_SECONDS
    assert servers["spec"]["strategy"]["type"] == "RollingUpdate"
    assert lifecycle(servers) == HOOK


def test_services_of_others_are_left_alone(kube: Kube) -> None:
    theirs = written(kube, "picker", service="theirs")
    assert theirs["spec"]["strategy"] == RECREATE
    assert "minReadySeconds" not in theirs["spec"]
