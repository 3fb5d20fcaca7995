"""Rules about tensor, pipeline, data and expert parallelism."""

from __future__ import annotations

from llm_d_gke.planning.rules.rule import Rule

RULES = (
    Rule(
        "LLMD-TP-VOCABULARY",
        summary="The vocabulary cannot be divided by the tensor parallel size.",
        why="Each device holds an equal part of the vocabulary.",
        fix="Use a size that divides it.",
        source="vLLM, layers/vocab_parallel_embedding.py",
    ),
    Rule(
        "LLMD-PP-LAYERS",
        summary="There are more pipeline stages than layers.",
        why="Every stage needs a layer.",
        fix="Use fewer stages.",
        source="vLLM 0.30.0, vllm/distributed/utils.py (get_pp_indices)",
    ),
    Rule(
        "LLMD-EP-EXPERTS",
        summary="The experts cannot be divided evenly among the devices.",
        why="vLLM gives the remainder to the first devices, but its expert load balancer, DeepEP, its loader of gpt-oss"
        " and tpu-inference need equally many experts on each.",
        fix="Use a number that divides them, or do without what needs that.",
        source="vLLM 0.11.2 to 0.30.0, vllm/model_executor/layers/fused_moe (determine_expert_map, layer.py) and"
        " models/gpt_oss.py; deepseek-ai/DeepEP v1.2.1, csrc/deep_ep.cpp; vllm-project/tpu-inference,"
        " tpu_inference/kernels/fused_moe/v1/kernel.py",
    ),
    Rule(
        "LLMD-EP-UNEVEN",
        severity="warning",
        summary="Some devices hold more experts than others, or none.",
        why="vLLM accepts it, but it gives FlashInfer's kernels a rank in place of a map of experts, and no published"
        " run shows a device without experts.",
        fix="Use a number that divides them, or compare answers first.",
        source="vLLM 0.30.0, vllm/model_executor/layers/fused_moe/experts (local_expert_offset in trtllm_fp8_moe.py,"
        " ep_rank in flashinfer_cutlass_moe.py)",
    ),
    Rule(
        "LLMD-PP-EXTRA-ARGS",
        summary="Pipeline stages from extraArgs do not fit on the replica's node.",
        why="A replica with stages from extraArgs stays on one node.",
        fix="Use `pipelineParallel`.",
        basis="project",
    ),
    Rule(
        "LLMD-TP-WIDTH",
        summary="A layer's width cannot be divided by the tensor parallel size.",
        why="Each device holds an equal part of every layer.",
        fix="Use a size that divides the width.",
        source="vLLM, layers/linear.py",
    ),
    Rule(
        "LLMD-TP-QUANTIZATION-BLOCKS",
        summary="A shard's width is not a multiple of the quantization's block.",
        why="Scales are stored for whole blocks, which a shard must not cut.",
        fix="Use a smaller size.",
        source="vLLM, layers/quantization/fp8.py",
    ),
    Rule(
        "LLMD-TP-KV-HEADS",
        summary="The key-value heads cannot be divided or replicated over the devices.",
        why="vLLM divides or replicates key-value heads evenly; the TPU back end replicates for few models.",
        fix="Use a size that fits.",
        source="vLLM, config/model.py",
    ),
    Rule(
        "LLMD-TP-DIVIDES",
        summary="The attention heads cannot be divided by the tensor parallel size.",
        why="Each device holds equally many attention heads.",
        fix="Use a divisor of the heads.",
        source="vLLM, config/model.py",
    ),
    Rule(
        "LLMD-TP-TPU-CHIPS",
        summary="Tensor parallelism on TPU takes all chips of the slice.",
        why="A pod takes every chip of its slice.",
        fix="Use that number, or another machine type.",
        source="cloud.google.com/kubernetes-engine/docs/concepts/tpus",
    ),
    Rule(
        "LLMD-TP-ACROSS-NODES",
        summary="Tensor parallelism across nodes needs RDMA.",
        why="Every layer exchanges data twice, and a network without RDMA is too slow for that.",
        fix="Keep tensor parallelism inside of a node; use pipelineParallel between nodes.",
        source="docs.vllm.ai/en/stable/serving/parallelism_scaling",
    ),
    Rule(
        "LLMD-DP-PP",
        summary="Data and pipeline parallelism exclude each other with shared experts.",
        why="Ranks that share experts pass each layer together.",
        fix="Use one of the two.",
        basis="project",
    ),
    Rule(
        "LLMD-DP-PORTS-GATEWAY",
        severity="warning",
        summary="Whether Google's load balancers reach several ports of a pod is not documented.",
        why="llm-d tested several ports of a pod with Istio only.",
        fix="Watch the first `up`, or use Istio.",
        basis="unestablished",
    ),
    Rule(
        "LLMD-ALL-TO-ALL-UNUSED",
        summary="allToAll has no effect without data-parallel ranks that share experts.",
        why="Only data-parallel ranks that share experts exchange tokens.",
        fix="Remove it, or set dataParallel and expertParallel.",
        source="docs.vllm.ai/en/latest/serving/expert_parallel_deployment",
    ),
    Rule(
        "LLMD-HOSTS-WITHOUT-RDMA",
        severity="warning",
        summary="The hosts of a replica communicate without RDMA.",
        why="The standard network between hosts then limits the speed.",
        fix="Use a machine type with RDMA.",
        source="docs.vllm.ai/en/stable/serving/parallelism_scaling;"
        " cloud.google.com/kubernetes-engine/docs/how-to/gpu-bandwidth-gpudirect-tcpx",
    ),
    Rule(
        "LLMD-RDMA-GKE-VERSION",
        summary="The GKE version cannot give pods RDMA network cards.",
        why="Pods get RDMA cards through managed DRANET.",
        fix="Use a newer GKE version.",
        source="cloud.google.com/kubernetes-engine/docs/how-to/allocate-network-resources-dra",
    ),
    Rule(
        "LLMD-DP-ENGINE-VERSION",
        summary="The engine has no port for each data-parallel rank.",
        why="The picker chooses a rank by its port, which older engines do not have.",
        fix="Use a newer release.",
        source="vLLM 0.30.0, vllm/engine/arg_utils.py (--data-parallel-multi-port-external-lb)",
    ),
    Rule(
        "LLMD-TPU-RANKS",
        summary="On TPU only tensorParallel divides a model.",
        why="On TPU the chips of a slice work as one rank.",
        fix="Remove the setting.",
        basis="project",
    ),
    Rule(
        "LLMD-GROUP-HOSTS",
        summary="A replica does not fill whole hosts.",
        why="A group of pods occupies whole hosts.",
        fix="Make the product of the sizes a multiple of a host's accelerators.",
        basis="project",
    ),
    Rule(
        "LLMD-DP-RANK-HOST",
        summary="Data-parallel ranks do not fill a host.",
        why="A data-parallel rank runs on one host.",
        fix="Use a divisor of a host's accelerators.",
        basis="project",
    ),
    Rule(
        "LLMD-DP-LOCAL-RANKS",
        summary="A host of a group has one data-parallel rank.",
        why="vLLM ends with --data-parallel-multi-port-external-lb and fewer than two ranks on a host.",
        fix="Use a smaller tensorParallel, so that at least two ranks fit on a host.",
        source="vllm/entrypoints/cli/serve.py at v0.26.0 (github.com/vllm-project/vllm)",
    ),
    Rule(
        "LLMD-ALL-TO-ALL-RDMA",
        summary="DeepEP needs RDMA.",
        why="DeepEP's kernels write into remote memory through RDMA.",
        fix="Use allgather_reducescatter, or a machine type with RDMA.",
        source="github.com/deepseek-ai/DeepEP",
    ),
    Rule(
        "LLMD-DEEPEP-DRIVER",
        severity="warning",
        summary="DeepEP's high-throughput kernels with the drivers of GKE 1.36.",
        why="They were seen to crash with R580, which vLLM's images with CUDA 13 need.",
        fix="Use deepep_low_latency.",
        source="llm-d/llm-d guides/wide-ep-lws/modelserver/gpu/vllm-deepseek-r1-0528/gke/README.md (pull request 2379)",
    ),
    Rule(
        "LLMD-TPU-MULTI-HOST-ENGINE",
        summary="The engine cannot run on several TPU hosts.",
        why="The stack joins the hosts of a slice in a Ray cluster; the catalog names the first engine version known to"
        " run on one.",
        fix="Use a newer release, or one host.",
        basis="catalog",
    ),
    Rule(
        "LLMD-DP-PORTS",
        summary="An InferencePool cannot name as many ports as the pod has ranks.",
        why="An InferencePool lists eight ports at most.",
        fix="Use fewer ranks of more accelerators.",
        source="kubernetes-sigs/gateway-api-inference-extension v1.5.0, api/v1/inferencepool_types.go (targetPorts)",
    ),
    Rule(
        "LLMD-DENSE-RANKS",
        summary="The model has no experts to share among ranks.",
        why="Ranks of a dense model share nothing: they are replicas.",
        fix="Use `replicas`.",
        source="docs.vllm.ai/en/latest/serving/data_parallel_deployment",
    ),
    Rule(
        "LLMD-PP-ENGINE-VERSION",
        summary="The engine cannot run on several hosts without Ray.",
        why="Older engines need Ray for several hosts.",
        fix="Use a newer release.",
        source="vLLM 0.30.0, vllm/engine/arg_utils.py (--nnodes)",
    ),
    Rule(
        "LLMD-ENGINE-ENTRY-POINT",
        summary="The image starts vLLM's API server as a module, which serves one host and one rank.",
        why="Headless hosts and the supervisor of ranks are parts of `vllm serve`.",
        fix="Use a release whose images run `vllm serve`.",
        source="vllm/entrypoints/cli/serve.py and vllm/entrypoints/openai/api_server.py of 0.26.0, run",
    ),
)
