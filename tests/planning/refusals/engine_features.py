"""Wrong stack files about tool calls, reasoning, chat templates, guessed tokens and offloaded KV caches."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llm_d_gke.planning.findings import Severity
from llm_d_gke.stackfile.model_files import ModelFile
from tests.planning.refusals.case import GATED, Wrong

_CONFIGS = Path(__file__).parents[2] / "catalog" / "configs"

L4_48: Mapping[str, Any] = {"type": "nvidia-l4", "machineType": "g2-standard-48", "nodes": {"min": 0, "max": 1}}
V6E: Mapping[str, Any] = {"type": "tpu-v6e", "nodes": {"min": 0, "max": 1}}


def _guess(method: str, **further: Any) -> dict[str, Any]:
    return {"models[0].speculativeDecoding": {"method": method, "tokens": 3, **further}}


def _on_l4(model: str, **further: Any) -> dict[str, Any]:
    return {
        "location": "us-central1-a",
        "accelerator": dict(L4_48),
        "models[0]": {"id": model, "maxModelLen": 2048, **further},
    }


def _described(model: str, configuration: str) -> dict[str, ModelFile]:
    """A model of the stack's own, with the config.json of another one."""
    return {model: ModelFile(config=json.loads((_CONFIGS / f"{configuration}.json").read_text(encoding="utf-8")))}


ENGINE_FEATURES = (
    Wrong(
        name="a misspelled parser of tool calls",
        id="LLMD-ENGINE-PARSER",
        changes={"models[0].toolCallParser": "hermess"},
        path="models[0].toolCallParser",
        value="hermess",
        rule="vLLM 0.26.0 has no parser of this name",
        fix="did you mean hermes?",
    ),
    Wrong(
        name="a parser that only newer engines have",
        id="LLMD-ENGINE-PARSER",
        changes={"release": "gaie-1.5", "models[0].reasoningParser": "glm47"},
        path="models[0].reasoningParser",
        value="glm47",
        rule="vLLM 0.19.1 has no parser of this name",
        fix="did you mean glm45?",
    ),
    Wrong(
        name="a parser that needs a further package",
        id="LLMD-ENGINE-PARSER-PACKAGE",
        changes=_on_l4("CohereLabs/command-a-reasoning-08-2025", reasoningParser="cohere_command3"),
        path="models[0].reasoningParser",
        value="cohere_command3",
        rule="cohere_command3 needs the Python package cohere_melody",
        fix="try one replica first",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="tools for a model whose template has none",
        id="LLMD-ENGINE-PARSER-MODEL",
        changes=_on_l4("google/gemma-3-4b-it", toolCallParser="gemma4"),
        path="models[0].toolCallParser",
        value="gemma4",
        rule="own chat template shows the model no tools",
        fix="use toolCallParser: pythonic and, as chatTemplate, a copy of examples/tool_chat_template_gemma3_pythonic",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="reasoning of a model whose figures are not known and that writes none",
        id="LLMD-ENGINE-REASONING-MODEL",
        changes=_on_l4("unsloth/gemma-3-4b-it", reasoningParser="deepseek_r1"),
        path="models[0].reasoningParser",
        value="deepseek_r1",
        rule="answers without reasoning",
        fix="remove reasoningParser",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="tool calls of another family's parser, by config.json",
        id="LLMD-ENGINE-PARSER-MODEL",
        changes=_on_l4("my-organization/mine", config="mine/config.json", toolCallParser="mistral"),
        files=_described("my-organization/mine", "Qwen--Qwen2.5-3B-Instruct"),
        path="models[0].toolCallParser",
        value="mistral",
        rule="of another family of models than my-organization/mine (Qwen2ForCausalLM)",
        fix="use the parser that the model's card names, or remove toolCallParser",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="tool calls of a family that one parser reads, by config.json",
        id="LLMD-ENGINE-PARSER-MODEL",
        changes=_on_l4("my-organization/mine", config="mine/config.json", toolCallParser="hermes"),
        files=_described("my-organization/mine", "openai--gpt-oss-20b"),
        path="models[0].toolCallParser",
        value="hermes",
        rule="of another family of models than my-organization/mine (GptOssForCausalLM)",
        fix="use toolCallParser: openai",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="reasoning of another family's parser, by config.json",
        id="LLMD-ENGINE-REASONING-MODEL",
        changes=_on_l4("my-organization/mine", config="mine/config.json", reasoningParser="olmo3"),
        files=_described("my-organization/mine", "Qwen--Qwen2.5-3B-Instruct"),
        path="models[0].reasoningParser",
        value="olmo3",
        rule="of another family of models than my-organization/mine (Qwen2ForCausalLM)",
        fix="use the parser that the model's card names, or remove reasoningParser",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="a parser of another engine, in the oldest version whose parsers are listed",
        id="LLMD-ENGINE-PARSER",
        changes={"models[0].image": "vllm/vllm-openai:v0.11.2", "models[0].toolCallParser": "qwen25"},
        path="models[0].toolCallParser",
        value="qwen25",
        rule="vLLM 0.11.2 has no parser of this name",
        fix="use one of",
    ),
    Wrong(
        name="DFlash in a version whose table lacks it",
        id="LLMD-SPECULATION-METHOD",
        changes={
            "models[0].image": "vllm/vllm-openai:v0.19.1",
            **_guess("dflash", draftModel="z-lab/Qwen3-8B-DFlash"),
        },
        path="models[0].speculativeDecoding.method",
        value="dflash",
        rule="vLLM 0.19.1 does not know this method",
        fix="",
    ),
    Wrong(
        name="DFlash without its head",
        id="LLMD-SPECULATION-DRAFT",
        changes=_guess("dflash"),
        path="models[0].speculativeDecoding",
        value="{method: dflash, tokens: 3}",
        rule="dflash needs a separate draft model",
        fix="add draftModel",
    ),
    Wrong(
        name="suffix decoding in an image without its package",
        id="LLMD-ENGINE-CONFLICT",
        changes={"models[0].image": "vllm/vllm-openai:v0.30.0", **_guess("suffix")},
        path="models[0].speculativeDecoding",
        value="suffix",
        rule="these images have no package arctic-inference",
        fix="use ngram",
    ),
    Wrong(
        name="a parser that one neighbor of the engine's version lacks",
        id="LLMD-ENGINE-FEATURE-UNKNOWN",
        changes=_on_l4("my-organization/mine", image="vllm/vllm-openai:v0.18.0", toolCallParser="gemma4"),
        path="models[0].toolCallParser",
        value="gemma4",
        rule="vLLM 0.17.1, the nearest that it lists, does not have this one",
        fix="try one replica first",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="a method for an engine whose methods are not listed",
        id="LLMD-ENGINE-FEATURE-UNKNOWN",
        changes={"models[0].image": "vllm/vllm-openai:v0.10.0", **_guess("ngram")},
        path="models[0].speculativeDecoding.method",
        value="ngram",
        rule="the catalog does not list the values that vLLM 0.10.0 accepts here",
        fix="try one replica first",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="a chat template that is not there",
        id="LLMD-CHAT-TEMPLATE",
        changes={"models[0].chatTemplate": "nowhere.jinja"},
        files={GATED: ModelFile(config={}, chat_template_problem="cannot be read: No such file or directory")},
        path="models[0].chatTemplate",
        value="nowhere.jinja",
        rule="cannot be read: No such file or directory",
        fix="correct the path, which is relative to the project folder",
    ),
    Wrong(
        name="a method that needs a draft model",
        id="LLMD-SPECULATION-DRAFT",
        changes=_guess("eagle3"),
        path="models[0].speculativeDecoding",
        value="{method: eagle3, tokens: 3}",
        rule="eagle3 needs a separate draft model",
        fix="add draftModel: organization/name",
    ),
    Wrong(
        name="a draft model that the method does not load",
        id="LLMD-SPECULATION-DRAFT",
        changes=_guess("ngram", draftModel="Qwen/Qwen3-0.6B"),
        path="models[0].speculativeDecoding",
        value="{method: ngram, tokens: 3, draftModel: Qwen/Qwen3-0.6B}",
        rule="ngram loads no further model",
        fix="remove draftModel",
    ),
    Wrong(
        name="prediction layers that the checkpoint does not have",
        id="LLMD-SPECULATION-METHOD",
        changes=_guess("mtp"),
        path="models[0].speculativeDecoding.method",
        value="mtp",
        rule="google/gemma-2b-it has no layers that predict further tokens",
        fix="use method: ngram",
    ),
    Wrong(
        name="a draft model beside a checkpoint's own layers",
        id="LLMD-SPECULATION-DRAFT",
        changes=_guess("mtp", draftModel="somebody/small"),
        path="models[0].speculativeDecoding.draftModel",
        value="somebody/small",
        rule="mtp takes the prediction layers of google/gemma-2b-it's own checkpoint",
        fix="remove draftModel",
    ),
    Wrong(
        name="prediction layers of Gemma 4 without their repository",
        id="LLMD-SPECULATION-DRAFT",
        changes=_on_l4("google/gemma-4-E4B-it") | _guess("mtp"),
        path="models[0].speculativeDecoding.draftModel",
        value="(missing)",
        rule="the prediction layers of google/gemma-4-E4B-it are in a repository of their own",
        fix="add draftModel",
    ),
    Wrong(
        name="the assistant of another size of Gemma 4",
        id="LLMD-SPECULATION-DRAFT",
        changes=_on_l4("google/gemma-4-E4B-it") | _guess("mtp", draftModel="google/gemma-4-E2B-it-assistant"),
        path="models[0].speculativeDecoding.draftModel",
        value="google/gemma-4-E2B-it-assistant",
        rule="reads hidden states of 1536 values",
        fix="name the assistant of google/gemma-4-E4B-it",
    ),
    Wrong(
        name="the assistant of Gemma 4 as an ordinary draft model",
        id="LLMD-SPECULATION-METHOD",
        changes=_on_l4("google/gemma-4-E4B-it") | _guess("draft_model", draftModel="google/gemma-4-E4B-it-assistant"),
        path="models[0].speculativeDecoding.method",
        value="draft_model",
        rule="google/gemma-4-E4B-it-assistant has other attention heads than google/gemma-4-E4B-it",
        fix="use method: mtp",
    ),
    Wrong(
        name="the assistant of Gemma 4 in an engine that does not know it",
        id="LLMD-SPECULATION-METHOD",
        changes={"release": "gaie-1.5"}
        | _on_l4("google/gemma-4-31B-it")
        | _guess("mtp", draftModel="google/gemma-4-31B-it-assistant"),
        path="models[0].speculativeDecoding.method",
        value="mtp",
        rule="vLLM 0.19.1 cannot load the assistants of Gemma 4",
        fix="use method: ngram",
    ),
    Wrong(
        name="the assistant of a mixture of Gemma 4 in the first model runner",
        id="LLMD-START-REPORTED",
        changes=_on_l4("google/gemma-4-26B-A4B-it") | _guess("mtp", draftModel="google/gemma-4-26B-A4B-it-assistant"),
        path="models[0].id",
        value="google/gemma-4-26B-A4B-it",
        rule="Model Runner V1 does not widen what the predicting layers take: a and b must have same reduction dim",
        fix='env: {VLLM_USE_V2_MODEL_RUNNER: "1"}',
    ),
    Wrong(
        name="guessed tokens in a pipeline",
        id="LLMD-SPECULATION-PIPELINE",
        changes=_on_l4("Qwen/Qwen3-8B", tensorParallel=2, pipelineParallel=2) | _guess("ngram"),
        path="models[0].speculativeDecoding",
        value="ngram",
        rule="with pipelineParallel: 2 vLLM 0.26.0 ends: only the last stage has what guesses",
        fix="remove speculativeDecoding",
    ),
    Wrong(
        name="guessed tokens in a pipeline of a newer engine",
        id="LLMD-SPECULATION-PIPELINE",
        changes=_on_l4("Qwen/Qwen3-8B", tensorParallel=2, pipelineParallel=2, image="vllm/vllm-openai:v0.30.0")
        | _guess("ngram"),
        path="models[0].speculativeDecoding",
        value="ngram",
        rule="with pipelineParallel: 2 vLLM 0.30.0 is not known to run it",
        fix="remove speculativeDecoding",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="states of recurrent layers in the host's memory",
        id="LLMD-KV-OFFLOAD-STATES",
        changes=_on_l4("Qwen/Qwen3.5-27B", kvOffloadGib=16),
        path="models[0].kvOffloadGib",
        value="16",
        rule="Qwen/Qwen3.5-27B keeps recurrent states, and engines of vLLM 0.25.1 and 0.27.1 ended",
        fix="remove kvOffloadGib",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="a method that only newer engines have",
        id="LLMD-SPECULATION-METHOD",
        changes={"release": "llm-d-0.6", **_guess("ngram_gpu")},
        path="models[0].speculativeDecoding.method",
        value="ngram_gpu",
        rule="vLLM 0.17.1 does not know this method",
        fix="did you mean ngram?",
    ),
    Wrong(
        name="a draft model for an engine that only names the method",
        id="LLMD-SPECULATION-METHOD",
        changes={"release": "llm-d-0.4", **_guess("draft_model", draftModel="Qwen/Qwen3-0.6B")},
        path="models[0].speculativeDecoding.method",
        value="draft_model",
        rule="vLLM 0.11.1 names the method and does not support it",
        fix="use method: ngram",
    ),
    Wrong(
        name="a draft model of unknown size by its setting",
        id="LLMD-MEMORY-DRAFT-UNKNOWN",
        changes=_guess("draft_model", draftModel="somebody/small"),
        path="models[0].speculativeDecoding",
        value="somebody/small",
        rule="the size of the draft model is not known",
        fix="method: ngram",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="guessed tokens on a TPU",
        id="LLMD-SPECULATION-TPU",
        stack="tpu",
        changes=_guess("ngram"),
        path="models[0].speculativeDecoding",
        value="ngram",
        rule="the catalog does not list which speculative decoding methods vLLM's TPU back end supports",
        fix="try one replica first",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="a draft model of the Hub beside weights from a bucket",
        id="LLMD-SPECULATION-OFFLINE",
        changes=_guess("draft_model", draftModel="somebody/small")
        | {"models[0].source": {"kind": "bucket", "bucket": "acme-models", "path": "gemma"}},
        path="models[0].speculativeDecoding.draftModel",
        value="somebody/small",
        rule="weights from a bucket are loaded without access to the Hugging Face Hub",
        fix="method: ngram",
    ),
    Wrong(
        name="a KV cache in the host's memory beside a TPU",
        id="LLMD-KV-OFFLOAD",
        stack="tpu",
        changes={"models[0].kvOffloadGib": 8},
        path="models[0].kvOffloadGib",
        value="8",
        rule="on GPUs only",
        fix="remove kvOffloadGib",
    ),
    Wrong(
        name="offloaded blocks of a model with sliding windows, in an engine that stores all layers alike",
        id="LLMD-KV-OFFLOAD",
        changes={
            "release": "gaie-1.5",
            "accelerator": L4_48,
            "models[0]": {"id": "google/gemma-3-4b-it", "maxModelLen": 2048, "kvOffloadGib": 8},
        },
        path="models[0].kvOffloadGib",
        value="8",
        rule="vLLM 0.19.1 stores all alike as soon as blocks are offloaded",
        fix="such as llm-d-0.9",
    ),
    Wrong(
        name="offloaded blocks between prefill and decode servers",
        id="LLMD-KV-OFFLOAD",
        stack="disaggregated-gpu",
        changes={"models[0].kvOffloadGib": 8},
        path="models[0].kvOffloadGib",
        value="8",
        rule="this pattern uses it between prefill and decode servers",
        fix="use pattern: prefix-cache",
    ),
    Wrong(
        name="more offloaded blocks than the node has memory",
        id="LLMD-KV-OFFLOAD-MEMORY",
        changes={"models[0].kvOffloadGib": 64},
        path="models[0].kvOffloadGib",
        value="64",
        rule="a pod can use 10 GiB of memory on n1-standard-4, and 64 GiB of KV-cache blocks do not fit",
        fix="use kvOffloadGib: 1, or a machineType with more memory",
    ),
    Wrong(
        name="offloaded blocks that leave the engine little memory",
        id="LLMD-KV-OFFLOAD-MEMORY",
        changes={"models[0].kvOffloadGib": 8},
        path="models[0].kvOffloadGib",
        value="8",
        rule="8 GiB of KV-cache blocks do not fit",
        fix="use kvOffloadGib: 1",
        severity=Severity.WARNING,
    ),
    *(
        Wrong(
            name=f"{argument} beside its setting",
            id="LLMD-EXTRA-ARGS-PLANNED",
            changes={"models[0].allowExtraArgs": True, "models[0].extraArgs": [argument, "x"], **setting},
            path="models[0].extraArgs[0]",
            value=argument,
            rule="",
            fix=fix,
        )
        for argument, setting, fix in (
            ("--tool-call-parser", {}, "set models[].toolCallParser"),
            ("--reasoning_parser", {}, "set models[].reasoningParser"),
            ("--kv-offloading-size", {}, "set models[].kvOffloadGib"),
            ("--speculative-config.model", _guess("ngram"), "set models[0].speculativeDecoding"),
        )
    ),
)
