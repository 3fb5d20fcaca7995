"""Pulumi's Kubernetes provider: where it comes from, and what it does behind the engine on a real API server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
import pytest
from pulumi import automation

from llm_d_gke.kube import Kube
from llm_d_gke.rehearsal.charts import registry
from llm_d_gke.rehearsal.cluster_client import client
from llm_d_gke.rehearsal.control_plane.addons import Features
from llm_d_gke.rehearsal.control_plane.control_plane import ControlPlane
from llm_d_gke.rehearsal.host import processes
from llm_d_gke.rehearsal.paths import StackPaths, recorded_differences
from llm_d_gke.rehearsal.pulumi_engine import kubernetes_plugin
from llm_d_gke.rehearsal.pulumi_engine.kubernetes_plugin import PROXY_VARIABLE, end_orphans, install_plugin
from llm_d_gke.rehearsal.pulumi_engine.patches import ProgramServer
from llm_d_gke.rehearsal.toolchain.build import binaries
from llm_d_gke.rehearsal.toolchain.plugins import KUBERNETES, installed_plugin, plugin_folder
from llm_d_gke.waiting import wait_until

ACCEPTED = "jsonpath={.status.parents[*].conditions[?(@.type=='Accepted')].status}=True"


def quiet(_: str) -> None:
    pass


def program(file: Path, text: str = "exit 0") -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return file


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StackPaths:
    """A stack on a machine where Pulumi has no plugin and nothing was built."""
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "own"))
    monkeypatch.setenv("LLM_D_REHEARSAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("REHEARSAL_PULUMI_RESOURCE_KUBERNETES", raising=False)
    return StackPaths("test", tmp_path)


def command(paths: StackPaths) -> list[str]:
    """The last line of the installed plugin."""
    text = (plugin_folder(paths.pulumi_home) / KUBERNETES).read_text()
    return text.splitlines()[-1].removeprefix("exec ").split()


class TestSource:
    def test_pulumis_own_plugin_of_the_requested_version_comes_first(self, paths: StackPaths, tmp_path: Path) -> None:
        own = program(plugin_folder(tmp_path / "own") / KUBERNETES)
        install_plugin(paths, Path("/nonexistent/pulumi"), quiet)
        assert command(paths) == [str(own), '"$@"']
        assert recorded_differences(paths) == []

    @pytest.mark.usefixtures("paths")
    def test_a_plugin_of_another_version_is_not_used(self, tmp_path: Path) -> None:
        program(tmp_path / "own" / "plugins" / "resource-kubernetes-v3.0.0" / KUBERNETES)
        assert installed_plugin() is None

    def test_then_it_is_downloaded_where_the_network_has_it(self, paths: StackPaths, tmp_path: Path) -> None:
        folder = plugin_folder(Path("$PULUMI_HOME"))
        pulumi = program(
            tmp_path / "pulumi",
            f'test "$1 $2 $3 $4" = "plugin install resource kubernetes" && mkdir -p "{folder}"'
            f' && cp /bin/true "{folder}/{KUBERNETES}"',
        )
        install_plugin(paths, pulumi, quiet)
        downloaded = plugin_folder(tmp_path / "cache" / "pulumi") / KUBERNETES
        assert command(paths) == [str(downloaded), '"$@"']
        install_plugin(paths, Path("/nonexistent/pulumi"), quiet)
        assert command(paths) == [str(downloaded), '"$@"']

    def test_else_it_is_built_from_its_module(
        self, paths: StackPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        built = program(tmp_path / "built")
        monkeypatch.setattr(kubernetes_plugin, "binaries", lambda names, _: dict.fromkeys(names, built))
        monkeypatch.setattr(kubernetes_plugin, "module_dir", lambda *_: tmp_path / "module")
        lines: list[str] = []
        install_plugin(paths, program(tmp_path / "pulumi", "exit 1"), lines.append)
        assert command(paths) == [str(built), '"$@"']
        assert lines[-1] == "it cannot be downloaded here, so it is built from its Go module"
        [difference] = recorded_differences(paths)
        assert "is built from its Go module v4.0.0-" in difference

    def test_a_variable_names_another_one(
        self, paths: StackPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("REHEARSAL_PULUMI_RESOURCE_KUBERNETES", str(program(tmp_path / "mine")))
        monkeypatch.setattr(kubernetes_plugin, "module_dir", lambda *_: tmp_path / "module")
        install_plugin(paths, Path("/nonexistent/pulumi"), quiet)
        assert command(paths) == [str(tmp_path / "mine"), '"$@"']


class TestEnvironment:
    def test_the_credential_plugin_of_the_stack_comes_before_the_machines(
        self, paths: StackPaths, tmp_path: Path
    ) -> None:
        program(plugin_folder(tmp_path / "own") / KUBERNETES, 'gke-gcloud-auth-plugin; echo "$HTTPS_PROXY $1"')
        install_plugin(paths, Path("/nonexistent/pulumi"), quiet)
        paths.cluster.mkdir(parents=True)
        (paths.cluster / "credential.json").write_text('{"kind": "ExecCredential"}\n')
        answer = subprocess.run(
            [plugin_folder(paths.pulumi_home) / KUBERNETES, "127.0.0.1:1"],
            env={"PATH": os.environ["PATH"], PROXY_VARIABLE: "http://127.0.0.1:2"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert answer.stdout.splitlines() == ['{"kind": "ExecCredential"}', "http://127.0.0.1:2 127.0.0.1:1"]

    def test_a_provider_whose_engine_was_killed_is_ended(self, paths: StackPaths, tmp_path: Path) -> None:
        own = tmp_path / KUBERNETES
        own.symlink_to("/bin/sleep")
        environment = {**os.environ, "PULUMI_HOME": str(paths.pulumi_home)}
        engine = f"import subprocess, time; print(subprocess.Popen(['{own}', '60']).pid, flush=True); time.sleep(60)"
        with subprocess.Popen([sys.executable, "-c", engine], env=environment, stdout=subprocess.PIPE) as parent:
            assert parent.stdout is not None
            provider = Path("/proc") / parent.stdout.readline().decode().strip()
            try:
                end_orphans(paths)
                assert provider.exists()
            finally:
                parent.kill()
        end_orphans(StackPaths("other", tmp_path))
        assert provider.exists()
        end_orphans(paths)
        wait_until(lambda: not _runs(provider), timeout=10.0, on_timeout=lambda: AssertionError("it still runs"))


def _runs(process: Path) -> bool:
    try:
        return ") Z " not in (process / "stat").read_text()
    except OSError:
        return False


def kubeconfig(server: str) -> str:
    """As the program renders it for a DNS endpoint: a credential plugin, and no certificate at all."""
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "gke-gcloud-auth-plugin",
        "provideClusterInfo": True,
    }
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "gke",
            "clusters": [{"name": "gke", "cluster": {"server": server}}],
            "contexts": [{"name": "gke", "context": {"cluster": "gke", "user": "gke"}}],
            "users": [{"name": "gke", "user": {"exec": plugin}}],
        }
    )


# The kind of the program that runs, which its objects depend on.
KINDS: list[pulumi.Resource] = []

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
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackPaths]:
    stack = StackPaths("kubernetes", tmp_path_factory.mktemp("rehearsal"))
    ControlPlane(stack).start(Features("1.34.1-gke.1829001"))
    yield stack
    processes.stop_all(stack)


@pytest.fixture
def run(cluster: StackPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    monkeypatch.setattr("pulumi.automation._stack.LanguageServer", ProgramServer)
    executable = binaries(["pulumi"], quiet)["pulumi"]
    install_plugin(cluster, executable, quiet)
    with client(cluster) as kube, registry.serve(cluster, quiet) as charts:
        declared: list[Declare] = []

        def declare_all() -> None:
            config = kubeconfig(kube.server)
            provider = k8s.Provider("cluster", kubeconfig=config, cluster_identifier="projects/p/clusters/c")
            for declare in declared:
                declare(pulumi.ResourceOptions(provider=provider))

        options = automation.LocalWorkspaceOptions(
            work_dir=str(tmp_path),
            pulumi_command=automation.PulumiCommand(root=str(executable.parent.parent)),
            project_settings=automation.ProjectSettings(name="llm-d", runtime="python"),
            env_vars={
                "PULUMI_BACKEND_URL": f"file://{tmp_path}",
                "PULUMI_CONFIG_PASSPHRASE": "",
                # The provider leaves each kubeconfig that it was given as a file.
                "TMPDIR": str(tmp_path),
                "PULUMI_HOME": str(cluster.pulumi_home),
                "PULUMI_IGNORE_AMBIENT_PLUGINS": "true",
                "PULUMI_SKIP_UPDATE_CHECK": "true",
                "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
                PROXY_VARIABLE: charts,
            },
        )
        stack = automation.create_stack("test", project_name="llm-d", program=declare_all, opts=options)
        yield Run(stack, kube, cluster, declared)
        stack.destroy()


def configuration(value: str, **metadata: Any) -> Declare:
    about: Any = metadata

    def declare(opts: pulumi.ResourceOptions) -> None:
        k8s.core.v1.ConfigMap("config", metadata=about, data={"a": value}, opts=opts)

    return declare


def definition(opts: pulumi.ResourceOptions) -> None:
    weights = {"type": "object", "properties": {"weight": {"type": "integer"}}}
    # Controllers write the status, which no schema of this test describes.
    status = {"type": "object", "x_kubernetes_preserve_unknown_fields": True}
    schema = {"type": "object", "properties": {"spec": weights, "status": status}}
    spec: Any = {
        "group": "rehearsal.example.com",
        "scope": "Namespaced",
        "names": {"kind": "Route", "plural": "routes"},
        "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"open_apiv3_schema": schema}}],
    }
    name = {"name": "routes.rehearsal.example.com"}
    kind = k8s.apiextensions.v1.CustomResourceDefinition("routes", metadata=name, spec=spec, opts=opts)  # type: ignore[call-overload]
    KINDS[:] = [kind]


def route(spec: Mapping[str, Any], **annotations: str) -> Declare:
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
            spec=spec,
            # A CRD that is deleted first would delete its objects, and the provider waits for them until its timeout.
            opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=KINDS)),
        )

    return declare


def deployment(timeout: str, replicas: int = 2) -> Declare:
    def declare(opts: pulumi.ResourceOptions) -> None:
        container = {"name": "main", "image": "example.com/engine:1"}
        about: Any = {"name": "engine", "annotations": {"pulumi.com/timeoutSeconds": timeout}}
        spec: Any = {
            "replicas": replicas,
            "selector": {"match_labels": {"app": "engine"}},
            "template": {"metadata": {"labels": {"app": "engine"}}, "spec": {"containers": [container]}},
        }
        k8s.apps.v1.Deployment("engine", metadata=about, spec=spec, opts=opts)

    return declare


def chart(version: str, reference: str = "oci://registry.k8s.io/lws/charts/lws", **more: Any) -> Declare:
    def declare(opts: pulumi.ResourceOptions) -> None:
        k8s.helm.v3.Release(
            "lws",
            name="lws",
            chart=reference,
            version=version,
            namespace="lws",
            create_namespace=True,
            # No node runs here: what would wait for pods does not.
            skip_await=True,
            values=more,
            opts=opts,
        )

    return declare


@pytest.mark.rehearsal
class TestBehindTheEngine:
    def test_objects_come_stay_and_go(self, run: Run) -> None:
        def objects(opts: pulumi.ResourceOptions) -> None:
            namespace = k8s.core.v1.Namespace("models", metadata={"name": "models"}, opts=opts)
            inside = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[namespace]))
            token = pulumi.Output.secret("hush-hush")
            k8s.core.v1.Secret("token", metadata={"namespace": "models"}, string_data={"token": token}, opts=inside)

        everything = (objects, definition, configuration("1"))
        assert run.preview(*everything) == {"create": 6}
        assert run.up() == {"create": 6}
        assert run.preview() == {"same": 6}
        run.stack.refresh()
        assert run.preview() == {"same": 6}
        states = [file.read_text() for file in Path(run.stack.workspace.work_dir).rglob("test.json*")]
        assert states
        assert not [state for state in states if "hush-hush" in state or "aHVzaC1odXNo" in state]
        run.stack.destroy()
        assert run.kube.find("v1", "Namespace", "models") is None

    def test_a_field_that_a_kind_does_not_have_is_refused(self, run: Run) -> None:
        run.up(definition)
        with pytest.raises(automation.CommandError, match=r"spec\.weights.*field not declared in schema"):
            run.preview(definition, route({"weights": 1}))

    def test_an_object_of_someone_else_is_not_taken_over(self, run: Run) -> None:
        run.kube.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "theirs"}, "data": {"a": "0"}})
        with pytest.raises(automation.CommandError, match="Server-Side Apply field conflict detected"):
            run.up(configuration("1", name="theirs"))
        assert run.kube.get("v1", "ConfigMap", "theirs")["data"] == {"a": "0"}
        run.kube.delete("v1", "ConfigMap", "theirs")

    def test_what_the_api_server_refuses_is_refused_in_the_preview(self, run: Run) -> None:
        with pytest.raises(automation.CommandError, match=r"metadata\.labels"):
            run.preview(configuration("1", name="x", labels={"a b": "c"}))

    def test_a_stuck_rollout_fails_and_is_repaired(self, run: Run) -> None:
        with pytest.raises(automation.CommandError) as failed:
            run.up(deployment("3"))
        assert "Minimum number of live Pods was not attained" in str(failed.value)
        # It is in the state, so that the next update repairs it instead of finding an unknown object.
        assert run.preview() == {"same": 2, "update": 1}
        assert run.up(deployment("30", replicas=0)) == {"same": 2, "update": 1}

    def test_an_object_is_awaited_as_its_annotation_says(self, run: Run) -> None:
        wait = {"pulumi.com/waitFor": ACCEPTED, "pulumi.com/timeoutSeconds": "60"}
        accepted = {"status": {"parents": [{"conditions": [{"type": "Accepted", "status": "True"}]}]}}
        kind = ("rehearsal.example.com/v1", "Route", "route")
        accepts = threading.Event()

        def accept() -> None:
            wait_until(lambda: run.kube.find(*kind) is not None, timeout=60.0, on_timeout=lambda: AssertionError(kind))
            accepts.set()
            run.kube.patch(*kind, accepted)

        run.up(definition)
        controller = threading.Thread(target=accept)
        controller.start()
        assert run.up(definition, route({"weight": 1}, **wait)) == {"same": 3, "create": 1}
        assert accepts.is_set()
        controller.join()

    def test_a_chart_comes_changes_and_goes(self, run: Run) -> None:
        kind = ("apiextensions.k8s.io/v1", "CustomResourceDefinition", "leaderworkersets.leaderworkerset.x-k8s.io")
        controller = ("apps/v1", "Deployment", "lws-controller-manager", "lws")
        assert run.up(chart("0.9.0")) == {"create": 3}
        assert run.preview() == {"same": 3}
        assert run.kube.find(*controller) is not None
        assert any("sigs.k8s.io/lws" in sentence for sentence in recorded_differences(run.paths))
        assert run.up(chart("0.9.0", replicaCount=3)) == {"same": 2, "update": 1}
        assert run.kube.get(*controller)["spec"]["replicas"] == 3
        run.stack.destroy()
        assert run.kube.find(*controller) is None
        assert run.kube.find(*kind) is not None, "with the kind every group in the cluster would go"

    def test_a_chart_that_no_module_publishes_is_refused_in_the_preview(self, run: Run) -> None:
        run.up(configuration("1"))
        with pytest.raises(
            automation.CommandError, match=r"chart value \{oci://registry\.example\.com/other\} has a problem"
        ):
            run.preview(chart("1.0.0", "oci://registry.example.com/other"))
