"""Rules about tool calls, reasoning, chat templates, guessed tokens and KV-cache blocks on the host."""

from __future__ import annotations

from llm_d_gke.planning.rules.rule import Rule

RULES = (
    Rule(
        "LLMD-ENGINE-PARSER",
        summary="The engine's version has no parser of this name.",
        why="vLLM exits when it reads a parser that it does not have, and versions have different ones.",
        fix="Use a name of that version.",
        source="vllm/tool_parsers and vllm/reasoning of vLLM's published packages (llm_d_gke/catalog/engines)",
    ),
    Rule(
        "LLMD-ENGINE-PARSER-PACKAGE",
        severity="warning",
        summary="The parser needs a Python package that vLLM does not require.",
        why="The parser's module imports it, and vLLM exits without it. Whether an image has it is not established.",
        fix="Try one replica first, or use an image that has the package.",
        source="vllm/tool_parsers/cohere_command_tool_parser.py and"
        " vllm/reasoning/cohere_command_reasoning_parser.py of vLLM 0.26.0 and 0.30.0",
    ),
    Rule(
        "LLMD-ENGINE-PARSER-MODEL",
        severity="warning",
        summary="The parser of tool calls does not read what the model writes.",
        why="Each family of models has its own format. Calls in another format stay in the answer's text.",
        fix="Use the parser of the model's family.",
        source="github.com/vllm-project/recipes; vllm-project/vllm issue 23454, deepseek-ai/DeepSeek-V3 issue 944,"
        " ai-dynamo/dynamo issue 13176, NousResearch/hermes-agent issue 39099",
    ),
    Rule(
        "LLMD-ENGINE-FEATURE-UNKNOWN",
        severity="warning",
        summary="The catalog has no table of the engine's version.",
        why="Names and options differ between versions, and the catalog does not list those of this one.",
        fix="Try one replica first.",
        basis="catalog",
    ),
    Rule(
        "LLMD-CHAT-TEMPLATE",
        summary="The chat template cannot be read.",
        why="Its text becomes a ConfigMap that the engine mounts.",
        fix="Correct the path.",
        source="vLLM 0.30.0, vllm/entrypoints/chat_utils.py (load_chat_template)",
    ),
    Rule(
        "LLMD-ENGINE-MODEL-FEATURE",
        severity="either",
        summary="The engine's version does not have this feature for the model.",
        why="Adapters, pipeline stages and heads of EAGLE-3 need code in the model's class. vLLM exits without it.",
        fix="Remove the feature, or use a release with a newer engine.",
        source="vllm/model_executor/models of vLLM's published packages (llm_d_gke/catalog/engines)",
    ),
    Rule(
        "LLMD-ENGINE-CONFLICT",
        severity="either",
        summary="An option of `extraArgs` does not go with the rest of the deployment.",
        why="vLLM accepts each option alone, and refuses some of them together or with some models.",
        fix="Remove the option, or change what it conflicts with.",
        source="vllm/config of vLLM 0.11.1, 0.17.1, 0.19.1, 0.26.0 and 0.30.0",
    ),
    Rule(
        "LLMD-SPECULATION-TARGET",
        severity="either",
        summary="The draft model does not go with the model whose tokens it guesses.",
        why="Both need the same vocabulary, and versions lack draft models for some kinds of model.",
        fix="Use `method: ngram`, or another draft model.",
        source="vllm/config/speculative.py and vllm/v1/spec_decode of vLLM 0.17.1, 0.19.1, 0.26.0 and 0.30.0",
    ),
    Rule(
        "LLMD-PREFIX-CACHING-STATES",
        severity="either",
        summary="Prefixes of a model with recurrent states are not kept, are kept wrongly, or keep it from starting.",
        why="A state belongs to a whole block of KV cache, and vLLM makes blocks large enough to hold one.",
        fix="Turn prefix caching off, or use longer requests and larger batches.",
        source="vllm/config/vllm.py of vLLM 0.17.1, 0.19.1, 0.26.0 and 0.30.0; vllm-project/vllm issues 39809, 43559,"
        " 47194, 48401 and 53912",
    ),
    Rule(
        "LLMD-SPECULATION-DRAFT",
        summary="The draft model does not go with the method of speculative decoding.",
        why="eagle, eagle3 and draft_model load a second model, mtp does so for Gemma 4 only, and ngram loads none.",
        fix="Add or remove `draftModel`.",
        source="docs.vllm.ai/en/stable/features/spec_decode",
    ),
    Rule(
        "LLMD-SPECULATION-METHOD",
        summary="The engine's version or the model does not have this method of speculative decoding.",
        why="vLLM exits when it reads an unknown method, and mtp needs prediction layers in the checkpoint.",
        fix="Use `method: ngram`, or another of the listed ones.",
        source="vllm/config/speculative.py of vLLM's published packages (llm_d_gke/catalog/engines)",
    ),
    Rule(
        "LLMD-SPECULATION-PIPELINE",
        severity="either",
        summary="Tokens are guessed ahead in a replica with several pipeline stages.",
        why="Only the last stage has what guesses, and vLLM's first model runner ends on the others.",
        fix="Remove `speculativeDecoding`, or use one stage.",
        source="vllm-project/vllm issues 30436, 49355, 52069 and 57755",
    ),
    Rule(
        "LLMD-SPECULATION-TPU",
        severity="warning",
        summary="It is not established which methods of speculative decoding the TPU back end has.",
        why="tpu-inference implements a separate set of methods.",
        fix="Try one replica first.",
        basis="unestablished",
    ),
    Rule(
        "LLMD-SPECULATION-OFFLINE",
        summary="The draft model is on the Hub, and the servers read nothing from it.",
        why="Weights from a bucket, volume or image set HF_HUB_OFFLINE.",
        fix="Use `source.kind: hugging-face`, or a method without a draft model.",
        source="huggingface.co/docs/huggingface_hub/package_reference/environment_variables",
    ),
    Rule(
        "LLMD-KV-OFFLOAD",
        summary="The engine cannot keep KV-cache blocks in the host's memory here.",
        why="It is one of vLLM's KV connectors: of GPUs, one at a time, and in older versions for layers of one kind.",
        fix="Remove `kvOffloadGib`.",
        source="vllm/config/vllm.py and vllm/v1/kv_offload of vLLM 0.17.1, 0.19.1, 0.26.0 and 0.30.0",
    ),
    Rule(
        "LLMD-KV-OFFLOAD-STATES",
        severity="warning",
        summary="KV-cache blocks are kept in the host's memory for a kind of model that was seen to fail with it.",
        why="With recurrent states, and with Gemma 4, engines ended when cached prefixes moved to or from the host.",
        fix="Remove `kvOffloadGib`, or try long conversations with one replica first.",
        source="vllm-project/vllm issues 42348, 50454 and 53505",
    ),
    Rule(
        "LLMD-KV-OFFLOAD-MEMORY",
        severity="either",
        summary="Offloaded KV-cache blocks leave the pod too little memory, or none.",
        why="A pod that takes more memory than its limit is killed.",
        fix="Use a smaller `kvOffloadGib`, or a machine type with more memory.",
        source="kubernetes.io/docs/concepts/configuration/manage-resources-containers",
    ),
)
