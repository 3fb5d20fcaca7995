"""Rules about the engine's image, the driver it needs, and its environment variables."""

from __future__ import annotations

from planning.rules.rule import Rule

RULES = (
    Rule(
        "LLMD-IMAGE-UNKNOWN",
        severity="warning",
        summary="Too little is known of the engine image to say on which node it starts.",
    ),
    Rule(
        "LLMD-DRIVER-OLD",
        severity="error",
        summary="The node's NVIDIA driver is older than the CUDA version of the engine image needs.",
        source="docs.nvidia.com/deploy/cuda-compatibility; docs.cloud.google.com/kubernetes-engine/docs/how-to/gpus",
    ),
    Rule(
        "LLMD-DRIVER-UNKNOWN",
        severity="warning",
        summary="The GKE version's default NVIDIA driver is not known, and the engine image needs a new one.",
    ),
    Rule(
        "LLMD-ENV-OWNED",
        severity="error",
        summary="The stack itself sets the environment variable.",
    ),
    Rule(
        "LLMD-ENV-SECRET",
        severity="error",
        summary="A secret would stand in the Deployment.",
    ),
    Rule(
        "LLMD-ENV-API-KEY",
        severity="error",
        summary="With an API key the engine refuses its own pod's probes.",
    ),
    Rule(
        "LLMD-ENV-TYPE",
        severity="error",
        summary="The engine cannot read the environment variable's value.",
        source="vllm/envs.py and tpu_inference/envs.py of the versions that catalog/upstream.yaml names",
    ),
    Rule(
        "LLMD-ENV-UNKNOWN",
        severity="warning",
        summary="This version of vLLM has no such environment variable.",
        source="vllm/envs.py of the versions that catalog/upstream.yaml names",
    ),
)
