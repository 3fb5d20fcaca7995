"""The stand-in for the Kubernetes provider: its judgments alone, then behind the real engine and a real API server."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
import pytest
from pulumi import automation

from rehearsal.control_plane.control_plane import ControlPlane
from rehearsal.differences import recorded_differences
from rehearsal.host import processes
from rehearsal.kube import Kube, client
from rehearsal.paths import StackPaths
from rehearsal.providers.base import serve
from rehearsal.providers.kubernetes import KubernetesProvider, explaining, readiness, replacing, waiting
from rehearsal.providers.kubernetes.clusters import EXEC_DIFFERENCE
from rehearsal.providers.kubernetes.objects import Kind, autoname, from_pulumi, parse_token, shaped, to_pulumi
from rehearsal.providers.properties import Diff, Properties, dotted
from rehearsal.providers.requests import CheckRequest, Invalid, Refused, UpdateRequest
from rehearsal.pulumi_engine.patches import ProgramServer
from rehearsal.toolchain.build import binaries
from resource_graph.values import UNKNOWN, Secret

CONFIGMAP = "kubernetes:core/v1:ConfigMap"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"


@pytest.fixture
def alone(tmp_path: Path) -> KubernetesProvider:
    """A provider without a cluster, as in the preview of a new stack."""
    return KubernetesProvider(StackPaths("none", tmp_path), lambda _: None)


def check(provider: KubernetesProvider, token: str, news: Properties, olds: Properties | None = None) -> Properties:
    request = CheckRequest(urn="urn::main", type=token, name="main", olds=olds, news=news, seed=b"seed")
    return provider.check(request)


def update(token: str, old: Properties, new: Properties, **config: Any) -> UpdateRequest:
    return UpdateRequest(urn="u", type=token, name="main", config=config, id="x", olds=old, old_inputs=old, news=new)


def replaced(diff: Diff) -> list[str]:
    return sorted(dotted(path) for path in diff.replaces)


class TestTokens:
    @pytest.mark.parametrize(
        ("token", "kind"),
        [
            ("kubernetes:core/v1:Service", Kind("v1", "Service")),
            ("kubernetes:apps/v1:Deployment", Kind("apps/v1", "Deployment")),
            ("kubernetes:policy/v1:PodDisruptionBudget", Kind("policy/v1", "PodDisruptionBudget")),
            ("kubernetes:gateway.networking.k8s.io/v1:Gateway", Kind("gateway.networking.k8s.io/v1", "Gateway")),
            ("kubernetes:core/v1:NamespacePatch", Kind("v1", "Namespace", patch=True)),
        ],
    )  # fmt: skip
    def test_a_token_names_a_kind(self, token: str, kind: Kind) -> None:
        assert parse_token(token) == kind

    @pytest.mark.parametrize(
        "token",
        ["kubernetes:helm.sh/v3:Release", "kubernetes:yaml/v2:ConfigGroup", "kubernetes:yaml:ConfigFile", "gcp:a/b:C"],
    )
    def test_tools_are_no_kinds(self, token: str) -> None:
        with pytest.raises(Refused, match="not simulated"):
            parse_token(token)

    @pytest.mark.parametrize("token", ["kubernetes:core/v1:NamespacePatch", "kubernetes:apps/v1:DeploymentList"])
    def test_what_is_not_stood_in_for_is_refused_by_name(self, alone: KubernetesProvider, token: str) -> None:
        with pytest.raises(Refused, match=token):
            check(alone, token, {"metadata": {"name": "x"}})


class TestNames:
    """Auto-names are what lets a ConfigMap be replaced without a gap: new under each seed, kept over updates."""

    def test_the_seed_decides(self) -> None:
        assert autoname("main", b"a") == autoname("main", b"a") != autoname("main", b"b")
        assert autoname("main", b"") != autoname("main", b"")
        assert len(autoname("main", b"a")) == len("main-") + 7

    def test_an_unnamed_object_is_named_and_marked(self, alone: KubernetesProvider) -> None:
        about = check(alone, CONFIGMAP, {"data": {}})["metadata"]
        assert about["name"] == autoname("main", b"seed")
        assert about["annotations"] == {"pulumi.com/autonamed": "true"}

    def test_an_update_keeps_the_name(self, alone: KubernetesProvider) -> None:
        olds = check(alone, CONFIGMAP, {"data": {}}) | {"data": {"a": "1"}}
        olds["metadata"]["name"] = "main-before1"
        assert check(alone, CONFIGMAP, {"data": {}}, olds)["metadata"]["name"] == "main-before1"

    @pytest.mark.parametrize("name", ["given", UNKNOWN])
    def test_a_given_name_stays(self, alone: KubernetesProvider, name: Any) -> None:
        assert check(alone, CONFIGMAP, {"metadata": {"name": name}})["metadata"] == {
            "name": name,
            "namespace": "default",
        }

    def test_cluster_wide_kinds_get_no_namespace(self, alone: KubernetesProvider) -> None:
        assert "namespace" not in check(alone, "kubernetes:core/v1:Namespace", {})["metadata"]

    def test_generated_names_are_refused(self, alone: KubernetesProvider) -> None:
        with pytest.raises(Invalid, match="generateName"):
            check(alone, CONFIGMAP, {"metadata": {"generateName": "x-"}})

    def test_a_readiness_expression_is_checked_before_anything_exists(self, alone: KubernetesProvider) -> None:
        annotations = {"pulumi.com/waitFor": "Programmed"}
        with pytest.raises(Invalid, match="prefix"):
            check(alone, CONFIGMAP, {"metadata": {"annotations": annotations}})


class TestSpelling:
    def test_schema_extensions_get_their_dashes_and_lose_them_again(self) -> None:
        given = {"spec": {"x_kubernetes_int_or_string": True, "x_other": None}}
        manifest = from_pulumi(given, Kind("a/v1", "B"))
        assert manifest["spec"] == {"x-kubernetes-int-or-string": True}
        assert to_pulumi(manifest)["spec"] == {"x_kubernetes_int_or_string": True}

    def test_a_secrets_values_are_secret_whoever_wrote_them(self, alone: KubernetesProvider) -> None:
        live = {"apiVersion": "v1", "kind": "Secret", "data": {"a": "Yg=="}, "type": "Opaque"}
        assert to_pulumi(live) == {**live, "data": Secret({"a": "Yg=="})}
        checked = check(alone, "kubernetes:core/v1:Secret", {"stringData": {"a": "b"}})
        assert checked["stringData"] == Secret({"a": "b"})

    def test_a_refresh_sees_drift_and_not_defaults(self) -> None:
        wanted = {
            "cpu": "1000m",
            "memory": "1024Mi",
            "labels": {},
            "list": [{"name": "b", "v": 1}, {"name": "a", "v": 2}],
        }
        live = {
            "cpu": "1",
            "memory": "1Gi",
            "added": True,
            "list": [{"name": "a", "v": 2, "d": 0}, {"name": "b", "v": 5, "d": 0}],
        }
        assert shaped(live, wanted) == {
            "cpu": "1000m",
            "memory": "1024Mi",
            "labels": {},
            "list": [{"name": "a", "v": 2}, {"name": "b", "v": 5}],
        }


class TestReplacement:
    """The API server refuses these changes; the engine has to know beforehand."""

    @pytest.mark.parametrize(
        ("api", "kind", "old", "new", "expected"),
        [
            ("apps/v1", "Deployment", {"selector": {"a": "1"}}, {"selector": {"a": "2"}}, ["spec.selector.a"]),
            ("apps/v1", "Deployment", {"replicas": 1}, {"replicas": 2}, []),
            ("apps/v1", "StatefulSet", {"serviceName": "a"}, {"serviceName": "b"}, ["spec.serviceName"]),
            ("batch/v1", "Job", {"template": {"a": 1}}, {"template": {"a": 2}}, ["spec.template.a"]),
            ("v1", "Service", {"clusterIP": "None"}, {}, ["spec.clusterIP"]),
            ("v1", "Service", {"ports": [{"port": 1}]}, {"ports": [{"port": 2}]}, []),
            ("v1", "PersistentVolumeClaim", {"accessModes": ["a"]}, {"accessModes": ["b"]}, ["spec.accessModes[0]"]),
            ("v1", "PersistentVolumeClaim", {"resources": {"a": 1}}, {"resources": {"a": 2}}, []),
            ("v1", "Pod", {"containers": [{"tty": 0}]}, {"containers": [{"tty": 1}]}, ["spec.containers[0].tty"]),
        ],
    )  # fmt: skip
    def test_immutable_fields(self, api: str, kind: str, old: Properties, new: Properties, expected: list[str]) -> None:
        manifests = [{"apiVersion": api, "kind": kind, "metadata": {"name": "x"}, "spec": spec} for spec in (old, new)]
        diff = replacing.compare(*manifests, cluster_wide=False, configmaps_mutable=False, secrets_mutable=False)
        assert diff.changed
        assert replaced(diff) == expected

    def test_role_references_are_for_ever(self, alone: KubernetesProvider) -> None:
        old, new = ({"metadata": {"name": "x"}, "roleRef": {"name": name}} for name in ("a", "b"))
        diff = alone.diff(update("kubernetes:rbac.authorization.k8s.io/v1:RoleBinding", old, new))
        assert replaced(diff) == ["roleRef.name"]

    @pytest.mark.parametrize(
        ("kind", "switch"), [("ConfigMap", "enableConfigMapMutable"), ("Secret", "enableSecretMutable")]
    )
    def test_content_is_replaced_unless_the_provider_says_otherwise(
        self, alone: KubernetesProvider, kind: str, switch: str
    ) -> None:
        token = f"kubernetes:core/v1:{kind}"
        old, new = ({"metadata": {"name": "x"}, "data": {"a": value}} for value in "12")
        assert replaced(alone.diff(update(token, old, new))) == ["data.a"]
        assert replaced(alone.diff(update(token, old, new, **{switch: "true"}))) == []
        assert replaced(alone.diff(update(token, old, {**new, "immutable": True}, **{switch: "true"}))) == ["data.a"]

    def test_a_fixed_name_is_freed_first(self, alone: KubernetesProvider) -> None:
        named = [{"metadata": {"name": "x"}, "data": {"a": value}} for value in "12"]
        auto = [check(alone, CONFIGMAP, {"data": {"a": value}}) for value in "12"]
        moved = [{"metadata": {"name": "x", "namespace": value}} for value in "12"]
        freed = [alone.diff(update(CONFIGMAP, *pair)) for pair in (named, auto, moved)]
        assert [bool(diff.replaces) for diff in freed] == [True, True, True]
        assert [diff.delete_before_replace for diff in freed] == [True, False, False]

    def test_another_version_of_a_group_is_the_same_object(self) -> None:
        def diff(old: str, new: str) -> list[str]:
            manifests = [{"apiVersion": api, "kind": "X", "metadata": {"name": "x"}} for api in (old, new)]
            return replaced(
                replacing.compare(*manifests, cluster_wide=False, configmaps_mutable=False, secrets_mutable=False)
            )

        assert diff("a.b/v1beta1", "a.b/v1") == []
        assert diff("a.b/v1", "c.d/v1") == ["apiVersion"]


class TestProviderConfiguration:
    """A cluster that is rebuilt must not look like another one while its identifier stays (pulumi-kubernetes#2745)."""

    @staticmethod
    def config(server: Any, identifier: str | None = "projects/p/clusters/c") -> Properties:
        known = server if server is UNKNOWN else kubeconfig(server)
        return {"kubeconfig": known} | ({"clusterIdentifier": identifier} if identifier else {})

    @pytest.mark.parametrize(
        ("old", "new", "expected"),
        [
            (("https://a",), ("https://b",), []),
            (("https://a",), (UNKNOWN,), []),
            (("https://a", None), (UNKNOWN, None), ["kubeconfig"]),
            (("https://a", None), ("https://b", None), ["kubeconfig"]),
            (("https://a", None), ("https://a", "id"), []),
            (("https://a", "id"), ("https://a", "other"), ["clusterIdentifier"]),
        ],
    )
    def test_replacement(self, alone: KubernetesProvider, old: Any, new: Any, expected: list[str]) -> None:
        diff = alone.diff_config("urn", self.config(*old), self.config(*new))
        assert diff.changed
        assert replaced(diff) == expected

    def test_rendering_is_refused(self, alone: KubernetesProvider) -> None:
        with pytest.raises(Invalid, match="renderYamlToDirectory"):
            alone.check_config("urn", None, {"renderYamlToDirectory": "out"})


class TestWaitFor:
    ACCEPTED = "jsonpath={.status.parents[*].conditions[?(@.type=='Accepted')].status}=True"

    @staticmethod
    def route(status: str) -> Properties:
        return {"status": {"parents": [{"conditions": [{"type": "Accepted", "status": status}]}]}}

    def test_a_path_has_to_hold_its_value(self) -> None:
        expected = waiting.parse(self.ACCEPTED)
        assert expected(self.route("True")) is None
        assert "is False, not True yet" in str(expected(self.route("False")))
        assert "selects nothing so far" in str(expected({}))

    def test_a_path_without_a_value_has_to_exist(self) -> None:
        expected = waiting.parse("jsonpath={.status.addresses}")
        assert expected({"status": {"addresses": [{"value": "1.2.3.4"}]}}) is None
        assert expected({"status": {}}) is not None

    def test_a_condition_says_why_it_does_not_hold(self) -> None:
        programmed = {"type": "Programmed", "status": "False", "reason": "Pending", "message": "no address"}
        verdict = waiting.parse("condition=Programmed")({"status": {"conditions": [programmed]}})
        assert verdict == "Programmed is False, not True yet (Pending: no address)"
        assert waiting.parse("condition=Programmed=False")({"status": {"conditions": [programmed]}}) is None

    def test_what_was_seen_before_the_last_change_does_not_count(self) -> None:
        condition = {"type": "Ready", "status": "True", "observedGeneration": 1}
        stale = {"metadata": {"generation": 2}, "status": {"conditions": [condition], "observedGeneration": 1, "x": 1}}
        assert waiting.parse("condition=Ready")(stale) is not None
        assert waiting.parse("jsonpath={.status.x}=1")(stale) is not None

    def test_all_of_a_list_have_to_hold(self) -> None:
        expected = waiting.parse(json.dumps([self.ACCEPTED, "condition=Ready"]))
        route = self.route("True")
        assert "no condition Ready" in str(expected(route))
        route["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
        assert expected(route) is None

    @pytest.mark.parametrize(
        "text", ["[]", "Ready", "jsonpath=.a", "jsonpath={.a}=", "jsonpath={.a}=b=c", "jsonpath={.a[}=b"]
    )
    def test_nonsense_is_refused(self, text: str) -> None:
        with pytest.raises(Refused):
            waiting.parse(text)


class TestReadiness:
    @staticmethod
    def deployment(**status: Any) -> Properties:
        return {"kind": "Deployment", "metadata": {"generation": 2}, "spec": {"replicas": 2}, "status": status}

    @pytest.mark.parametrize(
        ("status", "lacks"),
        [
            ({"observedGeneration": 1}, "has not seen"),
            ({"observedGeneration": 2, "updatedReplicas": 1}, "1 of 2 pods have been updated"),
            ({"observedGeneration": 2, "updatedReplicas": 2, "availableReplicas": 1}, "1 of 2 pods are available"),
        ],
    )
    def test_a_rollout_says_what_it_lacks(self, status: Properties, lacks: str) -> None:
        assert lacks in str(readiness.deployment(None, self.deployment(**status)))  # type: ignore[arg-type]

    def test_a_rollout_past_its_deadline_is_hopeless(self) -> None:
        stuck = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out"}
        with pytest.raises(readiness.Hopeless, match="timed out"):
            readiness.deployment(None, self.deployment(observedGeneration=2, conditions=[stuck]))  # type: ignore[arg-type]

    def test_symptoms_name_reason_and_exit_code(self) -> None:
        waits = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}
        died = {"terminated": {"exitCode": 2, "reason": "Error"}}
        pod = {"status": {"containerStatuses": [{"name": "main", "state": waits, "lastState": died}]}}
        assert explaining.symptoms(pod) == [
            "container main is waiting (CrashLoopBackOff: back-off)",
            "before that container main is terminated with exit code 2 (Error)",
        ]

    def test_a_service_of_kserve_says_which_condition_is_missing_and_what_its_pods_say(self, tmp_path: Path) -> None:
        requested: list[str] = []

        class Pods:
            def list(self, _api: str, _kind: str, _namespace: str, *, labels: str) -> list[dict[str, Any]]:
                requested.append(labels)
                waits = {"name": "main", "state": {"waiting": {"reason": "ErrImagePull"}}}
                return [{"metadata": {"name": "m-kserve-1"}, "status": {"containerStatuses": [waits]}}]

        conditions = [
            {"type": "HTTPRoutesReady", "status": "True"},
            {"type": "WorkloadsReady", "status": "False", "reason": "MinimumReplicasUnavailable"},
        ]
        service = {
            "kind": "LLMInferenceService",
            "metadata": {"name": "m", "namespace": "n"},
            "status": {"conditions": conditions},
        }
        first, second = explaining.pods(Pods(), service, tmp_path)  # type: ignore[arg-type]
        assert first == "WorkloadsReady is False (MinimumReplicasUnavailable)"
        assert "container main is waiting (ErrImagePull)" in second
        assert requested == ["app.kubernetes.io/name=m,app.kubernetes.io/part-of=llminferenceservice"]


def kubeconfig(server: str) -> str:
    """As the program renders it: a credential plugin, no certificate."""
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "gke",
            "clusters": [{"name": "gke", "cluster": {"server": server}}],
            "contexts": [{"name": "gke", "context": {"cluster": "gke", "user": "gke"}}],
            "users": [{"name": "gke", "user": {"exec": {"command": "gke-gcloud-auth-plugin"}}}],
        }
    )


Declare = Callable[[pulumi.ResourceOptions], None]


@dataclass
class Run:
    """A stack on a real engine and a real API server; `declare` is the program, changed between two runs."""

    stack: automation.Stack
    kube: Kube
    paths: StackPaths
    declare: list[Declare] = field(default_factory=list)

    def up(self, *declare: Declare) -> dict[str, int]:
        self.declare[:] = declare or self.declare
        return _counts(self.stack.up().summary.resource_changes or {})

    def preview(self, *declare: Declare) -> dict[str, int]:
        self.declare[:] = declare or self.declare
        return _counts(self.stack.preview().change_summary)


def _counts(changes: Mapping[Any, int]) -> dict[str, int]:
    """By the operation's plain name; the two summaries of the Automation API spell them differently."""
    return {str(getattr(operation, "value", operation)): count for operation, count in changes.items()}


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackPaths]:
    stack = StackPaths("kubernetes", tmp_path_factory.mktemp("rehearsal"))
    ControlPlane(stack).start("1.34.1-gke.1829001")
    yield stack
    processes.stop_all(stack)


@pytest.fixture
def run(paths: StackPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    monkeypatch.setattr("pulumi.automation._stack.LanguageServer", ProgramServer)
    command = automation.PulumiCommand(root=str(binaries(["pulumi"], lambda _: None)["pulumi"].parent.parent))
    with client(paths) as kube, serve(KubernetesProvider(paths, lambda _: None)) as server:
        declared: list[Declare] = []

        def program() -> None:
            config = kubeconfig(kube.server)
            provider = k8s.Provider("cluster", kubeconfig=config, cluster_identifier="projects/p/clusters/c")
            for declare in declared:
                declare(pulumi.ResourceOptions(provider=provider))

        options = automation.LocalWorkspaceOptions(
            work_dir=str(tmp_path),
            pulumi_command=command,
            project_settings=automation.ProjectSettings(name="llm-d", runtime="python"),
            env_vars={
                "PULUMI_DEBUG_PROVIDERS": f"kubernetes:{server.port}",
                "PULUMI_BACKEND_URL": f"file://{tmp_path}",
                "PULUMI_CONFIG_PASSPHRASE": "",
                "PULUMI_HOME": str(tmp_path / "home"),
                "PULUMI_SKIP_UPDATE_CHECK": "true",
                "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            },
        )
        stack = automation.create_stack("test", project_name="llm-d", program=program, opts=options)
        yield Run(stack, kube, paths, declared)
        stack.destroy()


def configuration(value: str, **metadata: Any) -> Declare:
    about: Any = metadata

    def declare(opts: pulumi.ResourceOptions) -> None:
        made = k8s.core.v1.ConfigMap("config", metadata=about, data={"a": value}, opts=opts)
        pulumi.export("name", made.metadata["name"])

    return declare


def definition(opts: pulumi.ResourceOptions) -> None:
    schema = {"type": "object", "x_kubernetes_preserve_unknown_fields": True}
    spec: Any = {
        "group": "rehearsal.example.com",
        "scope": "Namespaced",
        "names": {"kind": "Route", "plural": "routes"},
        "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"open_apiv3_schema": schema}}],
    }
    name = {"name": "routes.rehearsal.example.com"}
    k8s.apiextensions.v1.CustomResourceDefinition("routes", metadata=name, spec=spec, opts=opts)  # type: ignore[call-overload]


def route(**annotations: str) -> Declare:
    def declare(opts: pulumi.ResourceOptions) -> None:
        k8s.apiextensions.CustomResource(
            "route",
            api_version="rehearsal.example.com/v1",
            kind="Route",
            # Foreground deletion of a new kind's objects waits for the garbage collector's next look at the API: 30 s.
            metadata={
                "name": "route",
                "annotations": {"pulumi.com/deletionPropagationPolicy": "background"} | annotations,
            },
            spec={"backendRefs": [{"weight": 1, "share": 0.5}]},
            opts=opts,
        )

    return declare


def deployment(timeout: str, image: str = "example.com/engine:1", replicas: int = 2) -> Declare:
    def declare(opts: pulumi.ResourceOptions) -> None:
        container = {"name": "main", "image": image, "resources": {"requests": {"cpu": 0.5, "memory": "1024Mi"}}}
        about: Any = {"name": "engine", "annotations": {"pulumi.com/timeoutSeconds": timeout}}
        spec: Any = {
            "replicas": replicas,
            "selector": {"match_labels": {"app": "engine"}},
            "template": {"metadata": {"labels": {"app": "engine"}}, "spec": {"containers": [container]}},
        }
        k8s.apps.v1.Deployment("engine", metadata=about, spec=spec, opts=opts)

    return declare


@pytest.mark.rehearsal
class TestBehindTheEngine:
    def test_objects_come_stay_and_go(self, run: Run) -> None:
        def objects(opts: pulumi.ResourceOptions) -> None:
            namespace = k8s.core.v1.Namespace("models", metadata={"name": "models"}, opts=opts)
            inside = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[namespace]))
            token = pulumi.Output.secret("hush-hush")
            k8s.core.v1.Secret("token", metadata={"namespace": "models"}, string_data={"token": token}, opts=inside)
            spec: Any = {"selector": {"app": "x"}, "ports": [{"port": 80, "target_port": 8000}]}
            service = k8s.core.v1.Service("engine", metadata={"namespace": "models"}, spec=spec, opts=inside)
            pulumi.export("address", service.spec.cluster_ip)

        everything = (objects, definition, route(), configuration("1"))
        assert run.preview(*everything) == {"create": 8}
        assert run.up() == {"create": 8}
        assert run.stack.outputs()["address"].value.startswith("10.")
        assert run.preview() == {"same": 8}
        assert run.up() == {"same": 8}
        run.stack.refresh()
        assert run.preview() == {"same": 8}
        states = [file.read_text() for file in Path(run.stack.workspace.work_dir).rglob("test.json*")]
        assert states
        assert not [state for state in states if "hush-hush" in state or "aHVzaC1odXNo" in state]
        assert EXEC_DIFFERENCE in recorded_differences(run.paths)

        run.stack.destroy()
        assert run.kube.find("v1", "Namespace", "models") is None
        assert (
            run.kube.find("apiextensions.k8s.io/v1", "CustomResourceDefinition", "routes.rehearsal.example.com") is None
        )

    def test_a_changed_configuration_takes_a_new_name_unless_it_has_a_fixed_one(self, run: Run) -> None:
        names = []
        for value in "12":
            run.up(configuration(value))
            names.append(run.stack.outputs()["name"].value)
        assert names[0] != names[1]
        assert run.kube.find("v1", "ConfigMap", names[0]) is None
        run.up(configuration("3", name="fixed"))
        assert run.up(configuration("4", name="fixed"))["replace"] == 1
        assert run.kube.get("v1", "ConfigMap", "fixed")["data"] == {"a": "4"}

    def test_an_object_of_someone_else_is_not_taken_over(self, run: Run) -> None:
        mine = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "theirs"}, "data": {"a": "0"}}
        run.kube.apply(mine)
        with pytest.raises(automation.CommandError, match="already exists in the cluster"):
            run.up(configuration("1", name="theirs"))
        assert run.kube.get("v1", "ConfigMap", "theirs")["data"] == {"a": "0"}
        run.kube.delete("v1", "ConfigMap", "theirs")

    def test_drift_is_seen_by_a_refresh_and_repaired(self, run: Run) -> None:
        forced = {"name": "drifts", "annotations": {"pulumi.com/patchForce": "true"}}
        run.up(deployment("60", replicas=0), configuration("1", **forced))
        run.stack.refresh()
        assert run.preview() == {"same": 4}
        run.kube.patch("v1", "ConfigMap", "drifts", {"metadata": {"labels": {"by": "hand"}}})
        run.kube.patch("apps/v1", "Deployment", "engine", {"spec": {"minReadySeconds": 1, "replicas": 0}})
        run.stack.refresh()
        assert run.preview() == {"same": 4}  # nobody asked for these fields
        run.kube.delete("v1", "ConfigMap", "drifts")
        run.stack.refresh()
        assert run.preview() == {"same": 3, "create": 1}

    def test_what_the_api_server_refuses_is_refused_in_the_preview(self, run: Run) -> None:
        with pytest.raises(automation.CommandError, match=r"ConfigMap default/x would be refused .* metadata.labels"):
            run.preview(configuration("1", name="x", labels={"a b": "c"}))

    def test_a_stuck_rollout_tells_what_its_pods_say(self, run: Run) -> None:
        with pytest.raises(automation.CommandError) as failed:
            run.up(deployment("3"))
        assert "Deployment default/engine exists, but did not become ready" in str(failed.value)
        assert "not ready after 3 s: 0 of 2 pods are available" in str(failed.value)
        assert "(and 1 more like it)" in str(failed.value)
        assert "Unschedulable: no nodes available" in str(failed.value)
        # It is in the state, so that the next update repairs it instead of finding an unknown object.
        assert run.preview() == {"same": 2, "update": 1}
        assert run.up(deployment("30", replicas=0)) == {"same": 2, "update": 1}

    def test_an_object_is_awaited_as_its_annotation_says(self, run: Run) -> None:
        wait = {"pulumi.com/waitFor": TestWaitFor.ACCEPTED, "pulumi.com/timeoutSeconds": "20"}
        accepted = {"status": {"parents": [{"conditions": [{"type": "Accepted", "status": "True"}]}]}}
        moments: list[float] = []

        def accept() -> None:
            while run.kube.find("rehearsal.example.com/v1", "Route", "route") is None:
                time.sleep(0.1)
            time.sleep(1)
            moments.append(time.monotonic())
            run.kube.patch("rehearsal.example.com/v1", "Route", "route", accepted)

        run.up(definition)
        controller = threading.Thread(target=accept)
        controller.start()
        assert run.up(definition, route(**wait)) == {"same": 3, "create": 1}
        assert moments
        controller.join()

    def test_a_kind_may_come_while_its_object_is_created(self, run: Run) -> None:
        """Nothing in the program orders the two, as when the cluster itself installs the CRD a little later."""
        assert run.up(route(), definition) == {"create": 4}

    def test_a_cluster_that_is_gone_does_not_keep_its_objects(self, run: Run) -> None:
        run.up(configuration("1", name="orphan"))
        away = run.paths.kubeconfig.with_suffix(".away")
        run.paths.kubeconfig.rename(away)
        try:
            with pytest.raises(automation.CommandError, match="cluster is unreachable"):
                run.up(configuration("1", name="orphan", labels={"a": "b"}))
            assert run.preview(configuration("1", name="orphan")) == {"same": 3}
            run.stack.destroy()
        finally:
            away.rename(run.paths.kubeconfig)
        assert run.kube.delete("v1", "ConfigMap", "orphan")
