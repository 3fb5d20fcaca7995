"""Every rule of the policy pack: silent on the project's own stacks, and not on a planted fault."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import pytest

from llm_d_gke.stackfile import PROJECT_ROOT
from policy.llmd_policy.exemptions import ExemptionError, exempted, load, parse
from policy.llmd_policy.resources import EXCEPTION, Resource, Violation, pods_of
from policy.llmd_policy.rules import RULES
from tests.policy.graphs import EVERY_STACK, one_of, resources_of

BY_ID = {rule.id: rule for rule in RULES}
LWS_STACK = "mixture-of-experts-wide-gpu"
KSERVE_STACK = "kserve-disaggregated-gpu"
TLS = {"kind": "secret", "secret": "edge"}


def violations(rule: str, resources: list[Resource], parameters: Mapping[str, Any] | None = None) -> list[Violation]:
    return BY_ID[rule].check(resources, {**BY_ID[rule].parameters, **(parameters or {})})


def messages(rule: str, resources: list[Resource], parameters: Mapping[str, Any] | None = None) -> list[str]:
    return [violation.message for violation in violations(rule, resources, parameters)]


@pytest.mark.parametrize("stack", EVERY_STACK)
def test_the_projects_own_stacks_break_no_rule_but_the_open_door(stack: str) -> None:
    """The examples are open and acknowledged as such; an organization's policy still reports them."""
    broken = {rule.id: messages(rule.id, resources_of(stack)) for rule in RULES}
    public = broken.pop("public-endpoint")
    assert {rule: texts for rule, texts in broken.items() if texts} == {}
    assert [text.partition(" on port")[0] for text in public] == [
        "Gateway inference-gateway is reachable from the internet without authentication",
        "Gateway inference-gateway answers plain HTTP",
    ]


def test_there_are_as_many_stacks_and_pods_as_the_project_has() -> None:
    """A way of finding pods that finds none would break no rule either."""
    pods = [pod for stack in EVERY_STACK for resource in resources_of(stack) for pod in pods_of(resource)]
    kinds = {pod.resource.kind for pod in pods}
    assert len(EVERY_STACK) == 25
    assert len(pods) >= 57
    assert {"Deployment", "LeaderWorkerSet", "LLMInferenceService"} <= kinds


# The place of a pod: stack, kind, and the path to its template.
PLACES: dict[str, tuple[str, str, Callable[[Any], Any]]] = {
    "Deployment": ("gpu", "Deployment", lambda body: body["spec"]["template"]["spec"]),
    "LeaderWorkerSet, worker": (
        LWS_STACK,
        "LeaderWorkerSet",
        lambda body: body["spec"]["leaderWorkerTemplate"]["workerTemplate"]["spec"],
    ),
    "LeaderWorkerSet, leader": (
        "mixture-of-experts-tpu",
        "LeaderWorkerSet",
        lambda body: body["spec"]["leaderWorkerTemplate"]["leaderTemplate"]["spec"],
    ),
    "LLMInferenceService, decode": (KSERVE_STACK, "LLMInferenceService", lambda body: body["spec"]["template"]),
    "LLMInferenceService, prefill": (
        KSERVE_STACK,
        "LLMInferenceService",
        lambda body: body["spec"]["prefill"]["template"],
    ),
    "LLMInferenceService, picker": (
        KSERVE_STACK,
        "LLMInferenceService",
        lambda body: body["spec"]["router"]["scheduler"]["template"],
    ),
}


def _root(pod: Any) -> None:
    pod["containers"][0].setdefault("securityContext", {})["runAsUser"] = 0


def _host_network(pod: Any) -> None:
    pod["hostNetwork"] = True


def _host_path(pod: Any) -> None:
    pod.setdefault("volumes", []).append({"name": "root", "hostPath": {"path": "/"}})


def _no_seccomp(pod: Any) -> None:
    pod["securityContext"].pop("seccompProfile", None)


def _escalates(pod: Any) -> None:
    pod["containers"][0]["securityContext"].pop("allowPrivilegeEscalation")


def _sidecar(pod: Any) -> None:
    pod.setdefault("initContainers", []).append({"name": "helper", "image": "busybox:1.36"})


def _probes_elsewhere(pod: Any) -> None:
    pod["containers"][0]["livenessProbe"] = {"httpGet": {"host": "10.0.0.1", "port": 80}}


def _unconfined(pod: Any) -> None:
    pod["securityContext"]["appArmorProfile"] = {"type": "Unconfined"}


def _other_selinux_type(pod: Any) -> None:
    pod["containers"][0].setdefault("securityContext", {})["seLinuxOptions"] = {"type": "spc_t"}


def _sysctl(pod: Any) -> None:
    pod["securityContext"]["sysctls"] = [{"name": "net.core.somaxconn", "value": "1024"}]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("plant", "rule"),
    [
        (_probes_elsewhere, "hostProbes"),
        (_unconfined, "appArmorProfile"),
        (_other_selinux_type, "seLinuxOptions"),
        (_sysctl, "sysctls"),
        (_root, "runAsNonRoot"),
        (_host_network, "hostNetwork"),
        (_host_path, "volumes"),
        (_no_seccomp, "seccompProfile"),
        (_escalates, "allowPrivilegeEscalation"),
        (_sidecar, "capabilities"),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_a_fault_is_found_wherever_the_pod_stands(place: str, plant: Callable[[Any], None], rule: str) -> None:
    stack, kind, way = PLACES[place]
    resources = resources_of(stack)
    before = messages("pod-security", resources, {"exceptions": []})
    plant(way(one_of(resources, kind)))
    added = [text for text in messages("pod-security", resources, {"exceptions": []}) if text not in before]
    if not added:
        # The pod breaks this rule already, by its exception.
        assert any(f"breaks {rule} " in text for text in before)
        return
    assert any(f"breaks {rule} " in text for text in added)


@pytest.mark.parametrize("place", PLACES)
def test_a_moving_tag_is_found_wherever_the_pod_stands(place: str) -> None:
    stack, kind, way = PLACES[place]
    for image in ("vllm/vllm-openai:latest", "vllm/vllm-openai", "registry:5000/team/vllm"):
        resources = resources_of(stack)
        way(one_of(resources, kind))["containers"][0]["image"] = image
        [text] = messages("pinned-images", resources)
        assert image in text


class TestPods:
    def test_an_exception_counts_with_its_reason_only(self) -> None:
        resources = resources_of("tpu")
        annotations = next(
            pod.annotations for resource in resources for pod in pods_of(resource) if EXCEPTION in pod.annotations
        )
        assert messages("pod-security", resources) == []
        annotations[EXCEPTION] = "runAsNonRoot:"  # type: ignore[index]
        assert any("breaks runAsNonRoot" in text for text in messages("pod-security", resources))

    def test_an_organization_may_refuse_an_exception(self) -> None:
        allowed = {"exceptions": ["runAsNonRoot"]}
        assert any("breaks privileged" in text for text in messages("pod-security", resources_of(LWS_STACK), allowed))
        assert messages("pod-security", resources_of("tpu"), allowed) == []

    def test_an_exception_without_need_is_found(self) -> None:
        resources = resources_of("gpu")
        template = one_of(resources, "Deployment")["spec"]["template"]["metadata"]
        template.setdefault("annotations", {})[EXCEPTION] = "privileged: just in case"
        assert [text.partition(": ")[2] for text in messages("pod-security", resources)] == [
            "claims the exception privileged and breaks no rule"
        ]

    def test_a_sidecar_beside_root_is_not_root(self) -> None:
        """The engine's exception is not the proxy's: it faces the Gateway."""
        for stack in ("disaggregated-tpu", "kserve-disaggregated-tpu"):
            pods = [
                pod for resource in resources_of(stack) for pod in pods_of(resource) if pod.spec.get("initContainers")
            ]
            assert pods
            for pod in pods:
                for sidecar in pod.spec["initContainers"]:
                    context = sidecar["securityContext"]
                    assert (context["runAsNonRoot"], context["runAsUser"]) == (True, 65532)

    def test_hygiene_is_checked(self) -> None:
        resources = resources_of("gpu")
        container = one_of(resources, "Deployment")["spec"]["template"]["spec"]["containers"][0]
        del container["resources"]["limits"]["memory"]
        container["securityContext"]["readOnlyRootFilesystem"] = False
        container.setdefault("env", []).append({"name": "HF_TOKEN", "value": "hf_x"})
        assert len(messages("pod-hygiene", resources)) == 3

    def test_digests_and_registries_can_be_required(self) -> None:
        resources = resources_of("gpu")
        assert len(messages("pinned-images", resources, {"digests": True})) == 2
        assert len(messages("pinned-images", resources, {"registries": ["mirror.example.com/llm"]})) == 2
        digest = "mirror.example.com/llm/vllm@sha256:" + "0" * 64
        for resource in resources:
            for pod in pods_of(resource):
                pod.containers[0]["image"] = digest  # type: ignore[index]
        strict = {"digests": True, "registries": ["mirror.example.com/llm"]}
        assert messages("pinned-images", resources, strict) == []


class TestEdge:
    CLOSED: Mapping[str, Mapping[str, Any]] = {
        "keys": {
            "gateway": {
                "exposure": "external",
                "implementation": "istio",
                "tls": TLS,
                "auth": {"kind": "api-keys"},
                "redirectHttp": True,
            },
            "apiKeys": {"a": "0123456789abcdef0123456789abcdef"},
            "acknowledge": None,
        },
        "tokens": {
            "gateway": {
                "exposure": "external",
                "implementation": "istio",
                "tls": TLS,
                "auth": {
                    "kind": "jwt",
                    "issuer": "https://accounts.example.com",
                    "jwksUri": "https://accounts.example.com/keys",
                    "audiences": ["llm"],
                },
            },
            "acknowledge": None,
        },
        "Google accounts": {
            "gateway": {
                "exposure": "external",
                "tls": TLS,
                "auth": {"kind": "iap", "clientId": "one", "existingSecret": "oauth"},
            },
            "acknowledge": None,
        },
        "inside the VPC": {"gateway.exposure": "internal", "acknowledge": None},
        "inside the VPC, Istio": {
            "gateway": {"exposure": "internal", "implementation": "istio"},
            "acknowledge": None,
        },
    }

    @pytest.mark.parametrize("name", CLOSED)
    def test_a_closed_gateway_breaks_no_rule(self, name: str) -> None:
        assert messages("public-endpoint", resources_of("gpu", self.CLOSED[name])) == []

    def test_a_certificate_alone_is_not_enough(self) -> None:
        [text] = messages("public-endpoint", resources_of("gpu", {"gateway.tls": TLS}))
        assert "without authentication" in text

    def test_one_backend_without_google_accounts_is_found(self) -> None:
        resources = resources_of("multi-model-gpu", self.CLOSED["Google accounts"])
        assert messages("public-endpoint", resources) == []
        policy = next(resource for resource in resources if resource.kind == "GCPBackendPolicy")
        del policy.properties["spec"]["default"]["iap"]
        assert any("without authentication" in text for text in messages("public-endpoint", resources))

    def test_a_load_balancer_past_the_gateway_is_found(self) -> None:
        resources = resources_of("gpu", {"gateway.exposure": "internal", "gateway.directLoadBalancer": True})
        assert messages("public-endpoint", resources) == []
        service = next(
            resource
            for resource in resources
            if resource.kind == "Service" and resource.properties["spec"].get("type") == "LoadBalancer"
        )
        service.properties["metadata"]["annotations"].clear()
        [text] = messages("public-endpoint", resources)
        assert "past every Gateway" in text


class TestCloud:
    def test_regions(self) -> None:
        assert messages("allowed-regions", resources_of("gpu"), {"allowed": ["us-central1"]}) == []
        violations_ = messages("allowed-regions", resources_of("gpu"), {"allowed": ["europe-west4"]})
        assert any(text.startswith("Cluster ") for text in violations_)

    def test_accelerators(self) -> None:
        assert messages("allowed-accelerators", resources_of("gpu"), {"allowed": ["nvidia-tesla-t4"]}) == []
        assert len(messages("allowed-accelerators", resources_of("gpu"), {"allowed": ["nvidia-l4"]})) == 1
        assert len(messages("allowed-accelerators", resources_of("tpu"), {"allowed": ["nvidia-l4"]})) == 1

    def test_models(self) -> None:
        assert messages("allowed-models", resources_of("gpu"), {"allowed": ["google/*"]}) == []
        for stack in ("gpu", LWS_STACK, KSERVE_STACK, "multi-model-gpu"):
            assert messages("allowed-models", resources_of(stack), {"allowed": ["nobody/*"]}), stack

    def test_licenses(self) -> None:
        licenses = {"google/*": "gemma", "Qwen/*": "apache-2.0"}
        apache = {"allowed": ["apache-2.0"], "licenses": licenses}
        assert messages("allowed-licenses", resources_of("gpu"), {"licenses": licenses}) == []
        assert messages("allowed-licenses", resources_of("tpu"), apache) == []
        [text] = messages("allowed-licenses", resources_of("gpu"), apache)
        assert "google/gemma-2b-it has the license gemma, not apache-2.0" in text
        for stack in ("gpu", LWS_STACK, KSERVE_STACK):
            unknown = messages("allowed-licenses", resources_of(stack), {"allowed": ["apache-2.0"]})
            assert unknown, stack
            assert all("no license is stated" in text for text in unknown)

    def test_weights_of_a_commit(self) -> None:
        required = {"required": True}
        source = {"kind": "hugging-face", "revision": "0123456789abcdef0123456789abcdef01234567"}
        assert messages("pinned-weights", resources_of("gpu")) == []
        assert messages("pinned-weights", resources_of("gpu", {"models[0].source": source}), required) == []
        bucket = {"kind": "bucket", "bucket": "weights", "path": "gemma"}
        assert messages("pinned-weights", resources_of("gpu", {"models[0].source": bucket}), required) == []
        moving = source | {"revision": "main"}
        for stack in ("gpu", LWS_STACK, KSERVE_STACK):
            # The catalog has a commit.
            assert messages("pinned-weights", resources_of(stack), required) == [], stack
            assert messages("pinned-weights", resources_of(stack, {"models[0].source": moving}), required), stack
        unknown = {"models[0]": {"id": "ibm-granite/granite-3.1-2b-instruct", "dtype": "half", "maxModelLen": 2048}}
        assert messages("pinned-weights", resources_of("gpu", unknown), required)

    def test_production_is_protected_and_on_demand(self) -> None:
        safe = {"labels": {"environment": "production"}, "cluster.deletionProtection": True}
        assert messages("production", resources_of("gpu", safe)) == []
        risky = {"labels": {"environment": "production"}, "accelerator.provisioning": "spot"}
        assert len(messages("production", resources_of("gpu", risky))) == 2
        assert messages("production", resources_of("gpu", {"accelerator.provisioning": "spot"})) == []

    def test_labels(self) -> None:
        required = {"required": ["team"]}
        assert len(messages("required-labels", resources_of("gpu"), required)) == 3
        assert messages("required-labels", resources_of("gpu", {"labels": {"team": "search"}}), required) == []

    def test_the_ceiling_counts_every_pool_at_its_largest(self) -> None:
        prices = {"n1-standard-4": 1.0, "e2-standard-4": 0.1, "e2-standard-2": 0.1}
        machines = {
            resource.properties["nodeConfig"]["machineType"]
            for resource in resources_of("gpu")
            if resource.type.endswith(":NodePool")
        }
        all_prices = {machine: prices.get(machine, 0.1) for machine in machines}
        assert messages("monthly-ceiling", resources_of("gpu"), {"usd": 100_000, "prices": all_prices}) == []
        [text] = messages("monthly-ceiling", resources_of("gpu"), {"usd": 1000, "prices": all_prices})
        assert "above the ceiling of $1,000" in text
        assert len(messages("monthly-ceiling", resources_of("gpu"), {"usd": 1000, "prices": {}})) == 2

    def test_the_first_node_counts_as_a_node(self) -> None:
        resources = resources_of("gpu")
        del one_of(resources, "Cluster")["nodeConfig"]["serviceAccount"]
        [text] = messages("hardened-nodes", resources)
        assert "run as the default account" in text

    def test_nodes_that_autopilot_makes_have_an_account_too(self) -> None:
        resources = resources_of("autopilot-gpu")
        del one_of(resources, "Cluster")["clusterAutoscaling"]["autoProvisioningDefaults"]["serviceAccount"]
        [text] = messages("hardened-nodes", resources)
        assert "run as the default account" in text


class TestExemptions:
    ENTRY: Mapping[str, Any] = {
        "rule": "public-endpoint",
        "resource": "inference-*",
        "reason": "conference",
        "until": date(2027, 3, 31),
    }

    def test_an_exemption_covers_its_rule_and_resource_until_its_day(self) -> None:
        violations_ = violations("public-endpoint", resources_of("gpu"))
        exemptions_ = [parse(self.ENTRY)]
        for today, open_ in ((date(2027, 3, 31), 0), (date(2027, 4, 1), len(violations_))):
            assert len(exempted("public-endpoint", violations_, exemptions_, today)[0]) == open_
        assert len(exempted("pod-security", violations_, exemptions_, date(2027, 1, 1))[0]) == len(violations_)
        other = [parse(dict(self.ENTRY) | {"resource": "other"})]
        assert len(exempted("public-endpoint", violations_, other, date(2027, 1, 1))[0]) == len(violations_)

    @pytest.mark.parametrize("change", [{"reason": " "}, {"until": "later"}, {"until": None}, {"more": 1}])
    def test_one_without_reason_or_end_is_refused(self, change: Mapping[str, Any]) -> None:
        with pytest.raises(ExemptionError):
            parse(dict(self.ENTRY) | dict(change))

    def test_the_projects_own_file_can_be_read(self) -> None:
        rules = {exemption.rule for exemption in load(PROJECT_ROOT / "policy" / "exemptions.yaml")}
        assert rules <= set(BY_ID)


def test_every_rule_is_described_in_the_readme() -> None:
    text = (PROJECT_ROOT / "policy" / "README.md").read_text(encoding="utf-8")
    for rule in RULES:
        assert f"| `{rule.id}` |" in text
        assert set(rule.schema) == set(rule.parameters)
