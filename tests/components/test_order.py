"""Dependencies guarantee the order of resources, without sleeps or a second run, also when destroying."""

from __future__ import annotations

import pytest

from llm_d_gke.resource_graph import Graph, Recorded
from tests.stacks import ALL_THERE, existing_cluster, graph_of

ADDRESS = "gcp:compute/address:Address"
CLUSTER = "gcp:container/cluster:Cluster"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
GATEWAY = "kubernetes:gateway.networking.k8s.io/v1:Gateway"
MEMBER = "gcp:projects/iAMMember:IAMMember"
NAMESPACE = "kubernetes:core/v1:Namespace"
NAT = "gcp:compute/routerNat:RouterNat"
POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
POOL = "kubernetes:inference.networking.k8s.io/v1:InferencePool"
NODE_POOL = "gcp:container/nodePool:NodePool"
PROVIDER = "pulumi:providers:kubernetes"
ROUTE = "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute"
SECRET = "kubernetes:core/v1:Secret"
SERVICE_API = "gcp:projects/service:Service"
SUBNET = "gcp:compute/subnetwork:Subnetwork"
# What pods come from; with Istio, also the Gateway.
WORKLOADS = (
    DEPLOYMENT,
    GATEWAY,
    "kubernetes:leaderworkerset.x-k8s.io/v1:LeaderWorkerSet",
    "kubernetes:serving.kserve.io/v1alpha2:LLMInferenceService",
)


def in_namespace(graph: Graph) -> list[Recorded]:
    """Objects of the cluster besides the namespace itself."""
    return [r for r in graph if r.type.startswith("kubernetes:") and r.type != NAMESPACE]


def deployment(graph: Graph, ending: str) -> Recorded:
    [resource] = [r for r in graph.by_type(DEPLOYMENT) if r.name.endswith(ending)]
    return resource


def accelerator_pools(graph: Graph) -> list[Recorded]:
    return [pool for pool in graph.by_type(NODE_POOL) if pool.name != "cpu"]


class TestBeforeTheCluster:
    def test_every_api_is_enabled(self, either: Graph) -> None:
        cluster = either.one(CLUSTER)
        late = [api.name for api in either.by_type(SERVICE_API) if not either.depends(cluster, api)]
        assert late == []

    @pytest.mark.parametrize(
        "token", ["gcp:compute/network:Network", SUBNET, ADDRESS, "gcp:serviceaccount/account:Account"]
    )
    def test_nothing_of_google_cloud_comes_before_its_api(self, either: Graph, token: str) -> None:
        apis = either.by_type(SERVICE_API)
        early = [r.urn for r in either.by_type(token) for api in apis if not either.depends(r, api)]
        assert early == []

    def test_nodes_have_a_way_out(self, either: Graph) -> None:
        """Private nodes pull their first images through NAT: without it they never become ready."""
        assert either.depends(either.one(CLUSTER), either.one(NAT))

    def test_nodes_may_write_their_logs(self, either: Graph) -> None:
        late = [
            (pool.name, member.name)
            for pool in either.by_type(NODE_POOL)
            for member in either.by_type(MEMBER)
            if not either.depends(pool, member)
        ]
        assert late == []


class TestNodes:
    def test_the_cpu_pool_comes_before_accelerators(self, either: Graph) -> None:
        """GKE taints accelerator nodes only where a pool without accelerators exists already."""
        cpu = either.one(NODE_POOL, "cpu")
        assert len(accelerator_pools(either)) == 1
        assert all(either.depends(pool, cpu) for pool in accelerator_pools(either))

    def test_nothing_in_the_cluster_comes_before_a_node(self, either: Graph) -> None:
        cpu = either.one(NODE_POOL, "cpu")
        assert [r.urn for r in [*in_namespace(either), either.one(NAMESPACE)] if not either.depends(r, cpu)] == []

    def test_nor_where_namespace_and_secret_are_there_already(self) -> None:
        """No other resource is then between a node and the objects that need one."""
        graph = graph_of("gpu", {**existing_cluster(), **ALL_THERE})
        cpu = graph.one(NODE_POOL, "cpu")
        assert graph.by_type(NAMESPACE) == []
        assert [r.urn for r in in_namespace(graph) if not graph.depends(r, cpu)] == []

    def test_model_servers_come_after_the_accelerators(self, either: Graph) -> None:
        """And so go before them: a pod that outlives its nodes would hold up the end of the pool."""
        server = deployment(either, "-vllm")
        assert all(either.depends(server, pool) for pool in accelerator_pools(either))

    def test_the_picker_does_not_wait_for_accelerators(self, either: Graph) -> None:
        assert not any(either.depends(deployment(either, "-epp"), pool) for pool in accelerator_pools(either))


class TestInTheCluster:
    def test_everything_comes_after_the_provider_and_the_cluster(self, either: Graph) -> None:
        provider, cluster = either.one(PROVIDER), either.one(CLUSTER)
        assert either.depends(provider, cluster)
        assert [r.urn for r in [*in_namespace(either), either.one(NAMESPACE)] if not either.depends(r, provider)] == []

    def test_everything_comes_after_its_namespace(self, either: Graph) -> None:
        namespace = either.one(NAMESPACE)
        assert [r.urn for r in in_namespace(either) if not either.depends(r, namespace)] == []

    def test_pods_start_after_their_secrets(self, gpu: Graph) -> None:
        assert gpu.depends(deployment(gpu, "-vllm"), gpu.one(SECRET, "hugging-face"))

    @pytest.mark.parametrize(
        "token", ["core/v1:ConfigMap", "core/v1:ServiceAccount", "rbac.authorization.k8s.io/v1:RoleBinding"]
    )
    def test_the_picker_starts_after_what_it_reads(self, either: Graph, token: str) -> None:
        """A picker without configuration or permissions ends at once, and is tried again later and later."""
        picker = deployment(either, "-epp")
        assert either.depends(picker, either.one(f"kubernetes:{token}", picker.name))

    def test_the_pool_comes_after_the_pickers_service(self, either: Graph) -> None:
        pool = either.one(POOL)
        assert either.depends(pool, either.one("kubernetes:core/v1:Service", f"{pool.name}-epp"))

    def test_policies_come_after_their_pool(self, either: Graph) -> None:
        pool = either.one(POOL)
        policies = [r for r in either if r.type.startswith("kubernetes:networking.gke.io/v1:")]
        assert len(policies) == 2
        assert all(either.depends(policy, pool) for policy in policies)


class TestNetworkPolicies:
    """Pods run only while their policies are there: packets of open connections are held to them, too."""

    @pytest.mark.parametrize(
        "stack",
        ["multi-model-gpu", "mixture-of-experts-wide-gpu", "disaggregated-gpu", "kserve-istio-single-replica-gpu"],
    )
    def test_pods_come_after_the_policies_and_go_before_them(self, stack: str) -> None:
        graph = graph_of(stack)
        policies = [policy for policy in graph.by_type(POLICY) if "NetworkPolicies" in policy.urn]
        workloads = [resource for token in WORKLOADS for resource in graph.by_type(token)]
        assert len(policies) > 2
        assert len(workloads) > 1
        early = [(w.name, policy.name) for w in workloads for policy in policies if not graph.depends(w, policy)]
        assert early == []

    def test_a_namespace_is_closed_after_what_it_lets_in(self, either: Graph) -> None:
        closing = either.one(POLICY, "default-deny")
        others = [policy for policy in either.by_type(POLICY) if "NetworkPolicies" in policy.urn and policy != closing]
        assert len(others) == 2
        assert all(either.depends(closing, policy) for policy in others)


class TestTheWayIn:
    def test_the_gateway_comes_after_the_proxy_only_subnet(self, either: Graph) -> None:
        """Without it the Gateway is accepted and never gets an address."""
        assert either.depends(either.one(GATEWAY), either.one(SUBNET, "proxies"))

    def test_the_gateway_comes_after_its_address(self, either: Graph) -> None:
        assert either.depends(either.one(GATEWAY), either.one(ADDRESS))

    def test_the_gateway_goes_before_its_address_or_subnet_is_replaced(self, either: Graph) -> None:
        """Google deletes neither while a load balancer uses it, and both keep their names."""
        options = either.one(GATEWAY).options
        assert set(options.replace_with) == {either.one(ADDRESS).urn, either.one(SUBNET, "proxies").urn}
        assert options.delete_before_replace

    def test_gateways_have_their_provider_before_what_they_are_replaced_with(self, either: Graph) -> None:
        """Pulumi deletes them before it is replaced, and knows only providers that were registered by then."""
        gateway = either.one(GATEWAY)
        provider = either.one(PROVIDER).urn
        assert gateway.provider == provider
        assert [urn for urn in gateway.options.replace_with if not either.depends(urn, provider)] == []

    def test_a_reserved_address_of_others_replaces_no_gateway(self) -> None:
        gateway = graph_of("gpu", {"gateway.existingAddress": "theirs"}).one(GATEWAY)
        assert [urn.rpartition("::")[2] for urn in gateway.options.replace_with] == ["proxies"]

    def test_another_class_is_another_gateway(self, either: Graph) -> None:
        """The controller of the old class removes what it made only for a Gateway that is deleted."""
        assert either.one(GATEWAY).options.replace_on_changes == ("spec.gatewayClassName",)

    def test_the_gateway_comes_after_the_network_services_api(self, either: Graph) -> None:
        """Without it every request through a picker ends in 'fault filter abort'."""
        assert either.depends(either.one(GATEWAY), either.one(SERVICE_API, "networkservices"))

    def test_the_route_comes_after_both_its_ends(self, either: Graph) -> None:
        for name in ("inference", "inference-pools"):
            route = either.one(ROUTE, name)
            assert either.depends(route, either.one(GATEWAY))
            assert either.depends(route, either.one(POOL))
            assert either.depends(route, deployment(either, "-epp"))

    def test_the_load_balancer_is_set_up_while_weights_are_still_on_their_way(self, either: Graph) -> None:
        assert not either.depends(either.one(ROUTE, "inference-pools"), deployment(either, "-vllm"))

    def test_requests_go_to_new_servers_when_they_are_ready(self, either: Graph) -> None:
        """A route that changed before would have the load balancer refuse requests that the old servers can answer."""
        assert either.depends(either.one(ROUTE, "inference"), deployment(either, "-vllm"))


class TestDestroy:
    def test_the_gateway_goes_before_the_cluster(self, either: Graph) -> None:
        """Its controller takes the load balancer's parts away, and lives in the cluster."""
        for token in (GATEWAY, ROUTE, POOL):
            assert all(either.depends(resource, either.one(CLUSTER)) for resource in either.by_type(token))

    def test_the_network_goes_last(self, either: Graph) -> None:
        network = either.one("gcp:compute/network:Network")
        assert all(either.depends(either.one(token), network) for token in (CLUSTER, GATEWAY, NAT))

    def test_what_owns_parts_of_google_cloud_is_deleted_itself(self) -> None:
        """Deleted together with the cluster, it would leave forwarding rules and endpoint groups behind."""
        graph = graph_of("gpu", {"gateway.exposure": "internal", "gateway.directLoadBalancer": True})
        load_balancers = [r for r in graph.by_type("kubernetes:core/v1:Service") if r["spec"]["type"] == "LoadBalancer"]
        owners = [*load_balancers, *(r for token in (GATEWAY, ROUTE, POOL, NAMESPACE) for r in graph.by_type(token))]
        assert len(load_balancers) == 1
        assert {owner.name: owner.options.deleted_with for owner in owners} == dict.fromkeys(
            (owner.name for owner in owners), None
        )

    def test_plain_objects_go_with_the_cluster(self, either: Graph) -> None:
        cluster = either.one(CLUSTER).urn
        assert {r.options.deleted_with for r in either.by_type("kubernetes:core/v1:ConfigMap")} == {cluster}

    def test_pods_are_ended_before_their_namespace(self, either: Graph) -> None:
        """A namespace with pods left in it took ten seconds longer to go, each time."""
        assert {r.options.deleted_with for r in either.by_type(DEPLOYMENT)} == {None}

    def test_nothing_goes_with_a_cluster_of_somebody_else(self) -> None:
        graph = graph_of("gpu", existing_cluster())
        namespace = graph.one("kubernetes:core/v1:Namespace").urn
        assert [r.urn for r in graph if r.options.deleted_with not in (None, namespace)] == []

    def test_a_destroy_disables_no_api(self, either: Graph) -> None:
        apis = either.by_type(SERVICE_API)
        assert {api["service"] for api in apis} >= {"container.googleapis.com", "networkservices.googleapis.com"}
        assert {api["disableOnDestroy"] for api in apis} == {False}

    def test_slow_parts_get_their_time(self, either: Graph) -> None:
        """GKE frees endpoint groups and firewall rules only minutes after the objects that owned them."""
        for token, minimum in ((CLUSTER, 60), (NODE_POOL, 60), ("gcp:compute/network:Network", 30), (GATEWAY, 30)):
            for resource in either.by_type(token):
                assert int(resource.options.custom_timeouts["delete"].removesuffix("m")) >= minimum


class TestCrds:
    """The InferencePool CRD on clusters whose version does not bring it."""

    CRD = "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition"

    def test_it_comes_before_the_pool(self) -> None:
        graph = graph_of("gpu", {"cluster.version": "1.33"})
        assert graph.depends(graph.one(POOL), graph.one(self.CRD))

    def test_it_stays_when_the_stack_goes(self) -> None:
        """Deleting a CRD deletes every object of its kind, other people's too."""
        crd = graph_of("gpu", {"cluster.version": "1.33"}).one(self.CRD)
        assert crd.options.retain_on_delete
        assert crd.options.deleted_with is None

    def test_gkes_own_is_left_alone(self, either: Graph) -> None:
        assert either.by_type(self.CRD) == []


def test_the_identity_pool_is_there_before_it_is_granted_anything() -> None:
    """It comes with a project's first cluster; a grant to one of its members is refused before."""
    graph = graph_of("gpu", {"huggingFace": {"secretManagerSecret": "hf"}})
    grant = graph.one("gcp:secretmanager/secretIamMember:SecretIamMember")
    assert graph.depends(grant, graph.one(CLUSTER))
    assert graph.depends(deployment(graph, "-vllm"), grant)


def test_nobody_waits_for_a_picker_that_waits_for_its_pool(either: Graph) -> None:
    """A picker is ready once its pool exists, and the pool comes after the picker's Service.

    The real provider waits until every pod of a Service is ready: on GKE, `up` hung here for ten minutes.
    """
    service = either.one("kubernetes:core/v1:Service")
    assert service["metadata"]["annotations"]["pulumi.com/skipAwait"] == "true"
