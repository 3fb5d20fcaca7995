"""Stack files that vLLM's own sources refuse, each beside the nearest one that they accept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from llm_d_gke.catalog.schema import Quantization
from llm_d_gke.planning.findings import Severity
from tests.planning.refusals.case import Wrong
from tests.planning.refusals.engine_conflicts import B200_8, H100_4

_T4_4: Mapping[str, Any] = {
    "type": "nvidia-tesla-t4",
    "machineType": "n1-standard-32",
    "perNode": 4,
    "nodes": {"min": 0, "max": 1},
}
_L4_4: Mapping[str, Any] = {"type": "nvidia-l4", "machineType": "g2-standard-48", "nodes": {"min": 0, "max": 1}}
_H200_8: Mapping[str, Any] = {**H100_4, "type": "nvidia-h200-141gb", "machineType": "a3-ultragpu-8g"}
_RTX_8: Mapping[str, Any] = {**H100_4, "type": "nvidia-rtx-pro-6000", "machineType": "g4-standard-384"}
_V6E: Mapping[str, Any] = {
    "type": "tpu-v6e",
    "machineType": "ct6e-standard-4t",
    "topology": "2x2",
    "nodes": {"min": 0, "max": 1},
}
_TWO_H200: Mapping[str, Any] = {**_H200_8, "nodes": {"min": 0, "max": 2}}
_ZONES = {"ct6e-standard-4t": "us-east5-b", "a3-ultragpu-8g": "us-central1-b", "a4-highgpu-8g": "us-central1-b"}

_INTEGERS = Quantization(method="compressed-tensors", bits=8, integers=True)
_BITSANDBYTES = Quantization(method="bitsandbytes", bits=4, group=64)
_QWEN3, _DEEPSEEK, _DEEPSEEK_V4 = "Qwen/Qwen3-8B", "deepseek-ai/DeepSeek-V3.2", "deepseek-ai/DeepSeek-V4-Flash"
_LITE, _GEMMA, _NEMOTRON = (
    "deepseek-ai/DeepSeek-V2-Lite-Chat",
    "google/gemma-3-4b-it",
    "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16",
)


@dataclass(frozen=True, kw_only=True)
class Refused:
    """`neighbor` are the settings that differ in the file that is accepted; `card` and `version` may be among them."""

    name: str
    card: Mapping[str, Any]
    model: str
    about: str  # the setting, with its value where that is not the one in `settings`
    rule: str
    fix: str
    neighbor: Mapping[str, Any]
    id: str = "LLMD-ENGINE-CONFLICT"
    settings: Mapping[str, Any] = field(default_factory=dict)
    version: str = "0.26.0"
    warns: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)
    neighbor_facts: Mapping[str, Any] | None = None  # None: the same

    def changes(self, other: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The stack's changes, of the refused file or with what differs in the accepted one."""
        settings = {"card": self.card, "version": self.version, **self.settings, **(other or {})}
        card, version = settings.pop("card"), settings.pop("version")
        options = settings.pop("options", None)
        extra = {"allowExtraArgs": True, "extraArgs": list(options)} if options else {}
        fields = {"id": self.model, "maxModelLen": 8192, "maxNumSeqs": 32, "image": f"vllm/vllm-openai:v{version}"}
        return {
            "location": _ZONES.get(card["machineType"], "us-central1-a"),
            "accelerator": dict(card),
            "models[0]": {**fields, **extra, **settings},
        }

    def wrong(self) -> Wrong:
        setting, _, value = self.about.partition("=")
        return Wrong(
            name=self.name,
            id=self.id,
            changes=self.changes(),
            path=f"models[0].{setting}",
            value=value or str(self.settings.get(setting, self.model)),
            rule=self.rule,
            fix=self.fix,
            severity=Severity.WARNING if self.warns else Severity.ERROR,
            facts={self.model: self.facts} if self.facts else {},
        )


def _option(*words: str, **further: Any) -> dict[str, Any]:
    return {"about": f"extraArgs={' '.join(words[:2])}", "settings": {"options": words, **further}}


_REPORTED = "LLMD-START-REPORTED"
REFUSED = (
    Refused(
        name="layers in integers on a card whose kernels end",
        id=_REPORTED,
        card=B200_8,
        model=_QWEN3,
        about="id",
        rule="Int8 not supported",
        fix="use a checkpoint in fp8",
        facts={"quantization": _INTEGERS},
        neighbor={"card": H100_4},
    ),
    Refused(
        name="weights of bitsandbytes that are cut",
        id=_REPORTED,
        card=H100_4,
        model=_QWEN3,
        about="id",
        rule="Prequant BitsAndBytes models",
        fix="use tensorParallel: 1",
        settings={"tensorParallel": 4},
        facts={"quantization": _BITSANDBYTES},
        neighbor={"tensorParallel": 1},
    ),
    Refused(
        name="GPTQ that is not symmetric",
        id="LLMD-QUANTIZATION-UNKNOWN",
        card=H100_4,
        model=_QWEN3,
        about="id",
        rule="not symmetric (sym: false)",
        fix="use ",
        facts={"quantization": Quantization(method="gptq", bits=4, group=128, zero_point_bits=4)},
        neighbor={"version": "0.19.1"},
    ),
    Refused(
        name="GPTQ of three bits",
        id="LLMD-QUANTIZATION-UNKNOWN",
        card=H100_4,
        model=_QWEN3,
        about="id",
        rule="they have 3 bits",
        fix="use ",
        facts={"quantization": Quantization(method="gptq", bits=3, group=128)},
        neighbor={"version": "0.19.1"},
    ),
    Refused(
        name="sparse weights",
        id="LLMD-QUANTIZATION-UNKNOWN",
        card=H100_4,
        model=_QWEN3,
        about="id",
        rule="Sparsity support has been removed",
        fix="use ",
        facts={"quantization": Quantization(method="compressed-tensors", bits=4, group=128, sparse=True)},
        neighbor={"version": "0.19.1"},
    ),
    Refused(
        name="linear attention that bitsandbytes quantizes on several devices",
        id=_REPORTED,
        card=H100_4,
        model="Qwen/Qwen3.5-27B",
        about="id",
        rule="Shard id with multiple indices",
        fix="use tensorParallel: 1",
        settings={"tensorParallel": 2, "quantization": "bitsandbytes"},
        neighbor={"tensorParallel": 1},
    ),
    Refused(
        name="latent attention below the cards of FlashAttention",
        id=_REPORTED,
        card=_T4_4,
        model=_LITE,
        about="id",
        rule="FlashAttention only supports Ampere GPUs or newer",
        fix="use L4",
        settings={"tensorParallel": 4, "dtype": "half", "gpuMemoryUtilization": 0.9, "maxNumSeqs": 16},
        neighbor={"card": _L4_4},
    ),
    Refused(
        name="small blocks of an indexer",
        id=_REPORTED,
        card=B200_8,
        model=_DEEPSEEK,
        about="blockSize",
        rule="blocks of 64 tokens alone",
        fix="remove blockSize, or use 64",
        settings={"tensorParallel": 8, "blockSize": 16},
        neighbor={"blockSize": 128},
    ),
    Refused(
        name="small blocks of compressed keys",
        id=_REPORTED,
        card=B200_8,
        model=_DEEPSEEK_V4,
        about="blockSize",
        rule="blocks of 256 tokens alone",
        fix="remove blockSize, or use 256",
        settings={"tensorParallel": 8, "blockSize": 128, "kvCacheDtype": "fp8"},
        neighbor={"blockSize": 256},
    ),
    Refused(
        name="blocks that no usual kernel takes",
        id=_REPORTED,
        card=H100_4,
        model=_QWEN3,
        about="blockSize",
        rule="blocks of 16 tokens and multiples",
        fix="remove blockSize, or use 16",
        settings={"blockSize": 8},
        neighbor={"blockSize": 32},
    ),
    Refused(
        name="blocks that the named back end does not take",
        card=B200_8,
        model=_LITE,
        rule="blocks of 128 tokens: block_size not supported",
        fix="remove blockSize, or use 128",
        neighbor={"blockSize": 128},
        **_option("--attention-backend", "CUTLASS_MLA", tensorParallel=1, blockSize=64),
    ),
    Refused(
        name="a soft cap in flex attention",
        card=H100_4,
        model="google/gemma-2-9b-it",
        rule="logits soft cap",
        fix="remove --attention-backend",
        neighbor={"options": ("--attention-backend", "TRITON_ATTN")},
        **_option("--attention-backend", "FLEX_ATTENTION", tensorParallel=1),
    ),
    Refused(
        name="shared keys in flex attention",
        card=H100_4,
        model="google/gemma-4-E4B-it",
        rule="does not support kv sharing yet",
        fix="remove --attention-backend",
        neighbor={"options": ("--attention-backend", "TRITON_ATTN")},
        **_option("--attention-backend", "FLEX_ATTENTION", tensorParallel=1),
    ),
    Refused(
        name="whole images in FlashAttention",
        id="LLMD-ATTENTION-KERNEL",
        card=_L4_4,
        model=_GEMMA,
        about="extraArgs=FLASH_ATTN",
        rule="does not run them on L4 with the back end FLASH_ATTN",
        fix="remove the option",
        settings={"options": ("--attention-backend", "FLASH_ATTN"), "tensorParallel": 1},
        neighbor={"options": ("--attention-backend", "TRITON_ATTN")},
    ),
    Refused(
        name="ranks of decode context and windows",
        card=_RTX_8,
        model=_GEMMA,
        rule="DCP not support sliding window",
        fix="remove --decode-context-parallel-size",
        neighbor={"options": ("--decode-context-parallel-size", "1")},
        **_option("--decode-context-parallel-size", "2", tensorParallel=8),
    ),
    Refused(
        name="a vision tower in fp8 on Hopper",
        card=H100_4,
        model=_GEMMA,
        rule="requires compute capability 10.0",
        fix="remove --mm-encoder-attn-dtype",
        neighbor={"card": B200_8},
        **_option("--mm-encoder-attn-dtype", "fp8", tensorParallel=1),
    ),
    Refused(
        name="MegaMoE without expert parallelism",
        card=B200_8,
        model=_DEEPSEEK_V4,
        rule="requires expert parallel",
        fix="use expertParallel: true",
        neighbor={"expertParallel": True},
        **_option("--moe-backend", "deep_gemm_mega_moe", tensorParallel=8, kvCacheDtype="fp8"),
    ),
    Refused(
        name="MegaMoE on Hopper",
        card=_H200_8,
        model=_DEEPSEEK_V4,
        rule="requires SM100",
        fix="remove --moe-backend",
        neighbor={"card": B200_8},
        **_option("--moe-backend", "deep_gemm_mega_moe", tensorParallel=8, kvCacheDtype="fp8", expertParallel=True),
    ),
    Refused(
        name="MegaMoE of another model",
        card=B200_8,
        model="Qwen/Qwen3-30B-A3B",
        rule="these kernels are DeepSeek V4's",
        fix="remove --moe-backend",
        neighbor={"options": ("--moe-backend", "triton")},
        **_option("--moe-backend", "deep_gemm_mega_moe", tensorParallel=4),
    ),
    Refused(
        name="kernels of other experts for four-bit integers",
        card=B200_8,
        model="moonshotai/Kimi-K2.5",
        rule="not supported for WNA16 MoE",
        fix="remove --moe-backend",
        neighbor={"options": ("--moe-backend", "marlin")},
        **_option("--moe-backend", "triton", tensorParallel=8),
    ),
    Refused(
        name="CUTLASS for experts with scales of blocks",
        card=H100_4,
        model="Qwen/Qwen3-30B-A3B-FP8",
        rule="backend is disabled",
        fix="remove --moe-backend",
        neighbor={"options": ("--moe-backend", "deep_gemm")},
        **_option("--moe-backend", "cutlass", tensorParallel=1),
    ),
    Refused(
        name="FlashInfer's CUTLASS for scales of blocks on Blackwell",
        card=B200_8,
        model="Qwen/Qwen3-30B-A3B-FP8",
        rule="on compute capability 9.0 only",
        fix="remove --moe-backend",
        neighbor={"card": H100_4},
        **_option("--moe-backend", "flashinfer_cutlass", tensorParallel=1),
    ),
    Refused(
        name="DeepGEMM's experts below Hopper",
        card=_L4_4,
        model="Qwen/Qwen3-30B-A3B-FP8",
        rule="DeepGEMM is for compute capability 9.0",
        fix="remove --moe-backend",
        neighbor={"card": H100_4, "tensorParallel": 1},
        **_option("--moe-backend", "deep_gemm", tensorParallel=2),
    ),
    Refused(
        name="DeepGEMM's experts in MXFP4 on Hopper",
        card=H100_4,
        model="openai/gpt-oss-120b",
        rule="MXFP4 are for compute capability 10.x",
        fix="remove --moe-backend",
        neighbor={"options": ("--moe-backend", "marlin")},
        **_option("--moe-backend", "deep_gemm", tensorParallel=2),
    ),
    Refused(
        name="CUTLASS for experts in NVFP4 on Hopper",
        card=_H200_8,
        model="nvidia/Qwen3-235B-A22B-NVFP4",
        rule="for compute capability 10.0 and later",
        fix="remove --moe-backend",
        neighbor={"options": ("--moe-backend", "marlin")},
        **_option("--moe-backend", "cutlass", tensorParallel=4),
    ),
    Refused(
        name="Machete on another card than Hopper",
        card=_L4_4,
        model="Qwen/Qwen3-14B-AWQ",
        rule="Machete requires compute capability of 90",
        fix="remove --linear-backend",
        neighbor={"card": H100_4},
        **_option("--linear-backend", "machete", tensorParallel=2),
    ),
    Refused(
        name="kernels of other formats for four-bit integers",
        card=_L4_4,
        model="Qwen/Qwen3-14B-AWQ",
        rule="no kernel exists for mixed-precision layers",
        fix="remove --linear-backend",
        neighbor={"options": ("--linear-backend", "marlin")},
        **_option("--linear-backend", "cutlass", tensorParallel=2),
    ),
    Refused(
        name="DeepGEMM's layers below Hopper",
        card=_L4_4,
        model="Qwen/Qwen3.6-27B-FP8",
        rule="DeepGEMM is for Hopper and Blackwell",
        fix="remove --linear-backend",
        neighbor={"card": H100_4},
        **_option("--linear-backend", "deep_gemm", tensorParallel=4),
    ),
    Refused(
        name="a back end of another sparse model",
        id="LLMD-ENGINE-CONFLICT",
        card=B200_8,
        model=_DEEPSEEK_V4,
        rule="not a DeepSeek V4 attention backend",
        fix="remove --attention-backend",
        neighbor={"options": ("--moe-backend", "flashinfer_trtllm")},
        **_option("--attention-backend", "FLASHINFER_MLA_SPARSE", tensorParallel=8, kvCacheDtype="fp8"),
    ),
    Refused(
        name="a draft model with three coordinates",
        id="LLMD-SPECULATION-TARGET",
        card=H100_4,
        model="Qwen/Qwen3.5-27B",
        about="speculativeDecoding.draftModel=Qwen/Qwen3.5-4B",
        rule="does not support M-RoPE yet",
        fix="use method: mtp",
        settings={
            "tensorParallel": 4,
            "speculativeDecoding": {"method": "draft_model", "draftModel": "Qwen/Qwen3.5-4B", "tokens": 3},
        },
        neighbor={"speculativeDecoding": {"method": "mtp", "tokens": 1}},
    ),
    Refused(
        name="a draft model on a TPU",
        id="LLMD-SPECULATION-METHOD",
        card=_V6E,
        model=_QWEN3,
        about="speculativeDecoding.method=draft_model",
        rule="Unsupported speculative decoding method",
        fix="use method: ngram",
        settings={
            "image": "vllm/vllm-tpu:v0.26.0",
            "speculativeDecoding": {"method": "draft_model", "draftModel": "Qwen/Qwen3-0.6B", "tokens": 3},
        },
        neighbor={"speculativeDecoding": {"method": "ngram", "tokens": 3}},
    ),
    Refused(
        name="experts that a TPU would quantize",
        id="LLMD-QUANTIZATION-TPU",
        card=_V6E,
        model="Qwen/Qwen3-30B-A3B",
        about="quantization",
        rule="FP8OnelineMoEMethod is not supported",
        fix="use ",
        settings={"image": "vllm/vllm-tpu:v0.26.0", "quantization": "fp8"},
        neighbor={"quantization": None},
    ),
    Refused(
        name="ranks of decode context on a TPU",
        card=_V6E,
        model=_QWEN3,
        about="extraArgs=--decode-context-parallel-size 2",
        rule="with NEW_MODEL_DESIGN enabled",
        fix="remove --decode-context-parallel-size",
        settings={"image": "vllm/vllm-tpu:v0.26.0", "options": ("--decode-context-parallel-size", "2")},
        neighbor={"env": {"NEW_MODEL_DESIGN": "1"}},
    ),
    Refused(
        name="groups of Mamba that hosts cannot share",
        id="LLMD-TP-STATES",
        card=_TWO_H200,
        model=_NEMOTRON,
        about="tensorParallel",
        rule="8 Mamba groups, which 16 devices cannot share",
        fix="use tensorParallel: 8",
        settings={"tensorParallel": 16},
        neighbor={"tensorParallel": 8},
    ),
    Refused(
        name="heads of a vision tower",
        id="LLMD-TP-VISION",
        card=_H200_8,
        model="Qwen/Qwen3-VL-30B-A3B-Instruct",
        about="tensorParallel",
        rule="has 12 attention heads, which 8 devices cannot share",
        fix='["--mm-encoder-tp-mode", "data"]',
        settings={"tensorParallel": 8},
        facts={"vision_heads": 12},
        neighbor={"options": ("--mm-encoder-tp-mode", "data")},
    ),
)
ENGINE_SOURCES = tuple(row.wrong() for row in REFUSED)
