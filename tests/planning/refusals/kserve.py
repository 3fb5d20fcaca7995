"""Wrong stack files under KServe, with the finding each gets."""

from __future__ import annotations

from llm_d_gke.planning.findings import Severity
from tests.planning.refusals.case import Wrong

STACK = "kserve-single-replica-gpu"
LONG = "RedHatAI/Meta-Llama-3.1-8B-Instruct-quantized.w4a16"

KSERVE = (
    Wrong(
        id="LLMD-KSERVE-LONG-NAME",
        name="name that KServe cuts",
        stack=STACK,
        changes={"accelerator.type": "nvidia-l4", "models": [{"id": LONG, "maxModelLen": 2048}]},
        path="models[0].id",
        value=LONG,
        rule="with 64 characters it is cut and ends in a hash",
        fix="look for meta-llc0249d51433298fc5df7a9e50785f30b-kserve-router-scheduler",
        severity=Severity.WARNING,
    ),
    Wrong(
        id="LLMD-KSERVE-TEMPLATE",
        name="template where KServe has its own",
        stack=STACK,
        changes={"models[0].allowExtraArgs": True, "models[0].extraArgs": ["--chat-template", "{{ messages }}"]},
        path="models[0].extraArgs[1]",
        value="{{ messages }}",
        rule="its own template syntax",
        fix="into a file",
    ),
    Wrong(
        id="LLMD-KSERVE-ROLLOUT",
        name="no room for KServe's updates",
        stack=STACK,
        changes={"accelerator.nodes.max": 1},
        path="accelerator.nodes.max",
        value="1",
        rule="before it stops an old one",
        fix="use 2, or set llm-d:paused to true for one up before each change, and before a switch of deployment",
        severity=Severity.WARNING,
    ),
    Wrong(
        id="LLMD-KSERVE-ROLLOUT",
        name="no room for KServe's updates of two models",
        stack="multi-model-gpu",
        path="accelerator.nodes.max",
        changes={"deployment": "kserve", "accelerator.nodes.max": 2},
        value="2",
        rule="before it stops an old one",
        fix="use 3",
        severity=Severity.WARNING,
    ),
    Wrong(
        id="LLMD-KSERVE-ROLLOUT",
        name="no room for a second group",
        stack="kserve-mixture-of-experts-wide-gpu",
        path="accelerator.nodes.max",
        value="2",
        rule="a switch of deployment starts all servers before the old ones stop",
        fix="use 4, or set llm-d:paused to true for one up before it",
        severity=Severity.WARNING,
    ),
)

ISTIO = {"gateway.implementation": "istio"}

GATEWAYS = (
    Wrong(
        id="LLMD-GATEWAY-CLASS",
        name="Istio's class behind Google's load balancers",
        changes={"gateway.className": "istio"},
        path="gateway.className",
        value="istio",
        rule="the class belongs to another controller, and implementation: gke does not use it",
        fix="implementation: istio",
    ),
    Wrong(
        id="LLMD-GATEWAY-CLASS",
        name="Google's class with Istio",
        changes=ISTIO | {"gateway.className": "gke-l7-rilb"},
        path="gateway.className",
        value="gke-l7-rilb",
        rule="the class belongs to Google, and implementation: istio does not use it",
        fix="implementation: gke",
    ),
    Wrong(
        id="LLMD-GATEWAY-CLASS-EXPOSURE",
        name="class of another exposure",
        changes={"gateway.className": "gke-l7-rilb"},
        path="gateway.className",
        value="gke-l7-rilb",
        rule="needs class gke-l7-regional-external-managed",
        fix="change exposure",
    ),
    Wrong(
        id="LLMD-TLS-KIND-ISTIO",
        name="Google's certificates with Istio",
        changes=ISTIO | {"gateway.tls": {"kind": "certificate-manager", "certificates": ["llm"]}},
        path="gateway.tls.kind",
        value="certificate-manager",
        rule="reads certificates from Secrets",
        fix="use kind: cert-manager, or kind: secret",
    ),
    Wrong(
        id="LLMD-PATTERN-GATEWAY",
        name="model router with Istio",
        stack="multi-model-gpu",
        changes=ISTIO,
        path="gateway.implementation",
        value="istio",
        rule="multi-model calls its router through an extension that only Google's",
        fix="one stack for each model",
    ),
)

RED_HAT = {"server": "registry.redhat.io", "username": "me", "password": "p"}

IMAGES = (
    Wrong(
        id="LLMD-REGISTRY-RED-HAT",
        name="Red Hat's image without an account",
        changes={"release": "rhaiis-3.2"},
        path="registry.server",
        value="(missing)",
        rule="registry.redhat.io/rhaiis/vllm-cuda-rhel9:3.2.5 can be pulled only",
        fix="set llm-d:registry.server to registry.redhat.io",
    ),
    Wrong(
        id="LLMD-ENGINE-ENTRY-POINT",
        name="pipeline over hosts with images that start a module",
        stack="mixture-of-experts-gpu",
        changes={
            "release": "rhaii-3.4",
            "registry": RED_HAT,
            "accelerator.nodes.max": 2,
            "models[0].pipelineParallel": 2,
        },
        path="models[0].pipelineParallel",
        value="2",
        rule="start vLLM's API server as a module, which accepts --headless without effect",
        fix="or one host and one rank",
    ),
    Wrong(
        id="LLMD-IMAGE-COMMAND",
        name="Red Hat's image under another command",
        changes={"models[0].image": "registry.redhat.io/rhaiis/vllm-cuda-rhel9:3.2.5", "registry": RED_HAT},
        path="models[0].image",
        value="registry.redhat.io/rhaiis/vllm-cuda-rhel9:3.2.5",
        rule="breaks under any command but its own",
        fix="use release: rhaiis-3.2",
    ),
    Wrong(
        id="LLMD-RELEASE-SUPPORT",
        name="Red Hat's release where Red Hat is not",
        changes={"release": "rhaiis-3.2", "registry": RED_HAT},
        path="release",
        value="rhaiis-3.2",
        rule="does not list GKE",
        fix="use another release",
        severity=Severity.WARNING,
    ),
    Wrong(
        id="LLMD-RELEASE-ACCELERATOR",
        name="release without an image for the accelerator",
        stack="tpu",
        changes={"release": "rhaii-3.4", "registry": RED_HAT},
        path="release",
        value="rhaii-3.4",
        rule="it has no engine image for TPU v6e",
        fix="llm-d-0.9, ",
    ),
    Wrong(
        id="LLMD-RELEASE-UNPROVEN",
        name="release that nobody has tried",
        changes={"release": "llm-d-0.10"},
        path="release",
        value="llm-d-0.10",
        rule="no rehearsal ran its picker",
        fix="or use llm-d-0.9",
        severity=Severity.WARNING,
    ),
    Wrong(
        id="LLMD-CHART-SUPPORT",
        name="Istio that upstream no longer supports",
        stack="kserve-istio-single-replica-gpu",
        path="platform.istio",
        value="1.29.4",
        rule="upstream ended the support of this version on 2026-10-18",
        fix="existing: true",
        severity=Severity.WARNING,
    ),
    Wrong(
        id="LLMD-ISTIO-SUPPORT",
        name="KServe of a vendor behind Google's Gateway",
        stack=STACK,
        changes={"release": "rhaiis-3.2", "registry": RED_HAT},
        path="gateway.implementation",
        value="gke",
        rule="behind Istio only",
        fix="set gateway.implementation: istio",
        severity=Severity.WARNING,
    ),
    Wrong(
        id="LLMD-REGISTRY-ISTIO",
        name="Red Hat's Istio without an account",
        # The catalog has no facts about the engine's image.
        changes={
            "release": "rhaiis-3.2",
            "gateway.implementation": "istio",
            "models[0].image": "vllm/vllm-openai:v0.11.2",
        },
        path="registry.server",
        value="(missing)",
        rule="istio-pilot-rhel9, Istio of rhaiis-3.2, can only be pulled with an account of Red Hat",
        fix="set llm-d:registry.server to registry.redhat.io",
    ),
    Wrong(
        id="LLMD-REGISTRY-ISTIO-SECRET",
        name="Red Hat's Istio without its pull secret",
        changes={
            "release": "rhaiis-3.2",
            "gateway.implementation": "istio",
            "registry": {"existingSecret": "redhat-pull-secret"},
        },
        path="registry.existingSecret",
        value="redhat-pull-secret",
        rule="in istio-system as well, a namespace that this stack creates",
        fix="username and password",
    ),
)
