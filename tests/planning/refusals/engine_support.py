"""Wrong stack files about what an engine version can do, one for every rule that its tables decide."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llm_d_gke.planning.findings import Severity
from llm_d_gke.stackfile.model_files import ModelFile
from tests.planning.refusals.case import Wrong
from tests.planning.refusals.engine_conflicts import H100_4

L4: Mapping[str, Any] = {"type": "nvidia-l4", "nodes": {"min": 0, "max": 1}}
FOUR_T4: Mapping[str, Any] = {"type": "nvidia-tesla-t4", "perNode": 4, "nodes": {"min": 0, "max": 1}}
V6E_8: Mapping[str, Any] = {"type": "tpu-v6e", "machineType": "ct6e-standard-8t", "nodes": {"min": 0, "max": 1}}
B200: Mapping[str, Any] = {
    "type": "nvidia-b200",
    "machineType": "a4-highgpu-8g",
    "provisioning": "spot",
    "nodes": {"min": 0, "max": 1},
}
H200: Mapping[str, Any] = {
    "type": "nvidia-h200-141gb",
    "machineType": "a3-ultragpu-8g",
    "provisioning": "spot",
    "nodes": {"min": 0, "max": 1},
}
L4_8: Mapping[str, Any] = {"type": "nvidia-l4", "machineType": "g2-standard-96", "nodes": {"min": 0, "max": 1}}
ADAPTERS = [{"name": "one", "source": "acme/one", "rank": 16}]
RTX_8: Mapping[str, Any] = {
    "type": "nvidia-rtx-pro-6000",
    "machineType": "g4-standard-384",
    "provisioning": "spot",
    "nodes": {"min": 0, "max": 1},
}


def _gpu(accelerator: Mapping[str, Any], location: str = "us-central1-a", **model: Any) -> dict[str, Any]:
    return {"location": location, "accelerator": dict(accelerator), "models[0]": {"maxModelLen": 2048, **model}}


def _latent(model: str, devices: int) -> dict[str, Any]:
    return {"id": model, "tensorParallel": devices, "maxModelLen": 8192}


def _experts(**model: Any) -> dict[str, Any]:
    return {"id": "Qwen/Qwen3-30B-A3B", "expertParallel": True, "adapters": ADAPTERS, **model}


def _arguments(*arguments: str, **model: Any) -> dict[str, Any]:
    return {"models[0].allowExtraArgs": True, "models[0].extraArgs": list(arguments)} | model


ENGINE_SUPPORT = (
    Wrong(
        name="float16 for a model that is unstable in it",
        id="LLMD-DTYPE-FLOAT16",
        changes=_gpu(L4, id="google/gemma-2-9b-it", dtype="half"),
        path="models[0].dtype",
        value="half",
        rule="vLLM 0.26.0 refuses float16 for Gemma2ForCausalLM",
        fix="use dtype: bfloat16",
    ),
    Wrong(
        name="a model unstable in float16 where there is no bfloat16",
        id="LLMD-ATTENTION-KERNEL",
        changes=_gpu(FOUR_T4, id="google/gemma-2-2b-it", tensorParallel=1),
        path="models[0].dtype",
        value="(by default, float32)",
        rule="heads of size 256, and in float32 the attention kernel that vLLM 0.26.0 takes on T4 needs 81920 bytes",
        fix="use accelerator: {type: nvidia-l4, machineType: g2-standard-4}",
    ),
    Wrong(
        name="attention heads too wide for the shared memory",
        id="LLMD-ATTENTION-KERNEL",
        changes=_gpu(FOUR_T4, id="google/gemma-4-31B-it", tensorParallel=4, dtype="half"),
        path="models[0].id",
        value="google/gemma-4-31B-it",
        rule="heads of size 512, and in float16 the attention kernel that vLLM 0.26.0 takes on T4 needs 98304 bytes",
        fix="use accelerator: {type: nvidia-l4, machineType: g2-standard-48} and dtype: bfloat16",
    ),
    Wrong(
        name="no attention kernel for latent attention in float32",
        id="LLMD-ATTENTION-KERNEL",
        changes=_gpu(L4, id="deepseek-ai/DeepSeek-V2-Lite-Chat", dtype="float32"),
        path="models[0].dtype",
        value="float32",
        rule="heads of size 576, and in float32 vLLM 0.26.0 has no attention back end for them on L4",
        fix="and dtype: bfloat16",
    ),
    Wrong(
        name="no attention kernel for tokens chosen by an indexer",
        id="LLMD-ATTENTION-KERNEL",
        changes=_gpu(L4, id="deepseek-ai/DeepSeek-V3.2"),
        path="models[0].id",
        value="deepseek-ai/DeepSeek-V3.2",
        rule="vLLM 0.26.0 has no attention back end that is sparse on L4",
        fix="use another model or another accelerator",
    ),
    Wrong(
        name="an attention back end without the heads",
        id="LLMD-ATTENTION-KERNEL",
        changes=_gpu(
            L4,
            id="deepseek-ai/DeepSeek-V2-Lite-Chat",
            allowExtraArgs=True,
            extraArgs=["--attention-backend", "flashinfer"],
        ),
        path="models[0].extraArgs",
        value="FLASHINFER",
        rule="vLLM 0.26.0 does not run them on L4 with the back end FLASHINFER",
        fix="remove the option",
    ),
    Wrong(
        name="experts cut narrower than their kernel takes",
        id="LLMD-EXPERTS-KERNEL",
        changes=_gpu(B200, "us-central1-b", id="Qwen/Qwen3-30B-A3B"),
        path="models[0].tensorParallel",
        value="(by default, 8)",
        rule="need 128 to divide an expert's width on a GPU, and here it is 768 / 8 = 96: the engine does not come up",
        fix="use tensorParallel: 2, or tensorParallel: 1",
    ),
    Wrong(
        name="experts narrower than their kernel takes on one card",
        id="LLMD-EXPERTS-KERNEL",
        changes=_gpu(B200, "us-central1-b", id="google/gemma-4-26B-A4B-it", tensorParallel=1),
        path="models[0].id",
        value="google/gemma-4-26B-A4B-it",
        rule="need 128 to divide an expert's width on a GPU, and here it is 704",
        fix='use allowExtraArgs: true and extraArgs: ["--moe-backend", "triton"]',
    ),
    Wrong(
        name="experts whose kernel was seen to hang on another card",
        id="LLMD-EXPERTS-KERNEL",
        changes=_gpu(RTX_8, "us-central1-b", id="Qwen/Qwen3-30B-A3B"),
        path="models[0].tensorParallel",
        value="(by default, 8)",
        rule="need 64 to divide an expert's width on a GPU, and here it is 768 / 8 = 96",
        fix="use tensorParallel: 4, or tensorParallel: 2",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="a quantization method that the version gave up",
        id="LLMD-QUANTIZATION-UNKNOWN",
        changes=_arguments("--quantization", "tpu_int8"),
        path="models[0].extraArgs",
        value="tpu_int8",
        rule="vLLM 0.26.0 has no quantization method tpu_int8",
        fix="use another model or another accelerator",
    ),
    Wrong(
        name="a quantization that the checkpoint does not have",
        id="LLMD-QUANTIZATION-CHECKPOINT",
        changes=_gpu(L4, id="Qwen/Qwen3-8B", quantization="awq"),
        path="models[0].quantization",
        value="awq",
        rule="looks in the checkpoint for how awq quantized it, and the weights of Qwen/Qwen3-8B are not quantized",
        fix="use no quantization",
    ),
    Wrong(
        name="another quantization than the checkpoint's",
        id="LLMD-QUANTIZATION-CHECKPOINT",
        changes=_gpu(L4, id="Qwen/Qwen3-14B-AWQ", quantization="gptq"),
        path="models[0].quantization",
        value="gptq",
        rule="the weights of Qwen/Qwen3-14B-AWQ are quantized by awq, and vLLM takes no other method",
        fix="use no quantization",
    ),
    Wrong(
        name="weights that are computed with in bfloat16 only",
        id="LLMD-QUANTIZATION-DTYPE",
        changes=_gpu(L4, id="openai/gpt-oss-20b", dtype="half", gpuMemoryUtilization=0.95),
        path="models[0].dtype",
        value="half",
        rule="runs mxfp4 weights on L4 in bfloat16 only, and this is float16",
        fix="use dtype: bfloat16",
    ),
    Wrong(
        name="an architecture that came later",
        id="LLMD-ENGINE-ARCHITECTURE",
        changes=_gpu(L4, id="Qwen/Qwen2.5-3B-Instruct") | {"release": "gaie-1.5"},
        facts={"Qwen/Qwen2.5-3B-Instruct": {"architecture": "LagunaForCausalLM"}},
        path="models[0].id",
        value="Qwen/Qwen2.5-3B-Instruct",
        rule="vLLM 0.19.1 has no implementation of LagunaForCausalLM, which vLLM 0.26.0 has",
        fix="use release: llm-d-0.9",
    ),
    Wrong(
        name="a quantization that the JAX implementation cannot load",
        id="LLMD-QUANTIZATION-TPU",
        stack="tpu",
        changes=_gpu(V6E_8, "europe-west4-a", id="hugging-quants/Meta-Llama-3.1-8B-Instruct-AWQ-INT4"),
        path="models[0].id",
        value="hugging-quants/Meta-Llama-3.1-8B-Instruct-AWQ-INT4",
        rule="on TPU vLLM 0.26.0 runs LlamaForCausalLM by its JAX implementation, which cannot load awq weights",
        fix='use allowExtraArgs: true and env: {"MODEL_IMPL_TYPE": "vllm"}',
    ),
    Wrong(
        name="weights that the JAX implementation would have to quantize itself",
        id="LLMD-QUANTIZATION-TPU",
        stack="tpu",
        changes=_gpu(V6E_8, "europe-west4-a", id="Qwen/Qwen3-8B", quantization="fp8"),
        path="models[0].quantization",
        value="fp8",
        rule="which takes fp8 from checkpoints and makes none: None of the keys ['quant_method'] found in config",
        fix='use allowExtraArgs: true and env: {"MODEL_IMPL_TYPE": "vllm"}, or no quantization',
    ),
    Wrong(
        name="a quantization method that the TPU back end does not have",
        id="LLMD-QUANTIZATION-TPU",
        stack="tpu",
        changes={"models[0].quantization": "bitsandbytes"},
        path="models[0].quantization",
        value="bitsandbytes",
        rule="vLLM 0.26.0 on TPU has no quantization method bitsandbytes",
        fix="use no quantization",
    ),
    Wrong(
        name="layers that the TPU back end does not have",
        id="LLMD-ENGINE-ARCHITECTURE",
        stack="tpu",
        changes={"models[0].id": "ibm-granite/granite-4.0-h-tiny"},
        path="models[0].id",
        value="ibm-granite/granite-4.0-h-tiny",
        rule="the TPU back end of vLLM 0.26.0 has no Mamba layers",
        fix="use another model or another accelerator",
    ),
    Wrong(
        name="a model that was seen not to start on this TPU",
        id="LLMD-START-REPORTED",
        stack="tpu",
        changes={"models[0].id": "openai/gpt-oss-20b"},
        path="models[0].id",
        value="openai/gpt-oss-20b",
        rule="the attention kernel did not compile there",
        fix="try one start before you rely on it",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="adapters with the JAX implementation",
        id="LLMD-ADAPTER-TPU",
        stack="tpu",
        changes={
            "models[0].adapters": [{"name": "one", "source": "somebody/an-adapter", "rank": 16}],
            "models[0].id": "Qwen/Qwen3-4B-Instruct-2507",
            "models[0].allowExtraArgs": True,
            "models[0].env": {"MODEL_IMPL_TYPE": "flax_nnx"},
        },
        path="models[0].env.MODEL_IMPL_TYPE",
        value="flax_nnx",
        rule="the JAX implementation of Qwen3ForCausalLM has no LoRA adapters",
        fix="use env: {}",
    ),
    Wrong(
        name="an option that the version does not have",
        id="LLMD-ENGINE-OPTION",
        changes=_arguments("--enable-chunkd-prefill"),
        path="models[0].extraArgs[0]",
        value="--enable-chunkd-prefill",
        rule="vLLM 0.26.0 has no option --enable-chunkd-prefill and exits when it reads it",
        fix="use --enable-chunked-prefill",
    ),
    Wrong(
        name="a wrong name of an option that a setting stands for",
        id="LLMD-ENGINE-OPTION",
        changes=_arguments("--max-model-length=4096"),
        path="models[0].extraArgs[0]",
        value="--max-model-length=4096",
        rule="vLLM 0.26.0 has no option --max-model-length and exits when it reads it",
        fix="set models[0].maxModelLen, and remove it here",
    ),
    Wrong(
        id="LLMD-ENGINE-OPTION-SHORT",
        name="an abbreviated option of the planner",
        changes=_arguments("--tensor-parallel=2"),
        path="models[0].extraArgs[0]",
        value="--tensor-parallel=2",
        rule="vLLM 0.26.0 takes --tensor-parallel for --tensor-parallel-size",
        fix="set models[].tensorParallel",
    ),
    Wrong(
        id="LLMD-ENGINE-OPTION-SHORT",
        name="an abbreviated option",
        changes=_arguments("--enable-chunked"),
        path="models[0].extraArgs[0]",
        value="--enable-chunked",
        rule="vLLM 0.26.0 takes --enable-chunked for --enable-chunked-prefill",
        fix="write --enable-chunked-prefill",
    ),
    Wrong(
        id="LLMD-ENGINE-OPTION-SHORT",
        name="an option of earlier versions that another one begins with",
        changes=_arguments("--device=cuda"),
        path="models[0].extraArgs[0]",
        value="--device=cuda",
        rule="vLLM 0.26.0 takes --device for --device-ids",
        fix="remove it: only other versions of vLLM have it",
    ),
    Wrong(
        id="LLMD-ENGINE-PARTS",
        name="an object that its own parts replace",
        changes=_arguments('--compilation-config={"mode": 3}', "--compilation-config.cudagraph_mode=NONE"),
        path="models[0].extraArgs[0]",
        value='--compilation-config={"mode": 3}',
        rule="--compilation-config is given whole and by parts, and vLLM keeps only the parts",
        fix="write all of it as parts (--compilation-config.key)",
    ),
    Wrong(
        name="a longer context by LongRoPE that nobody asks for",
        id="LLMD-CONTEXT-LONGROPE",
        changes=_gpu(L4, id="microsoft/Phi-4-mini-instruct", maxModelLen=None),
        path="models[0].maxModelLen",
        value="(by default, 4096)",
        rule="takes 131072 tokens by LongRoPE; without maxModelLen vLLM 0.26.0 starts with the original 4096",
        fix="use maxModelLen: 4096, or a longer one up to 131072",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="blocks that hold a recurrent state",
        id="LLMD-KV-BLOCK-RAISED",
        stack="prefix-cache-gpu",
        changes={
            "location": "us-central1-a",
            "accelerator": {"type": "nvidia-h100-80gb", "machineType": "a3-highgpu-8g", "nodes": {"min": 0, "max": 1}},
            "models": [
                {"id": "Qwen/Qwen3.5-35B-A3B", "maxModelLen": 8192, "tensorParallel": 2, "replicas": 2, "blockSize": 64}
            ],
        },
        path="models[0].blockSize",
        value="64",
        rule="keeps recurrent states: vLLM raises its KV blocks to hold one, as far as can be computed to",
        fix="remove blockSize",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="prefill and decode with different tensor parallelism",
        id="LLMD-PD-TENSOR-PARALLEL-DIFFERS",
        stack="disaggregated-gpu",
        changes={"models[0].tensorParallel": 4, "models[0].prefill.tensorParallel": 2},
        path="models[0].prefill.tensorParallel",
        value="2",
        rule="decode has 4: engines crashed when they received the cache of a different tensor size",
        fix="use 4",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="blocks larger than the kernels of FlashInfer",
        id="LLMD-PD-BLOCK-SIZE",
        stack="disaggregated-gpu",
        changes={"location": "us-central1-b", "accelerator": dict(B200), "models[0].blockSize": 128},
        path="models[0].blockSize",
        value="128",
        rule="takes FLASHINFER, whose kernels have blocks of 16, 32, 64 tokens",
        fix="use blockSize: 64",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="blocks larger than the kernels of FlashAttention",
        id="LLMD-PD-BLOCK-SIZE",
        stack="disaggregated-gpu",
        changes={"release": "llm-d-0.4", "models[0].blockSize": 128},
        path="models[0].blockSize",
        value="128",
        rule="vLLM 0.11.1 takes FLASH_ATTN, whose kernels have blocks of 16, 32, 64 tokens",
        fix="use blockSize: 64",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="an fp8 cache in e5m2 beside weights in fp8",
        id="LLMD-KV-CACHE-KERNEL",
        changes=_gpu(L4, id="Qwen/Qwen3-8B", quantization="fp8", kvCacheDtype="fp8_e5m2"),
        path="models[0].kvCacheDtype",
        value="fp8_e5m2",
        rule="vLLM 0.26.0 refuses an fp8_e5m2 cache with weights in fp8",
        fix="use kvCacheDtype: fp8, or kvCacheDtype: bfloat16",
    ),
    Wrong(
        name="an fp8 cache in e5m2 of latent attention",
        id="LLMD-KV-CACHE-KERNEL",
        changes=_gpu(H200, "us-central1-b", **_latent("deepseek-ai/DeepSeek-V2-Lite-Chat", 1), kvCacheDtype="fp8_e5m2"),
        path="models[0].kvCacheDtype",
        value="fp8_e5m2",
        rule="(FLASH_ATTN_MLA, FLASHMLA, TRITON_MLA) keeps a KV cache in fp8_e5m2",
        fix="use kvCacheDtype: fp8",
    ),
    Wrong(
        name="an fp8 cache of tokens chosen by an indexer",
        id="LLMD-KV-CACHE-KERNEL",
        changes=_gpu(H200, "us-central1-b", **_latent("deepseek-ai/DeepSeek-V3.2", 8), kvCacheDtype="fp8_e4m3"),
        path="models[0].kvCacheDtype",
        value="fp8_e4m3",
        rule="do not take a KV cache in fp8_e4m3 with vLLM 0.26.0",
        fix="use kvCacheDtype: fp8",
    ),
    Wrong(
        name="an fp8 cache that only the checkpoint asks for",
        id="LLMD-KV-CACHE-KERNEL",
        changes={"release": "llm-d-0.6"} | _gpu(RTX_8, **_latent("nvidia/DeepSeek-V3.1-NVFP4", 8)),
        path="models[0].kvCacheDtype",
        value="(by default, the checkpoint's)",
        rule="(TRITON_MLA) keeps a KV cache in fp8_e4m3, the checkpoint's own type",
        fix="use kvCacheDtype: bfloat16",
    ),
    Wrong(
        name="adapters of experts that devices share",
        id="LLMD-ADAPTER-EXPERTS",
        changes={"release": "llm-d-0.6"} | _gpu(L4_8, **_experts(tensorParallel=8, gpuMemoryUtilization=0.7)),
        path="models[0].expertParallel",
        value="true",
        rule="vLLM 0.17.1 has no adapters for experts that are shared among devices",
        fix="use expertParallel: false, or release: llm-d-0.9",
    ),
    Wrong(
        name="adapters of experts whose tokens DeepEP exchanges",
        id="LLMD-ADAPTER-EXPERTS",
        changes=_gpu(H200, "us-central1-b", **_experts(dataParallel=8, allToAll="deepep_low_latency")),
        path="models[0].expertParallel",
        value="true",
        rule="exchanges tokens of experts by allgather_reducescatter only, not by deepep_low_latency",
        fix="use allToAll: allgather_reducescatter",
    ),
    Wrong(
        name="adapters of NVFP4 experts",
        id="LLMD-ADAPTER-EXPERTS",
        changes={"release": "llm-d-0.6"}
        | _gpu(B200, "us-central1-b", id="nvidia/Qwen3-235B-A22B-NVFP4", tensorParallel=4, adapters=ADAPTERS),
        path="models[0].id",
        value="nvidia/Qwen3-235B-A22B-NVFP4",
        rule="has adapters for experts in Triton's kernels only",
        fix="use release: llm-d-0.9",
    ),
    Wrong(
        name="quantization of a model of which nothing is known",
        id="LLMD-QUANTIZATION-UNKNOWN",
        changes=_gpu(
            H100_4, id="acme/own", image="vllm/vllm-openai:v0.30.0", tensorParallel=1, quantization="bitsandbytes"
        ),
        path="models[0].quantization",
        value="bitsandbytes",
        rule="vLLM 0.30.0 has no quantization method bitsandbytes",
        fix="remove it, or use another method",
    ),
    *(
        Wrong(
            id=rule_id,
            name=f"{path} of a model whose memory is not computed",
            changes=_gpu(
                H100_4, id="acme/own", config="own.json", image="vllm/vllm-openai:v0.30.0", tensorParallel=1, **settings
            ),
            files={"acme/own": ModelFile(config={"architectures": [architecture], "model_type": "llama"})},
            path=f"models[0].{path}",
            value=value,
            rule=rule,
            fix=fix,
        )
        for rule_id, path, architecture, settings, value, rule, fix in (
            ("LLMD-ENGINE-ARCHITECTURE", "id", "ArcticForCausalLM", {}, "acme/own", "any more", "use an image of that"),
            (
                "LLMD-QUANTIZATION-UNKNOWN",
                "quantization",
                "Zamba2ForCausalLM",
                {"quantization": "bitsandbytes"},
                "bitsandbytes",
                "has no",
                "use no quantization",
            ),
            (
                "LLMD-ENGINE-MODEL-FEATURE",
                "pipelineParallel",
                "Zamba2ForCausalLM",
                {"pipelineParallel": 2},
                "2",
                "into pipeline stages",
                "use",
            ),
            (
                "LLMD-ENGINE-MODEL-FEATURE",
                "adapters",
                "Zamba2ForCausalLM",
                {"adapters": ADAPTERS},
                "one",
                "no LoRA adapters for",
                "remove",
            ),
        )
    ),
)
