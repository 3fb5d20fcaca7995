"""Rules about the engine's image, the driver it needs, and its environment variables."""

from __future__ import annotations

from llm_d_gke.planning.rules.rule import Rule

RULES = (
    Rule(
        "LLMD-IMAGE-UNKNOWN",
        severity="warning",
        summary="The catalog lacks facts of the engine image, so it is unknown which nodes can run it.",
        why="The image's CUDA version and libraries decide which driver and variables it needs.",
        fix="Set `models[].imageFacts`.",
        basis="catalog",
    ),
    Rule(
        "LLMD-DRIVER-OLD",
        severity="error",
        summary="The node's NVIDIA driver is older than the CUDA version of the engine image needs.",
        why="An image of a newer CUDA needs a newer driver than GKE installs.",
        fix="Use `driverVersion: latest`, or another image.",
        source="docs.nvidia.com/deploy/cuda-compatibility; docs.cloud.google.com/kubernetes-engine/docs/how-to/gpus",
    ),
    Rule(
        "LLMD-DRIVER-UNKNOWN",
        severity="warning",
        summary="The GKE version's default NVIDIA driver is not known, and the engine image needs a new one.",
        why="It is not established which driver GKE installs in this version.",
        fix="Watch the first start.",
        basis="unestablished",
    ),
    Rule(
        "LLMD-ENV-OWNED",
        severity="error",
        summary="The stack itself sets the environment variable.",
        why="Of two values of one variable the later one wins, and pods are planned for the stack's.",
        fix="Remove it from `env`.",
        basis="project",
    ),
    Rule(
        "LLMD-ENV-SECRET",
        severity="error",
        summary="A secret would be readable in the Deployment.",
        why="Everyone who can read the Deployment can read the value.",
        fix="Use `huggingFace`.",
        source="kubernetes.io/docs/concepts/security/secrets-good-practices",
    ),
    Rule(
        "LLMD-ENV-API-KEY",
        severity="error",
        summary="With an API key the engine rejects its own pod's probes.",
        why="Probes and picker send no key, so pods never become ready.",
        fix="Authenticate in front of the Gateway.",
        source="vLLM 0.30.0, vllm/entrypoints/serve/middleware/authenticate.py",
    ),
    Rule(
        "LLMD-ENV-TYPE",
        severity="error",
        summary="The engine cannot read the environment variable's value.",
        why="The engine reads the variable as another type.",
        fix="Write a value of that type.",
        source="vllm/envs.py and tpu_inference/envs.py of the versions that llm_d_gke/catalog/upstream.yaml names",
    ),
    Rule(
        "LLMD-ENV-UNKNOWN",
        severity="warning",
        summary="This version of vLLM has no such environment variable.",
        why="This version of the engine does not read the variable.",
        fix="Correct the spelling, or remove it.",
        source="vllm/envs.py of the versions that llm_d_gke/catalog/upstream.yaml names",
    ),
)
