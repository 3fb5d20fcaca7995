"""Rules about credentials."""

from __future__ import annotations

from llm_d_gke.planning.rules.rule import Rule

RULES = (
    Rule(
        "LLMD-SECRET-PLAIN",
        summary="A secret is in the stack file in plain text.",
        why="Stack files are committed, and everybody who reads the repository could read the secret.",
        fix="Set it with `pulumi config set --path --secret`.",
        source="pulumi.com/docs/iac/concepts/secrets",
    ),
    Rule(
        "LLMD-TOKEN-FORM",
        summary="The value is not a Hugging Face token.",
        why="Tokens of the Hub begin with hf_.",
        fix="Create a token at huggingface.co/settings/tokens.",
        source="huggingface.co/docs/hub/security-tokens",
    ),
    Rule(
        "LLMD-REGISTRY-RED-HAT",
        summary="The image can only be pulled with an account.",
        why="registry.redhat.io requires authentication.",
        fix="Set `registry`.",
        source="access.redhat.com/RegistryAuthentication",
    ),
    Rule(
        "LLMD-REGISTRY-ISTIO",
        summary="Istio's images can only be pulled with an account.",
        why="registry.redhat.io requires authentication, for Istio's images as well.",
        fix="Set `registry.server`, `username` and `password`.",
        source="access.redhat.com/RegistryAuthentication",
    ),
    Rule(
        "LLMD-REGISTRY-ISTIO-SECRET",
        summary="The pull secret does not exist in Istio's namespace.",
        why="A Secret is visible in its own namespace only, and Istio has another one.",
        fix="Give server, username and password, so that the stack creates the Secret in both namespaces.",
        source="kubernetes.io/docs/concepts/configuration/secret",
    ),
    Rule(
        "LLMD-TOKEN-ONE-WAY",
        summary="The Hugging Face token is given in several ways.",
        why="Servers read one token from one place.",
        fix="Keep one.",
        basis="project",
    ),
    Rule(
        "LLMD-REGISTRY-ONE-WAY",
        summary="The pull secret is given in two ways.",
        why="Pods use one pull secret.",
        fix="Keep one.",
        basis="project",
    ),
    Rule(
        "LLMD-REGISTRY-PARTS",
        summary="A part of the pull secret is missing.",
        why="A pull secret needs server, username and password.",
        fix="Set the missing part, or `existingSecret`.",
        source="kubernetes.io/docs/tasks/configure-pod-container/pull-image-private-registry",
    ),
)
