"""Stack files that single reports about vLLM refuse or warn of, each beside the nearest one that runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.planning.refusals.engine_conflicts import B200_8, H100_4
from tests.planning.refusals.engine_sources import Refused

_QWEN3, _REPORTED = "Qwen/Qwen3-8B", "LLMD-START-REPORTED"
_NANO, _SUPER = "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", "nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-NVFP4"
_RTX_8: Mapping[str, Any] = {**H100_4, "type": "nvidia-rtx-pro-6000", "machineType": "g4-standard-384"}
_EAGLE: Mapping[str, Any] = {"method": "eagle3", "tokens": 3, "draftModel": "yuhuili/EAGLE3-LLaMA3.3-Instruct-70B"}
_ADAPTER = [{"name": "mine", "source": "acme/mine", "rank": 16}]
_GUESSES = '{"method": "mtp", "num_speculative_tokens": 2, "max_model_len": %s}'
_ALONE = '{"method": "mtp", "num_speculative_tokens": 2, "draft_tensor_parallel_size": %s}'
_LONG: Mapping[str, Any] = {"options": ("--speculative-config", _GUESSES % 8192)}
_SEGMENTS = {"PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True"}

REFUSED = (
    Refused(
        name="experts in NVFP4 that do not fill Marlin's tiles",
        id="LLMD-EXPERTS-KERNEL",
        card=H100_4,
        model=_SUPER,
        about="tensorParallel=4",
        rule="2688 / 4 = 672",
        fix="use tensorParallel: 2",
        settings={"tensorParallel": 4},
        version="0.23.0",
        neighbor={"version": "0.24.0"},
    ),
    Refused(
        name="latent attention over an fp8 cache on RTX PRO 6000",
        id=_REPORTED,
        card=_RTX_8,
        model="nvidia/Kimi-K2.7-Code-NVFP4",
        about="id",
        rule="102400 bytes of shared memory",
        fix="use kvCacheDtype: bfloat16",
        settings={"tensorParallel": 8, "kvCacheDtype": "fp8"},
        neighbor={"kvCacheDtype": "bfloat16"},
    ),
    Refused(
        name="prediction layers without a number of tokens",
        card=H100_4,
        model="Qwen/Qwen3.6-27B",
        about="extraArgs=--speculative-config.method mtp",
        rule="only where the number of tokens is stated",
        fix="use speculativeDecoding",
        settings={"tensorParallel": 4, "options": ("--speculative-config", '{"method": "mtp"}')},
        neighbor={"options": ("--speculative-config", '{"method": "mtp", "num_speculative_tokens": 2}')},
    ),
    Refused(
        name="guesses that end before requests do",
        card=H100_4,
        model="Qwen/Qwen3.6-27B",
        about="extraArgs=--speculative-config.max_model_len 4096",
        rule="every guess is refused",
        fix="remove max_model_len",
        settings={"tensorParallel": 4, "options": ("--speculative-config", _GUESSES % 4096)},
        version="0.28.0",
        neighbor=_LONG,
        warns=True,
    ),
    Refused(
        name="a head whose layers vLLM does not find",
        id=_REPORTED,
        card=H100_4,
        model="meta-llama/Llama-3.3-70B-Instruct",
        about="id",
        rule="1.2 % of its guesses",
        fix="another head",
        settings={
            "tensorParallel": 4,
            "speculativeDecoding": {**_EAGLE, "draftModel": "nvidia/Llama-3.3-70B-Instruct-Eagle3"},
        },
        neighbor={"speculativeDecoding": _EAGLE},
        warns=True,
    ),
    Refused(
        name="ranks of decode context with GLM",
        card=B200_8,
        model="nvidia/GLM-5.3-NVFP4",
        about="extraArgs=--decode-context-parallel-size 4",
        rule="ended at its start in 0.28.0",
        fix="use an image of 0.27",
        settings={"tensorParallel": 8, "options": ("--decode-context-parallel-size", "4")},
        version="0.28.0",
        neighbor={"version": "0.27.1"},
    ),
    Refused(
        name="a package that the image has not",
        card=H100_4,
        model=_QWEN3,
        about="env=VLLM_USE_FASTOKENS=1",
        rule="no package fastokens",
        fix="remove VLLM_USE_FASTOKENS",
        settings={"allowExtraArgs": True, "env": {"VLLM_USE_FASTOKENS": "1"}},
        neighbor={"env": {"VLLM_USE_FASTOKENS": "0"}},
    ),
    Refused(
        name="16-bit experts without a gate in TRT-LLM's kernels",
        card=B200_8,
        model=_NANO,
        about="env=VLLM_USE_FLASHINFER_MOE_FP16=1",
        rule="have a gate",
        fix="use an image of 0.18 or later",
        settings={"env": {"VLLM_USE_FLASHINFER_MOE_FP16": "1"}, "options": ("--trust-remote-code",)},
        version="0.17.1",
        neighbor={"version": "0.19.1"},
    ),
    Refused(
        name="expandable segments beside vLLM's all-reduce",
        card=H100_4,
        model="Qwen/Qwen3.6-27B",
        about="env=PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True",
        rule="custom_all_reduce.cuh",
        fix="--disable-custom-all-reduce",
        settings={"tensorParallel": 4, "allowExtraArgs": True, "env": _SEGMENTS},
        neighbor={"options": ("--disable-custom-all-reduce",)},
        warns=True,
    ),
    Refused(
        name="a tokenizer of another repository",
        card=H100_4,
        model=_QWEN3,
        about="extraArgs=--tokenizer",
        rule="RevisionNotFoundError",
        fix="use an image of 0.28",
        settings={"options": ("--tokenizer", "acme/tokenizer")},
        version="0.29.0",
        neighbor={"version": "0.28.0"},
        warns=True,
    ),
    Refused(
        name="adapters of the text model alone",
        id=_REPORTED,
        card=H100_4,
        model="Qwen/Qwen3-VL-8B-Instruct",
        about="id",
        rule="no module has that name",
        fix="model.language_model.layers",
        settings={"adapters": _ADAPTER},
        neighbor={"adapters": []},
        warns=True,
    ),
    Refused(
        name="modules for adapters that they may not have",
        card=H100_4,
        model=_QWEN3,
        about="extraArgs=--lora-target-modules",
        rule="answers under its name",
        fix="compare the list",
        settings={"adapters": _ADAPTER, "options": ("--lora-target-modules", "q_proj")},
        neighbor={"options": None},
        warns=True,
    ),
    Refused(
        name="weights that ranks read for each other",
        card=H100_4,
        model=_NANO,
        about="extraArgs=--model-loader-extra-config.distributed True",
        rule="Nemotron-H's answers empty",
        fix="remove distributed",
        settings={
            "tensorParallel": 2,
            "options": ("--load-format", "runai_streamer", "--model-loader-extra-config", '{"distributed": true}'),
        },
        neighbor={"options": ("--load-format", "runai_streamer")},
        warns=True,
    ),
    Refused(
        name="layers that guess on one device of several",
        card=H100_4,
        model="Qwen/Qwen3.6-27B",
        about="extraArgs=--speculative-config.draft_tensor_parallel_size 1",
        rule="has no effect on layers that guess",
        fix="remove draft_tensor_parallel_size",
        settings={"tensorParallel": 4, "options": ("--speculative-config", _ALONE % 1)},
        neighbor={"options": ("--speculative-config", _ALONE % 4)},
        warns=True,
    ),
)
ENGINE_ISSUES = tuple(row.wrong() for row in REFUSED)
