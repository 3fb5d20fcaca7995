"""The recorder keeps the requests of a program, and applies the engine's rules to them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pulumi
import pulumi_gcp as gcp
import pulumi_kubernetes as k8s
import pytest
from pulumi.runtime.proto import resource_pb2, resource_pb2_grpc

from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.resource_graph import (
    UNKNOWN,
    EngineRefusalError,
    Graph,
    ResourceRequest,
    Secret,
    contains_unknown,
    record,
)
from llm_d_gke.resource_graph.kubernetes import kubernetes_objects
from llm_d_gke.resource_graph.monitor import FEATURES, RecordingMonitor
from llm_d_gke.resource_graph.rendering import DuplicateObjectError, render, yaml_text
from llm_d_gke.resource_graph.values import Value

NETWORK = "gcp:compute/network:Network"
SUBNETWORK = "gcp:compute/subnetwork:Subnetwork"
CLUSTER = "gcp:container/cluster:Cluster"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
CONFIG = {"llm-d:project": "my-project", "llm-d:token": "hf_secret"}


class Network(pulumi.ComponentResource):
    def __init__(self, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("llm-d:network:Network", "network", None, opts)
        self.network = gcp.compute.Network(
            "network", auto_create_subnetworks=False, opts=pulumi.ResourceOptions(parent=self)
        )
        self.subnet = gcp.compute.Subnetwork(
            "nodes",
            network=self.network.id,
            ip_cidr_range="10.0.0.0/20",
            region="us-central1",
            opts=pulumi.ResourceOptions(parent=self, protect=False, ignore_changes=["secondaryIpRanges"]),
        )
        self.register_outputs({"network": self.network.name, "region": "us-central1"})


class Server(pulumi.ComponentResource):
    def __init__(self, cluster: gcp.container.Cluster, token: pulumi.Output[str], opts: pulumi.ResourceOptions) -> None:
        super().__init__("llm-d:server:Server", "server", None, opts)
        mine = pulumi.ResourceOptions(parent=self)
        metadata = k8s.meta.v1.ObjectMetaArgs(name="vllm", namespace="llm-d")
        self.secret = k8s.core.v1.Secret("token", metadata=metadata, string_data={"token": token}, opts=mine)
        self.deployment = k8s.apps.v1.Deployment(
            "vllm",
            metadata={
                "name": "vllm",
                "namespace": "llm-d",
                "annotations": {"endpoint": cluster.endpoint.apply(lambda ip: f"https://{ip}")},
            },
            spec={
                "replicas": 2,
                "selector": {"match_labels": {"app": "vllm"}},
                "template": {
                    "metadata": {"labels": {"app": "vllm"}},
                    "spec": {"containers": [{"name": "vllm", "image": "vllm:1", "args": ["--port", "8000"]}]},
                },
            },
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[self.secret], custom_timeouts=pulumi.CustomTimeouts(create="60m")
            ),
        )
        self.pool = k8s.apiextensions.CustomResource(
            "pool",
            api_version="inference.networking.k8s.io/v1",
            kind="InferencePool",
            metadata={"name": "vllm-pool", "namespace": "llm-d"},
            spec={"targetPorts": [{"number": 8000}]},
            opts=mine,
        )


def sample() -> None:
    """A small stack: a network, a cluster in it, a provider of the cluster, a server through the provider."""
    config = pulumi.Config()
    network = Network(pulumi.ResourceOptions(protect=True))
    cluster = gcp.container.Cluster(
        "cluster",
        name="llm-d",
        location="us-central1-a",
        network=network.network.id,
        subnetwork=network.subnet.id,
        opts=pulumi.ResourceOptions(delete_before_replace=True, aliases=[pulumi.Alias(name="old")]),
    )
    kubeconfig = pulumi.Output.all(cluster.endpoint, cluster.name).apply(lambda got: json.dumps({"server": got[0]}))
    provider = k8s.Provider("cluster", kubeconfig=kubeconfig, cluster_identifier="llm-d")
    token = config.require_secret("token")
    options = pulumi.ResourceOptions(providers=[provider], deleted_with=cluster, depends_on=[network])
    server = Server(cluster, token, options)
    k8s.core.v1.Namespace("llm-d", metadata={"name": "llm-d"}, opts=pulumi.ResourceOptions(provider=provider))
    pulumi.export("endpoint", cluster.endpoint)
    pulumi.export("token", token)
    pulumi.export("ready", server.deployment.metadata.apply(lambda metadata: metadata.name))
    pulumi.log.warn("a warning")


def run(program: Callable[[], object] = sample, *, preview: bool = True, config: Mapping[str, str] = CONFIG) -> Graph:
    secret = {key: Secret(value) for key, value in config.items() if key == "llm-d:token"}
    return record(program, stack="gpu", config={**config, **secret}, preview=preview)


@pytest.fixture(scope="module")
def planned() -> Graph:
    return run()


@pytest.fixture(scope="module")
def built() -> Graph:
    return run(preview=False)


class TestWhatIsRecorded:
    def test_urns_carry_the_types_of_all_parents_but_the_stack(self, planned: Graph) -> None:
        assert [resource.urn.removeprefix("urn:pulumi:gpu::llm-d::") for resource in planned] == [
            "gcp:container/cluster:Cluster::cluster",
            "kubernetes:core/v1:Namespace::llm-d",
            "llm-d:network:Network$gcp:compute/network:Network::network",
            "llm-d:network:Network$gcp:compute/subnetwork:Subnetwork::nodes",
            "llm-d:network:Network::network",
            "llm-d:server:Server$kubernetes:apps/v1:Deployment::vllm",
            "llm-d:server:Server$kubernetes:core/v1:Secret::token",
            "llm-d:server:Server$kubernetes:inference.networking.k8s.io/v1:InferencePool::pool",
            "llm-d:server:Server::server",
            "pulumi:providers:kubernetes::cluster",
            "pulumi:pulumi:Stack::llm-d-gpu",
        ]

    def test_inputs_have_wire_names_and_whole_numbers(self, planned: Graph) -> None:
        replicas = planned.one(DEPLOYMENT)["spec"]["replicas"]
        assert replicas == 2
        assert isinstance(replicas, int)
        assert planned.one(SUBNETWORK)["ipCidrRange"] == "10.0.0.0/20"

    def test_a_secret_is_kept_apart_and_never_printed(self, planned: Graph) -> None:
        token = planned.one("kubernetes:core/v1:Secret")["stringData"]
        # The SDK makes the whole map of a Kubernetes Secret one secret.
        assert token == Secret({"token": "hf_secret"})
        assert planned.outputs["token"] == Secret("hf_secret")
        assert "hf_secret" not in repr(planned)

    def test_options_are_the_programs_own(self, planned: Graph) -> None:
        assert planned.one(CLUSTER).options.delete_before_replace is True
        assert planned.one(NETWORK).options.delete_before_replace is None
        assert planned.one(CLUSTER).options.aliases == ({"name": "old"},)
        assert planned.one(SUBNETWORK).options.ignore_changes == ("secondaryIpRanges",)
        assert planned.one(DEPLOYMENT).options.custom_timeouts == {"create": "60m"}
        assert set(planned.one("kubernetes:core/v1:Secret").options.additional_secret_outputs) == {"data", "stringData"}

    def test_property_dependencies_name_the_property(self, planned: Graph) -> None:
        cluster = planned.one(CLUSTER)
        assert cluster.property_dependencies == {
            "network": (planned.one(NETWORK).urn,),
            "subnetwork": (planned.one(SUBNETWORK).urn,),
        }

    def test_outputs_and_messages_are_kept(self, planned: Graph) -> None:
        network = planned.one("llm-d:network:Network")
        assert planned.component_outputs[network.urn]["region"] == "us-central1"
        assert [(message.severity, message.text) for message in planned.messages] == [("warning", "a warning")]

    def test_a_resource_knows_the_line_that_made_it(self, planned: Graph) -> None:
        file, line = str(planned.one(CLUSTER).source).rsplit(":", 1)
        assert file.endswith("tests/resource_graph/test_graph.py")
        assert "gcp.container.Cluster(" in Path(__file__).read_text().splitlines()[int(line) - 1]

    def test_a_hook_is_recorded_by_name(self) -> None:
        def program() -> None:
            hook = pulumi.ResourceHook("leftovers", lambda _: None)
            binding = pulumi.ResourceHookBinding(before_delete=[hook])
            gcp.compute.Network("network", opts=pulumi.ResourceOptions(hooks=binding))

        assert run(program).one(NETWORK).options.hooks == {"before_delete": ("leftovers",)}


class TestInheritance:
    def test_protect_passes_to_children_that_say_nothing(self, planned: Graph) -> None:
        assert planned.one(NETWORK).options.protect is True
        assert planned.one(SUBNETWORK).options.protect is False
        assert planned.one(CLUSTER).options.protect is False

    def test_deleted_with_passes_to_children(self, planned: Graph) -> None:
        assert planned.one(DEPLOYMENT).options.deleted_with == planned.one(CLUSTER).urn

    def test_a_components_provider_serves_its_children(self, planned: Graph) -> None:
        provider = planned.one("pulumi:providers:kubernetes").urn
        assert planned.one(DEPLOYMENT).provider == provider
        assert planned.one(NETWORK).provider is None

    def test_retain_on_delete_passes_through_two_levels(self) -> None:
        def program() -> None:
            outer = pulumi.ComponentResource("a:b:Outer", "outer", opts=pulumi.ResourceOptions(retain_on_delete=True))
            inner = pulumi.ComponentResource("a:b:Inner", "inner", opts=pulumi.ResourceOptions(parent=outer))
            gcp.compute.Network("network", opts=pulumi.ResourceOptions(parent=inner))
            gcp.compute.Network("other", opts=pulumi.ResourceOptions(parent=inner, retain_on_delete=False))

        graph = run(program)
        assert graph.one(NETWORK, "network").options.retain_on_delete is True
        assert graph.one(NETWORK, "other").options.retain_on_delete is False
        assert graph.one(NETWORK, "network").urn == f"urn:pulumi:gpu::llm-d::a:b:Outer$a:b:Inner${NETWORK}::network"


class TestPreview:
    def test_what_only_a_deployment_knows_is_unknown(self, planned: Graph) -> None:
        assert planned.outputs["endpoint"] is UNKNOWN
        assert planned.one(CLUSTER)["network"] is UNKNOWN
        assert contains_unknown(planned.one("pulumi:providers:kubernetes").inputs)

    def test_a_provider_without_a_known_configuration_makes_nothing_known(self, planned: Graph) -> None:
        assert planned.outputs["ready"] is UNKNOWN

    def test_a_configured_provider_gives_back_the_inputs(self) -> None:
        def program() -> None:
            opts = pulumi.ResourceOptions(provider=k8s.Provider("p", kubeconfig="{}"))
            namespace = k8s.core.v1.Namespace("n", metadata={"name": "llm-d"}, opts=opts)
            pulumi.export("name", namespace.metadata.name)
            pulumi.export("status", namespace.status)

        assert run(program).outputs == {"name": "llm-d", "status": UNKNOWN}


class TestUpPass:
    def test_code_inside_apply_runs(self, built: Graph) -> None:
        assert built.one(DEPLOYMENT)["metadata"]["annotations"]["endpoint"].startswith("https://192.0.2.")
        assert json.loads(str(built.one("pulumi:providers:kubernetes")["kubeconfig"])) == {"server": "192.0.2.10"}
        assert built.outputs["ready"] == "vllm"

    def test_nothing_is_unknown(self, built: Graph) -> None:
        assert [resource.urn for resource in built if contains_unknown(resource.inputs)] == []

    def test_both_passes_register_the_same(self, planned: Graph, built: Graph) -> None:
        assert [(r.urn, r.parent, r.dependencies, r.options) for r in planned] == [
            (r.urn, r.parent, r.dependencies, r.options) for r in built
        ]

    def test_a_test_may_answer_for_itself(self) -> None:
        seen: list[ResourceRequest] = []

        def answer(request: ResourceRequest) -> Mapping[str, Value]:
            seen.append(request)
            return {"id": "chosen", "endpoint": "10.9.8.7"} if request.type == CLUSTER else {}

        def program() -> None:
            provider = gcp.Provider("google", project="my-project")
            cluster = gcp.container.Cluster("cluster", opts=pulumi.ResourceOptions(provider=provider))
            pulumi.export("all", [cluster.id, cluster.endpoint])

        graph = record(program, stack="gpu", preview=False, answer=answer)
        assert graph.outputs["all"] == ["chosen", "10.9.8.7"]
        assert graph.one(CLUSTER).id == "chosen"
        assert [request.provider for request in seen if request.type == CLUSTER] == [{"project": "my-project"}]

    def test_a_nested_answer_leaves_the_inputs_beside_it(self) -> None:
        def program() -> None:
            cluster = gcp.container.Cluster(
                "cluster",
                control_plane_endpoints_config={"dns_endpoint_config": {"allow_external_traffic": True}},
            )
            dns = cluster.control_plane_endpoints_config.dns_endpoint_config
            pulumi.export("dns", {"open": dns.allow_external_traffic, "endpoint": dns.endpoint})

        dns = run(program, preview=False).outputs["dns"]
        assert dns["open"] is True
        assert dns["endpoint"].endswith(".gke.example")

    def test_a_read_is_known_even_in_a_preview(self) -> None:
        def program() -> None:
            address = gcp.compute.Address.get("address", "projects/p/regions/r/addresses/a")
            pulumi.export("address", address.address)

        graph = run(program)
        assert graph.outputs["address"].startswith("198.51.100.")
        assert graph.one("gcp:compute/address:Address").read is True


class TestRefusals:
    def test_a_urn_may_be_used_once(self) -> None:
        def program() -> None:
            gcp.compute.Network("same")
            gcp.compute.Network("same")

        with pytest.raises(
            EngineRefusalError, match=r"Duplicate resource URN 'urn:.*::same'; try giving it a unique name"
        ):
            run(program)

    def test_an_invoke_names_its_token(self) -> None:
        with pytest.raises(EngineRefusalError, match="gcp:compute/getZones:getZones"):
            run(lambda: gcp.compute.get_zones(region="us-central1"))

    def test_an_invoke_of_outputs_names_its_token(self) -> None:
        def program() -> None:
            pulumi.export("zones", gcp.compute.get_zones_output(region=pulumi.Output.from_input("us-central1")).names)

        with pytest.raises(EngineRefusalError, match="gcp:compute/getZones:getZones"):
            run(program)

    def test_a_disabled_default_provider_serves_nobody(self) -> None:
        with pytest.raises(EngineRefusalError, match="Default provider for 'gcp' disabled"):
            run(lambda: gcp.compute.Network("n"), config={"pulumi:disable-default-providers": '["gcp"]'})

    def test_a_timeout_is_a_duration(self) -> None:
        opts = pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(create="an hour"))
        with pytest.raises(EngineRefusalError, match="create timeout 'an hour'"):
            run(lambda: gcp.compute.Network("n", opts=opts))

    def test_the_programs_own_error_is_raised_as_it_is(self) -> None:
        def program() -> None:
            gcp.compute.Network("n")
            raise LookupError("no such accelerator")

        with pytest.raises(LookupError, match="no such accelerator"):
            run(program)

    def test_an_error_inside_apply_is_raised_as_it_is(self) -> None:
        def program() -> None:
            network = gcp.compute.Network("n")
            pulumi.export("x", network.id.apply(lambda _: CONFIG["missing"]))

        assert run(program).outputs["x"] is UNKNOWN
        with pytest.raises(KeyError, match="missing"):
            run(program, preview=False)


class TestTheProtocol:
    def test_every_call_the_sdk_can_make_is_served(self) -> None:
        """An SDK with a new call would fail somewhere in the middle of a program; here it fails by name."""
        calls = {name for name in vars(resource_pb2_grpc.ResourceMonitorServicer) if not name.startswith("_")}
        # SupportsFeature is for engines without GetDeploymentInfo.
        assert {name for name in calls if not hasattr(RecordingMonitor, name)} == {"SupportsFeature"}

    def test_features_that_are_not_offered_are_known(self) -> None:
        every = resource_pb2.ResourceMonitorFeature.items()
        assert sorted(name.removeprefix("RESOURCE_MONITOR_FEATURE_") for name, n in every if n not in FEATURES) == [
            "BYTE_STRING",
            "CALL_OUTPUT_VALUES",
            "INVOKE_DEPENDS_ON",
            "INVOKE_OUTPUT_VALUES",
            "INVOKE_PARENT",
            "OUTPUT_VALUES",
            "SENDS_OPTIONS_TO_HOOKS",
            "STATE_MIGRATIONS",
        ]


class TestTransforms:
    def test_a_stack_transform_changes_what_comes_after_it(self) -> None:
        def label(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult | None:
            if args.type_ != NETWORK:
                return None
            opts = pulumi.ResourceOptions.merge(args.opts, pulumi.ResourceOptions(protect=True))
            return pulumi.ResourceTransformResult({**args.props, "description": "changed"}, opts)

        def program() -> None:
            gcp.compute.Network("before")
            pulumi.runtime.register_resource_transform(label)
            gcp.compute.Network("after", mtu=1460)

        graph = run(program)
        assert "description" not in graph.one(NETWORK, "before").inputs
        assert graph.one(NETWORK, "after")["description"] == "changed"
        assert graph.one(NETWORK, "after")["mtu"] == 1460
        assert graph.one(NETWORK, "after").options.protect is True


class TestRunsDoNotMeet:
    def test_two_runs_of_one_program_are_equal(self, planned: Graph) -> None:
        assert run() == planned

    def test_a_failed_run_leaves_nothing_behind(self, planned: Graph) -> None:
        with pytest.raises(EngineRefusalError):
            run(lambda: [gcp.compute.Network("same") for _ in range(3)])
        assert run() == planned
        assert pulumi.runtime.get_root_resource() is None
        assert pulumi.Config("llm-d").get("project") is None

    def test_a_folder_runs_as_main_with_its_own_modules(self, tmp_path: Path) -> None:
        (tmp_path / "__main__.py").write_text(
            "import pulumi, part_of_a_folder, pathlib\n"
            "pulumi.export('main', __name__)\n"
            "pulumi.export('part', part_of_a_folder.NAME)\n"
            "pulumi.export('here', pathlib.Path('here.txt').read_text())\n"
            "pulumi.export('value', pulumi.Config().require_int('value'))\n"
        )
        (tmp_path / "part_of_a_folder.py").write_text("NAME = 'a part'\n")
        (tmp_path / "here.txt").write_text("read")
        graph = record(tmp_path, stack="gpu", config={"llm-d:value": "3"})
        assert graph.outputs == {"main": "__main__", "part": "a part", "here": "read", "value": 3}

    def test_an_async_program_exports_what_it_returns(self, tmp_path: Path) -> None:
        program = tmp_path / "main.py"
        program.write_text("import pulumi\nasync def main():\n    return {'answer': 42}\npulumi.run(main)\n")
        assert record(program, stack="gpu").outputs == {"answer": 42}


class TestQuestions:
    def test_depends_follows_others_providers_and_parents(self, planned: Graph) -> None:
        deployment, cluster, network = planned.one(DEPLOYMENT), planned.one(CLUSTER), planned.one(NETWORK)
        namespace = planned.one("kubernetes:core/v1:Namespace")
        assert planned.depends(deployment, network)
        assert planned.depends(namespace, cluster.urn)
        assert not planned.depends(network, deployment)
        assert not planned.depends(namespace, deployment)
        assert not planned.depends(network, network)

    def test_children_are_direct_descendants_are_all(self, planned: Graph) -> None:
        stack = planned.one("pulumi:pulumi:Stack")
        assert [child.name for child in planned.children(planned.one("llm-d:network:Network"))] == ["network", "nodes"]
        assert len(planned.descendants(stack)) == len(planned) - 1
        assert planned.one(NETWORK) not in planned.children(stack)

    def test_one_tells_what_there_is_instead(self, planned: Graph) -> None:
        with pytest.raises(LookupError, match="there are of this type: network"):
            planned.one(NETWORK, "nework")
        with pytest.raises(LookupError, match=r"there are types: .*gcp:compute/network:Network"):
            planned.one("gcp:compute/net:Net")


class TestRender:
    def test_every_object_is_a_file_that_yaml_reads_back(self, built: Graph, tmp_path: Path) -> None:
        rendered = render(built, tmp_path)
        assert [str(path.relative_to(tmp_path)) for path in rendered.manifests] == [
            "manifests/_cluster/namespace-llm-d.yaml",
            "manifests/llm-d/deployment-vllm.yaml",
            "manifests/llm-d/inferencepool-vllm-pool.yaml",
            "manifests/llm-d/secret-vllm.yaml",
        ]
        read = [read_yaml(path) for path in rendered.manifests]
        assert sorted(read, key=str) == sorted(kubernetes_objects(built), key=str)

    def test_the_same_graph_is_the_same_text(self, built: Graph, tmp_path: Path) -> None:
        render(built, tmp_path / "a")
        render(run(preview=False), tmp_path / "b")
        a, b = ({p.relative_to(d): p.read_bytes() for p in d.rglob("*") if p.is_file()} for d in tmp_path.iterdir())
        assert a == b

    def test_no_secret_is_written(self, built: Graph, tmp_path: Path) -> None:
        render(built, tmp_path)
        everything = "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())
        assert "hf_secret" not in everything
        assert base64.b64encode(b"hf_secret").decode() not in everything
        secret = read_yaml(tmp_path / "manifests/llm-d/secret-vllm.yaml")
        assert secret["stringData"] == {"token": "[secret]"}

    def test_a_secrets_data_stays_valid_for_its_type(self) -> None:
        def program() -> None:
            pull = {".dockerconfigjson": pulumi.Output.secret("eyJhdXRocyI6e319")}
            k8s.core.v1.Secret("pull", type="kubernetes.io/dockerconfigjson", data=pull)
            k8s.core.v1.Secret("plain", metadata={"name": "plain"}, data={"key": "cGxhaW4="})

        plain, pull = kubernetes_objects(run(program))
        assert base64.b64decode(plain["data"]["key"]) == b"[secret]"
        assert json.loads(base64.b64decode(pull["data"][".dockerconfigjson"])) == {"auths": {"[secret]": {}}}
        assert pull["metadata"]["name"].startswith("pull-")

    def test_resources_json_lists_only_options_that_were_set(self, planned: Graph, tmp_path: Path) -> None:
        render(planned, tmp_path)
        listed = {load["urn"]: load for load in json.loads((tmp_path / "resources.json").read_text())}
        assert list(listed) == [resource.urn for resource in planned]
        cluster = listed[planned.one(CLUSTER).urn]
        assert set(cluster) == {
            *("urn", "type", "name", "parent", "dependencies", "propertyDependencies", "options", "inputs")
        }
        assert cluster["options"] == {
            "additionalSecretOutputs": ["effectiveLabels", "pulumiLabels"],
            "aliases": [{"name": "old"}],
            "deleteBeforeReplace": True,
        }
        assert cluster["inputs"]["network"] == "[unknown]"
        assert listed[planned.one(NETWORK).urn]["options"] == {"protect": True}

    def test_stale_manifests_go_and_other_files_stay(self, built: Graph, tmp_path: Path) -> None:
        stale, mine = tmp_path / "manifests/gone/pod-gone.yaml", tmp_path / "manifests/notes.md"
        stale.parent.mkdir(parents=True)
        stale.write_text("kind: Pod\n")
        mine.write_text("mine\n")
        assert render(built, tmp_path).removed == 1
        assert not stale.parent.exists()
        assert mine.exists()

    def test_one_object_may_not_have_two_resources(self, tmp_path: Path) -> None:
        def program() -> None:
            for name in ("a", "b"):
                k8s.core.v1.ConfigMap(name, metadata={"name": "same", "namespace": "llm-d"}, data={})

        with pytest.raises(DuplicateObjectError, match="configmap-same"):
            render(run(program), tmp_path / "out")
        assert not (tmp_path / "out").exists()

    def test_kinds_of_one_name_in_two_groups_have_two_files(self, tmp_path: Path) -> None:
        def program() -> None:
            for name, group in (("a", "inference.networking.k8s.io"), ("b", "inference.networking.x-k8s.io")):
                k8s.apiextensions.CustomResource(
                    name,
                    api_version=f"{group}/v1",
                    kind="InferencePool",
                    metadata={"name": "pool", "namespace": "llm-d"},
                )

        assert [path.name for path in render(run(program), tmp_path).manifests] == [
            "inferencepool.inference.networking.k8s.io-pool.yaml",
            "inferencepool.inference.networking.x-k8s.io-pool.yaml",
        ]

    @pytest.mark.parametrize("text", ["1e3", "y", "N", "0o17", "on", "12", "1.5", "null", "~", ".5e7"])
    def test_text_that_looks_like_something_else_is_quoted(self, text: str) -> None:
        written = yaml_text({"apiVersion": "v1", "kind": "ConfigMap", "data": {"key": text}})
        assert written.splitlines()[-1] in (f"  key: '{text}'", f'  key: "{text}"')
