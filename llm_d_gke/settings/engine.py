"""What the engine is asked for by name: quantization methods, types of the KV cache, speculative decoding."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from llm_d_gke.settings.base import Settings, form, refusal

# Methods of `--speculative-config`. Those with a separate draft model need its repository.
SpeculativeMethod = Literal["ngram", "ngram_gpu", "suffix", "mtp", "eagle", "eagle3", "dflash", "dspark", "draft_model"]
_WITH_DRAFT, _WITHOUT_DRAFT = ("eagle", "eagle3", "dflash", "draft_model"), ("ngram", "ngram_gpu", "suffix")
# Names of the catalog's newest tables, which a test compares; each version of vLLM has some of them.
QuantizationMethod = Literal[
    "awq",
    "awq_marlin",
    "gptq",
    "gptq_marlin",
    "fp8",
    "bitsandbytes",
    "compressed-tensors",
    "mxfp4",
    "modelopt",
    "modelopt_fp4",
    "auto_awq",
    "auto_gptq",
    "deepseek_v4_fp8",
    "experts_int8",
    "fp8_per_block",
    "fp8_per_channel",
    "fp8_per_tensor",
    "gpt_oss_mxfp4",
    "humming",
    "inc",
    "int8_per_channel_weight_only",
    "modelopt_mixed",
    "modelopt_mxfp8",
    "moe_wna16",
    "mxfp8",
    "nvfp4_per_token",
    "quark",
    "torchao",
]
CacheType = Literal[
    "auto",
    "bfloat16",
    "float16",
    "fp8",
    "fp8_ds_mla",
    "fp8_e4m3",
    "fp8_e5m2",
    "fp8_per_token_head",
    "int4_per_token_head",
    "int8_per_token_head",
    "nvfp4",
    "nvfp4_4over6",
    "nvfp4_ds_mla",
    "turboquant_3bit_nc",
    "turboquant_4bit_nc",
    "turboquant_k3v4_nc",
    "turboquant_k8v4",
]


class SpeculativeDecoding(Settings):
    """Tokens are guessed ahead and checked together: answers stay the same and come faster while few requests run."""

    method: Annotated[
        SpeculativeMethod,
        Field(
            description="What guesses: ngram or ngram_gpu (words of the prompt), suffix (words of earlier answers too,"
            " with the package arctic-inference), mtp (prediction layers of the checkpoint, or of Gemma 4's"
            " assistant), eagle, eagle3, dflash or dspark (a head trained for the model; dspark's may be in the"
            " checkpoint), draft_model (a small model of the same vocabulary)."
        ),
    ]
    tokens: Annotated[int, Field(ge=1, le=32, description="Tokens guessed before each check.")]
    draft_model: Annotated[
        str | None,
        Field(
            pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*/[A-Za-z0-9][A-Za-z0-9_.-]*$",
            max_length=96,
            description="Hugging Face repository of the head or of the small model.",
            examples=["RedHatAI/Qwen3-8B-speculator.eagle3"],
            json_schema_extra=form("a Hugging Face repository: organization, slash, name"),
        ),
    ] = None

    @model_validator(mode="after")
    def _draft_as_the_method_needs(self) -> Self:
        if self.method in _WITH_DRAFT and self.draft_model is None:
            raise refusal(
                "LLMD-SPECULATION-DRAFT",
                f"{self.method} needs a separate draft model, and none is named",
                "add draftModel: organization/name, or use method: ngram, which needs none",
            )
        if self.method in _WITHOUT_DRAFT and self.draft_model is not None:
            raise refusal(
                "LLMD-SPECULATION-DRAFT",
                f"{self.method} loads no further model, so {self.draft_model} would not be used",
                "remove draftModel, or use method: draft_model, eagle or eagle3",
            )
        return self
