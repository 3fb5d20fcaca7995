"""Wrong stack files about features and options that vLLM refuses together, or with the model that they are for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llm_d_gke.planning.findings import Severity
from tests.planning.refusals.case import Wrong

H100_4: Mapping[str, Any] = {
    "type": "nvidia-h100-80gb",
    "machineType": "a3-highgpu-4g",
    "provisioning": "spot",
    "nodes": {"min": 0, "max": 1},
}
A100_2: Mapping[str, Any] = {"type": "nvidia-a100-80gb", "machineType": "a2-ultragpu-2g", "nodes": {"min": 0, "max": 1}}
B200_8: Mapping[str, Any] = {
    "type": "nvidia-b200",
    "machineType": "a4-highgpu-8g",
    "provisioning": "spot",
    "nodes": {"min": 0, "max": 1},
}
ADAPTERS = [{"name": "mine", "source": "acme/mine", "rank": 16}]


def _on(accelerator: Mapping[str, Any], model: str, **settings: Any) -> dict[str, Any]:
    fields = {"id": model, "maxModelLen": 8192, **settings}
    return {"location": "us-central1-a", "accelerator": dict(accelerator), "models[0]": fields}


def _options(*arguments: str, **settings: Any) -> dict[str, Any]:
    return {"allowExtraArgs": True, "extraArgs": list(arguments), **settings}


def _conflict(name: str, changes: Mapping[str, Any], value: str, rule: str, fix: str, **fields: Any) -> Wrong:
    return Wrong(
        name=name,
        id="LLMD-ENGINE-CONFLICT",
        changes=changes,
        path="models[0].extraArgs",
        value=value,
        rule=rule,
        fix=fix,
        **fields,
    )


ENGINE_CONFLICTS = (
    Wrong(
        name="adapters of a model whose class has none",
        id="LLMD-ENGINE-MODEL-FEATURE",
        changes=_on(B200_8, "moonshotai/Kimi-K2.5", adapters=ADAPTERS, image="vllm/vllm-openai:v0.26.0"),
        path="models[0].adapters",
        value="mine",
        rule="vLLM 0.26.0 has no LoRA adapters for KimiK25ForConditionalGeneration",
        fix="use the model without adapters",
    ),
    Wrong(
        name="a head of EAGLE-3 for a model that hands out no inner layers",
        id="LLMD-ENGINE-MODEL-FEATURE",
        changes=_on(
            A100_2,
            "google/gemma-3-27b-it",
            speculativeDecoding={"method": "eagle3", "tokens": 3, "draftModel": "acme/head"},
        ),
        path="models[0].speculativeDecoding",
        value="eagle3",
        rule="vLLM 0.26.0 does not hand the inner layers of Gemma3ForConditionalGeneration",
        fix="use speculativeDecoding.method: ngram without draftModel",
    ),
    Wrong(
        name="pipeline stages of a model whose class cannot be cut",
        id="LLMD-ENGINE-MODEL-FEATURE",
        changes=_on(
            A100_2,
            "google/gemma-7b",
            tensorParallel=1,
            pipelineParallel=2,
            image="vllm/vllm-openai:v0.26.0",
        ),
        facts={"google/gemma-7b": {"architecture": "Idefics3ForConditionalGeneration"}},
        path="models[0].pipelineParallel",
        value="2",
        rule="vLLM 0.26.0 cannot cut Idefics3ForConditionalGeneration into pipeline stages",
        fix="use pipelineParallel: 1",
    ),
    Wrong(
        name="a draft model of another vocabulary",
        id="LLMD-SPECULATION-TARGET",
        changes=_on(
            A100_2,
            "Qwen/Qwen2.5-32B-Instruct",
            speculativeDecoding={"method": "draft_model", "tokens": 4, "draftModel": "Qwen/Qwen2.5-0.5B-Instruct"},
        ),
        path="models[0].speculativeDecoding.draftModel",
        value="Qwen/Qwen2.5-0.5B-Instruct",
        rule="has 151936 vocabulary entries and Qwen/Qwen2.5-32B-Instruct 152064",
        fix="use a draft model of the same vocabulary",
    ),
    Wrong(
        name="a draft model as large as the model",
        id="LLMD-SPECULATION-TARGET",
        changes=_on(
            A100_2,
            "Qwen/Qwen3-8B",
            speculativeDecoding={"method": "draft_model", "tokens": 4, "draftModel": "Qwen/Qwen3-8B"},
        ),
        path="models[0].speculativeDecoding.draftModel",
        value="Qwen/Qwen3-8B",
        rule="no fewer parameters than Qwen/Qwen3-8B",
        fix="use a smaller draft model",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="a draft model for a model that takes images",
        id="LLMD-SPECULATION-TARGET",
        changes=_on(
            A100_2,
            "google/gemma-3-27b-it",
            image="vllm/vllm-openai:v0.19.1",
            speculativeDecoding={"method": "draft_model", "tokens": 4, "draftModel": "google/gemma-3-4b-it"},
        ),
        path="models[0].speculativeDecoding.method",
        value="draft_model",
        rule="google/gemma-3-27b-it takes images, and vLLM 0.19.1 has no draft models",
        fix="use method: ngram",
    ),
    Wrong(
        name="the assistant of Gemma 4 with an fp8 cache on Hopper",
        id="LLMD-SPECULATION-TARGET",
        changes=_on(
            H100_4,
            "google/gemma-4-31B-it",
            kvCacheDtype="fp8",
            speculativeDecoding={"method": "mtp", "tokens": 3, "draftModel": "google/gemma-4-31B-it-assistant"},
        ),
        path="models[0].speculativeDecoding.draftModel",
        value="google/gemma-4-31B-it-assistant",
        rule="FlashInfer, which ends on layers with a window",
        fix="remove kvCacheDtype",
    ),
    Wrong(
        name="tokens guessed from the prompt in the second model runner",
        id="LLMD-SPECULATION-TARGET",
        changes=_on(
            A100_2,
            "Qwen/Qwen3-8B",
            allowExtraArgs=True,
            env={"VLLM_USE_V2_MODEL_RUNNER": "1"},
            speculativeDecoding={"method": "ngram", "tokens": 3},
        ),
        path="models[0].speculativeDecoding.method",
        value="ngram",
        rule="env asks for Model Runner V2, which ends with this method",
        fix="remove VLLM_USE_V2_MODEL_RUNNER",
    ),
    Wrong(
        name="tool calls in another form than the parser's",
        id="LLMD-ENGINE-PARSER-MODEL",
        changes=_on(H100_4, "Qwen/Qwen3.5-27B", toolCallParser="hermes"),
        path="models[0].toolCallParser",
        value="hermes",
        rule="writes its tool calls in a form that this parser does not read",
        fix="use toolCallParser: qwen3_coder",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="reasoning in another form than the parser's",
        id="LLMD-ENGINE-REASONING-MODEL",
        changes=_on(H100_4, "Qwen/Qwen3-32B", reasoningParser="openai_gptoss"),
        path="models[0].reasoningParser",
        value="openai_gptoss",
        rule="marks its reasoning in another way",
        fix="use reasoningParser: qwen3",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="a parser of reasoning for a model without",
        id="LLMD-ENGINE-REASONING-MODEL",
        changes=_on(H100_4, "Qwen/Qwen2.5-32B-Instruct", reasoningParser="qwen3"),
        path="models[0].reasoningParser",
        value="qwen3",
        rule="answers without reasoning",
        fix="remove reasoningParser",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="blocks of Gemma 4 in the host's memory",
        id="LLMD-KV-OFFLOAD-STATES",
        changes=_on(H100_4, "google/gemma-4-31B-it", kvOffloadGib=16),
        path="models[0].kvOffloadGib",
        value="16",
        rule="engines with google/gemma-4-31B-it's windows and heads of two sizes ended",
        fix="remove kvOffloadGib",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="prediction layers beside cached prefixes of linear attention",
        id="LLMD-PREFIX-CACHING-STATES",
        changes=_on(H100_4, "Qwen/Qwen3.5-27B", speculativeDecoding={"method": "mtp", "tokens": 3}),
        path="models[0].prefixCaching",
        value="(by default, true)",
        rule="gave wrong answers and launch failures",
        fix="use prefixCaching: false with picker.scorers.prefixCache: 0",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="blocks of recurrent states larger than a batch",
        id="LLMD-PREFIX-CACHING-STATES",
        changes=_on(H100_4, "Qwen/Qwen3.5-27B", tensorParallel=2, maxNumBatchedTokens=512),
        path="models[0].prefixCaching",
        value="(by default, true)",
        rule="ends where a batch has fewer, here 512",
        fix="use maxNumBatchedTokens: 1024",
    ),
    Wrong(
        name="whole prompts for a model with recurrent states",
        id="LLMD-PREFIX-CACHING-STATES",
        changes=_on(H100_4, "Qwen/Qwen3.5-27B", **_options("--no-enable-chunked-prefill")),
        path="models[0].prefixCaching",
        value="(by default, true)",
        rule="has to cut prompts",
        fix="remove --no-enable-chunked-prefill",
    ),
    _conflict(
        "whole prompts that are longer than a batch",
        _on(A100_2, "Qwen/Qwen3-8B", maxNumBatchedTokens=2048, **_options("--no-enable-chunked-prefill")),
        "--no-enable-chunked-prefill",
        "a batch of 2048 tokens is smaller than the longest request, 8192",
        "use maxNumBatchedTokens: 8192",
    ),
    _conflict(
        "tokens shared among more ranks than there are copies of heads",
        _on(H100_4, "Qwen/Qwen3-8B", **_options("--decode-context-parallel-size=2")),
        "--decode-context-parallel-size 2",
        "Qwen/Qwen3-8B has 8 key-value heads",
        "remove it",
    ),
    _conflict(
        "tokens shared among ranks that the devices are no multiple of",
        _on(H100_4, "deepseek-ai/DeepSeek-V2-Lite-Chat", **_options("--decode-context-parallel-size", "3")),
        "--decode-context-parallel-size 3",
        "4 devices cannot be divided among 3 ranks",
        "use a divisor of it",
    ),
    _conflict(
        "asynchronous scheduling of tokens that are guessed from the prompt",
        _on(
            A100_2,
            "Qwen/Qwen3-8B",
            speculativeDecoding={"method": "ngram", "tokens": 3},
            **_options("--async-scheduling"),
        ),
        "--async-scheduling",
        "refused beside speculativeDecoding.method: ngram",
        "remove --async-scheduling",
    ),
    _conflict(
        "asynchronous scheduling of a pipeline in an older engine",
        _on(
            A100_2,
            "Qwen/Qwen3-8B",
            tensorParallel=1,
            pipelineParallel=2,
            image="vllm/vllm-openai:v0.11.1",
            **_options("--async-scheduling"),
        ),
        "--async-scheduling",
        "does not go with pipeline stages yet",
        "remove --async-scheduling",
    ),
    _conflict(
        "a balancer of experts that no device holds whole",
        _on(A100_2, "Qwen/Qwen3-30B-A3B", **_options("--enable-eplb")),
        "--enable-eplb",
        "experts are balanced among devices that hold whole ones",
        "use expertParallel: true",
    ),
    _conflict(
        "a balancer of experts in a format that it does not know",
        _on(
            B200_8,
            "moonshotai/Kimi-K2.5",
            expertParallel=True,
            image="vllm/vllm-openai:v0.19.1",
            **_options("--enable-eplb"),
        ),
        "--enable-eplb",
        "EPLB is not supported for experts in compressed-tensors",
        "remove --enable-eplb",
    ),
    _conflict(
        "routed experts of a model without any",
        _on(A100_2, "Qwen/Qwen3-8B", **_options("--enable-return-routed-experts")),
        "--enable-return-routed-experts",
        "Qwen/Qwen3-8B has no experts",
        "remove it",
    ),
    _conflict(
        "offloaded weights of a model with several kinds of cache",
        _on(A100_2, "openai/gpt-oss-20b", image="vllm/vllm-openai:v0.19.1", **_options("--cpu-offload-gb", "4")),
        "--cpu-offload-gb 4",
        "openai/gpt-oss-20b has 2 kinds of cache",
        "use an accelerator with more memory",
    ),
    _conflict(
        "offloaded weights in the second model runner",
        _on(A100_2, "Qwen/Qwen3-8B", **_options("--cpu-offload-gb", "4")),
        "--cpu-offload-gb 4",
        "keeps all weights on the accelerators and does not say so",
        'use env: {VLLM_USE_V2_MODEL_RUNNER: "0"}',
        severity=Severity.WARNING,
    ),
    _conflict(
        "batches that overlap around no exchange",
        _on(A100_2, "Qwen/Qwen3-30B-A3B", **_options("--enable-dbo")),
        "--enable-dbo",
        "two batches overlap with DeepEP's exchange only, and this replica exchanges nothing",
        "remove --enable-dbo",
    ),
    _conflict(
        "sleep mode beside expandable segments",
        _on(
            A100_2,
            "Qwen/Qwen3-8B",
            image="vllm/vllm-openai:v0.17.1",
            env={"PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True"},
            **_options("--enable-sleep-mode"),
        ),
        "--enable-sleep-mode",
        "sleep mode's pool of memory does not hold expandable segments",
        "remove PYTORCH_CUDA_ALLOC_CONF",
    ),
    _conflict(
        "fully sharded adapters of a small rank",
        _on(B200_8, "Qwen/Qwen3-8B", adapters=[ADAPTERS[0] | {"rank": 8}], **_options("--fully-sharded-loras")),
        "--fully-sharded-loras",
        "adapters of rank 8 leave each of 8 devices one row or less",
        "remove --fully-sharded-loras",
        severity=Severity.WARNING,
    ),
    _conflict(
        "the back end guidance beside tool calls",
        _on(
            A100_2,
            "Qwen/Qwen3-8B",
            image="vllm/vllm-openai:v0.28.0",
            toolCallParser="hermes",
            **_options("--structured-outputs-config", '{"backend": "guidance"}'),
        ),
        "--structured-outputs-config.backend guidance",
        "end with KeyError: 'triggers'",
        "remove it: vLLM takes xgrammar first",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="adapters beside guessed tokens in a small batch",
        id="LLMD-BATCH-SEQUENCES",
        changes=_on(
            A100_2,
            "Qwen/Qwen3-8B",
            maxNumSeqs=256,
            maxNumBatchedTokens=512,
            adapters=[ADAPTERS[0]],
            speculativeDecoding={
                "method": "eagle3",
                "tokens": 3,
                "draftModel": "RedHatAI/Qwen3-8B-speculator.eagle3",
            },
        ),
        path="models[0].maxNumBatchedTokens",
        value="512",
        rule="with adapters, a batch holds 4 tokens of each of 256 sequences",
        fix="use 1024, or maxNumSeqs: 128",
    ),
    _conflict(
        "TurboQuant's cache of a model with recurrent states",
        _on(
            H100_4,
            "Qwen/Qwen3.5-27B",
            image="vllm/vllm-openai:v0.20.2",
            maxNumSeqs=32,
            **_options("--kv-cache-dtype", "turboquant_4bit_nc"),
        ),
        "--kv-cache-dtype turboquant_4bit_nc",
        "TurboQuant's cache had no back end for recurrent states",
        "remove --kv-cache-dtype",
    ),
    Wrong(
        name="answers that are the same in every batch, of recurrent states",
        id="LLMD-ENGINE-CONFLICT",
        changes=_on(
            H100_4,
            "Qwen/Qwen3.5-27B",
            image="vllm/vllm-openai:v0.27.1",
            maxNumSeqs=32,
            allowExtraArgs=True,
            env={"VLLM_BATCH_INVARIANT": "1"},
        ),
        path="models[0].env",
        value="VLLM_BATCH_INVARIANT=1",
        rule="batch_invariant mode is not supported for GDN_ATTN",
        fix="remove VLLM_BATCH_INVARIANT",
    ),
    Wrong(
        name="answers that are the same in every batch, without a named back end",
        id="LLMD-ENGINE-CONFLICT",
        changes=_on(
            H100_4,
            "Qwen/Qwen3-8B",
            image="vllm/vllm-openai:v0.14.0",
            allowExtraArgs=True,
            env={"VLLM_BATCH_INVARIANT": "1"},
        ),
        path="models[0].env",
        value="VLLM_BATCH_INVARIANT=1",
        rule="batch_invariant mode requires an attention back end that is named",
        fix="add --attention-backend FLASH_ATTN to extraArgs",
    ),
)
