"""Rules about tensor, pipeline, data and expert parallelism."""

from __future__ import annotations

from planning.rules.rule import Rule

RULES = (
    Rule(
        "LLMD-TP-VOCABULARY",
        severity="error",
        summary="The vocabulary cannot be divided by the tensor parallel size.",
    ),
    Rule(
        "LLMD-PP-LAYERS",
        severity="error",
        summary="There are more pipeline stages than layers.",
    ),
    Rule(
        "LLMD-EP-EXPERTS",
        severity="error",
        summary="The experts cannot be divided evenly among the devices.",
    ),
    Rule(
        "LLMD-PP-EXTRA-ARGS",
        severity="error",
        summary="Pipeline stages from extraArgs do not fit on the replica's node.",
    ),
    Rule(
        "LLMD-TP-WIDTH",
        severity="error",
        summary="A layer's width cannot be divided by the tensor parallel size.",
    ),
    Rule(
        "LLMD-TP-QUANTIZATION-BLOCKS",
        severity="error",
        summary="A shard's width is not a multiple of the quantization's block.",
    ),
    Rule(
        "LLMD-TP-KV-HEADS",
        severity="error",
        summary="The key-value heads cannot be divided or replicated over the devices.",
    ),
    Rule(
        "LLMD-TP-DIVIDES",
        severity="error",
        summary="The attention heads cannot be divided by the tensor parallel size.",
    ),
    Rule(
        "LLMD-TP-TPU-CHIPS",
        severity="error",
        summary="Tensor parallelism on TPU takes all chips of the slice.",
    ),
    Rule(
        "LLMD-TP-ACROSS-NODES",
        severity="error",
        summary="Tensor parallelism across nodes needs RDMA.",
    ),
    Rule(
        "LLMD-DP-PP",
        severity="error",
        summary="Data and pipeline parallelism exclude each other with shared experts.",
    ),
    Rule(
        "LLMD-DP-PORTS-GATEWAY",
        severity="warning",
        summary="Whether Google's load balancers reach several ports of a pod is not documented.",
    ),
    Rule(
        "LLMD-ALL-TO-ALL-UNUSED",
        severity="error",
        summary="allToAll has no effect without data-parallel ranks that share experts.",
    ),
    Rule(
        "LLMD-HOSTS-WITHOUT-RDMA",
        severity="warning",
        summary="The hosts of a replica talk over their ordinary network.",
    ),
    Rule(
        "LLMD-RDMA-GKE-VERSION",
        severity="error",
        summary="The GKE version cannot give pods RDMA network cards.",
    ),
    Rule(
        "LLMD-DP-ENGINE-VERSION",
        severity="error",
        summary="The engine has no port for each data-parallel rank.",
    ),
    Rule(
        "LLMD-TPU-RANKS",
        severity="error",
        summary="On TPU only tensorParallel divides a model.",
    ),
    Rule(
        "LLMD-GROUP-HOSTS",
        severity="error",
        summary="A replica does not fill whole hosts.",
    ),
    Rule(
        "LLMD-DP-RANK-HOST",
        severity="error",
        summary="Data-parallel ranks do not fill a host.",
    ),
    Rule(
        "LLMD-ALL-TO-ALL-RDMA",
        severity="error",
        summary="DeepEP needs RDMA.",
    ),
    Rule(
        "LLMD-TPU-MULTI-HOST-ENGINE",
        severity="error",
        summary="The engine cannot run on several TPU hosts.",
    ),
    Rule(
        "LLMD-DP-PORTS",
        severity="error",
        summary="An InferencePool cannot name as many ports as the pod has ranks.",
    ),
    Rule(
        "LLMD-DENSE-RANKS",
        severity="error",
        summary="The model has no experts to share among ranks.",
    ),
    Rule(
        "LLMD-PP-ENGINE-VERSION",
        severity="error",
        summary="The engine cannot run on several hosts without Ray.",
    ),
)
