"""Which models are served and how the engine runs them."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from llm_d_gke.settings.autoscaling import AutoscalingSettings
from llm_d_gke.settings.base import Settings, form, merged_by, refusal
from llm_d_gke.settings.disaggregation import PrefillSettings
from llm_d_gke.settings.engine import CacheType, QuantizationMethod, SpeculativeDecoding
from llm_d_gke.settings.names import ClaimName, FolderPath
from llm_d_gke.settings.workload import LoadSettings


def _as_text(value: object) -> object:
    """Numbers and switches as a process gets them: YAML reads `1` and `true` as others than text."""
    if isinstance(value, bool):
        return "1" if value else "0"
    return str(value) if isinstance(value, int | float) else value


Variable = Annotated[str, BeforeValidator(_as_text), Field(max_length=4096)]
DType = Literal["auto", "half", "float16", "bfloat16", "float32"]
AllToAll = Literal["allgather_reducescatter", "deepep_high_throughput", "deepep_low_latency"]


# One word: clients put it into JSON, logs and shells, and a leading dash would be read as an option by `vllm serve`.
# Names are compared as they are: a star would stand for no other name.
RequestName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=96,
        pattern=r"^[^\s*?-][^\s*?]*$",
        examples=["my-model"],
        json_schema_extra=form("a name without blanks, * and ? that does not begin with a dash"),
    ),
]

# Tag and digest as in distribution's grammar (github.com/distribution/reference). A port is no tag.
_IMAGE = re.compile(
    r"(?P<name>[a-z0-9](?:[a-zA-Z0-9._-]*(?::[0-9]+(?=/))?)(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)


def _pinned(image: str) -> str:
    match = _IMAGE.fullmatch(image)
    if match is None:
        corrected = re.sub(r"^\s*[a-z]+://|(?<=:)\s+|\s+(?=:)", "", image).strip().lower()
        raise refusal(
            "LLMD-IMAGE-FORM",
            "not the name of a container image: registry and folders in lower case, then a tag or a digest",
            f"use {corrected}" if _IMAGE.fullmatch(corrected) else "use a name such as vllm/vllm-openai:v0.26.0",
        )
    if match["tag"] is None and match["digest"] is None:
        raise refusal(
            "LLMD-IMAGE-TAG",
            "the image has neither tag nor digest: a registry then gives its `latest`, and another one after each push",
            f"use {image}:v0.26.0, or whichever tag or digest you tested",
        )
    return image


Image = Annotated[str, AfterValidator(_pinned)]


class HuggingFaceSource(Settings):
    """Weights are downloaded from the Hugging Face Hub when a pod starts."""

    kind: Literal["hugging-face"] = "hugging-face"
    revision: Annotated[
        str | None,
        Field(
            min_length=1,
            pattern=r"^[A-Za-z0-9][A-Za-z0-9._/+-]*$",
            json_schema_extra=form("the name of a branch or tag, or a commit, without blanks"),
            description="Branch, tag or commit of the repository; by default the catalog's commit, else `main`.",
            examples=["main"],
        ),
    ] = None


class BucketSource(Settings):
    """Weights lie in a Cloud Storage bucket, mounted through the Cloud Storage FUSE CSI driver."""

    kind: Literal["bucket"]
    bucket: Annotated[
        str,
        Field(
            pattern=r"^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$",
            description="Bucket name, without gs://.",
            examples=["my-models"],
            json_schema_extra=form(
                "the name of a bucket, without gs:// and without a folder: 3 to 63 lower-case letters, digits, dots,"
                " dashes and underscores"
            ),
        ),
    ]
    path: Annotated[FolderPath, Field(description="Folder of the model inside the bucket.")]


class VolumeClaimSource(Settings):
    """Weights lie on an existing PersistentVolumeClaim of the stack's namespace."""

    kind: Literal["volume-claim"]
    claim: Annotated[ClaimName, Field(description="Name of the PersistentVolumeClaim.")]
    path: Annotated[FolderPath, Field(description="Folder of the model on the volume.")]


class ImageSource(Settings):
    """Weights lie in a container image: the engine's own, or one that Kubernetes mounts as a read-only volume."""

    kind: Literal["image"]
    reference: Annotated[
        Image | None,
        Field(
            max_length=512,
            description="Image of weights, with tag or digest; by default they are in the engine's (models[].image).",
        ),
    ] = None
    path: Annotated[FolderPath, Field(description="Folder of the model inside the image.")]


ModelSource = Annotated[HuggingFaceSource | BucketSource | VolumeClaimSource | ImageSource, Field(discriminator="kind")]


class AdapterSettings(Settings):
    """A LoRA adapter. Clients use it as a separate model; the servers of its base model run it."""

    name: Annotated[RequestName, Field(description="Name in requests.")]
    source: Annotated[
        str,
        Field(
            pattern=r"^([A-Za-z0-9][A-Za-z0-9_.-]*/[A-Za-z0-9][A-Za-z0-9_.-]*"
            r"|gs://[a-z0-9][a-z0-9._-]{1,61}[a-z0-9](/[^\s/,]+)+/?"
            r"|oci://[a-z0-9][A-Za-z0-9_.:-]*(/[A-Za-z0-9_.-]+)*(:[A-Za-z0-9_.-]+|@sha256:[0-9a-f]{64}))$",
            max_length=512,
            description="Hugging Face repository of the adapter, a folder of a bucket (gs://bucket/folder), or an image"
            " (oci://image:tag) that Kubernetes mounts; its base is the model it is listed under.",
            examples=["my-org/my-adapter"],
            json_schema_extra=form(
                "a Hugging Face repository (my-org/my-adapter), a folder of a bucket (gs://my-bucket/my-folder, where"
                " the bucket's name has 3 to 63 lower-case letters, digits, dots, dashes and underscores) or an image"
                " with tag or digest (oci://...)"
            ),
        ),
    ]
    path: Annotated[
        str,
        Field(
            pattern=r"^\S*$",
            max_length=256,
            description="Folder of the adapter inside an image.",
            examples=["adapter"],
            json_schema_extra=form("a folder without blanks"),
        ),
    ] = ""
    rank: Annotated[
        Literal[8, 16, 32, 64, 128, 256], Field(description="The adapter's rank, or the next larger one.")
    ] = 16


Folder = Annotated[
    str,
    Field(
        pattern=r"^/[^:]*$", examples=["/usr/local/lib"], json_schema_extra=form("a folder of the image, from its root")
    ),
]
VariableName = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        max_length=128,
        examples=["VLLM_LOGGING_LEVEL"],
        json_schema_extra=form("the name of a variable: letters, digits and underscores"),
    ),
]


class ImageFactsSettings(Settings):
    """Facts about a custom engine image that the catalog lacks, or that differ from the catalog."""

    cuda: Annotated[
        str | None,
        Field(
            pattern=r"^[0-9]+\.[0-9]+$",
            description="CUDA version it was built with, such as 12.9: decides on the driver.",
            examples=["12.9"],
            json_schema_extra=form("a CUDA version in quotes: two numbers joined by a dot"),
        ),
    ] = None
    library_path: Annotated[
        tuple[Folder, ...] | None,
        Field(description="Folders of its own LD_LIBRARY_PATH; the node's driver is put before them."),
    ] = None
    links: Annotated[
        bool | None,
        Field(description="It links code against libcuda when it starts, as Triton does: sets LIBRARY_PATH."),
    ] = None


# Names differ between versions of vLLM: planning compares them with its tables.
ParserName = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$",
        max_length=64,
        json_schema_extra=form("the name of a parser, as vLLM's documentation lists it"),
    ),
]


class ModelSettings(Settings):
    """One model: its own inference pool, endpoint picker and model servers."""

    id: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9][A-Za-z0-9_.-]*)?$",
            max_length=96,
            description="Hugging Face repository, also the model's name in requests.",
            examples=["Qwen/Qwen3-8B"],
            json_schema_extra=form("a Hugging Face repository: organization, slash, name"),
        ),
    ]
    served_name: Annotated[RequestName | None, Field(description="Name in requests; by default the id.")] = None
    aliases: Annotated[
        tuple[RequestName, ...],
        Field(max_length=16, description="Further names in requests for the same model."),
    ] = ()
    adapters: Annotated[
        tuple[AdapterSettings, ...],
        Field(max_length=64, description="LoRA adapters on top of this model.", json_schema_extra=merged_by("name")),
    ] = ()
    source: Annotated[ModelSource, Field(description="Where the weights come from.")] = HuggingFaceSource.defaults()
    config: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=512,
            description="For a model that the catalog lacks: its config.json, or the folder that holds it, as a path"
            " from the project's folder; or hub, which reads it from the Hugging Face Hub and pins its commit.",
            examples=["hub"],
        ),
    ] = None
    replicas: Annotated[int, Field(ge=0, le=256, description="Model servers.")] = 1
    autoscaling: Annotated[
        AutoscalingSettings | None,
        Field(description="In place of `replicas`: limits between which their number follows the load."),
    ] = None
    load: Annotated[
        LoadSettings, Field(description="Expected requests and wanted latencies, for the estimates of speed and cost.")
    ] = LoadSettings.defaults()
    max_model_len: Annotated[
        int | None,
        Field(
            ge=16,
            le=10_000_000,
            examples=[8192],
            description="Longest prompt plus answer, in tokens; by default the model's own.",
        ),
    ] = None
    gpu_memory_utilization: Annotated[
        float | None,
        Field(
            gt=0.05,
            lt=1,
            examples=[0.9],
            description="Share of each accelerator's memory vLLM may take; by default vLLM's own.",
        ),
    ] = None
    dtype: Annotated[DType | None, Field(description="Numeric type of weights and activations.")] = None
    tensor_parallel: Annotated[
        int | None,
        Field(
            ge=1,
            le=256,
            description="Accelerators that share each layer; by default all of a node (1 with dataParallel), on TPU all"
            " of the slice.",
        ),
    ] = None
    pipeline_parallel: Annotated[
        int,
        Field(
            ge=1, le=64, description="Stages that a replica's layers are cut into, each on tensorParallel accelerators."
        ),
    ] = 1
    data_parallel: Annotated[
        int,
        Field(
            ge=1,
            le=256,
            description="Ranks of one replica of a mixture of experts: each answers requests of its own, all share the"
            " experts. More accelerators than a node has make it a group of pods.",
        ),
    ] = 1
    expert_parallel: Annotated[
        bool, Field(description="Every accelerator of a replica holds whole experts, not a slice of each.")
    ] = False
    all_to_all: Annotated[
        AllToAll | None,
        Field(description="How ranks exchange tokens; by default DeepEP's low latency where nodes have RDMA."),
    ] = None
    max_num_seqs: Annotated[int | None, Field(ge=1, le=65536, description="Most sequences in one batch.")] = None
    max_num_batched_tokens: Annotated[int | None, Field(ge=16, description="Most tokens in one batch.")] = None
    quantization: Annotated[
        QuantizationMethod | None,
        Field(
            description="Quantization method, where the checkpoint does not say it. Not every version of vLLM has all."
        ),
    ] = None
    kv_cache_dtype: Annotated[
        CacheType | None,
        Field(
            description="Numeric type of the KV cache; by default that of the activations, or the checkpoint's. Not"
            " every version of vLLM has all."
        ),
    ] = None
    prefix_caching: Annotated[
        bool | None, Field(description="Keep the KV cache of shared prefixes; by default what the pattern needs.")
    ] = None
    block_size: Annotated[
        int | None,
        Field(
            ge=8,
            description="Tokens of a KV-cache block, told to engine and picker; by default the engine's own.",
        ),
    ] = None
    tool_call_parser: Annotated[
        ParserName | None,
        Field(
            description="Parser of the model's tool calls, as vLLM names it: answers then carry `tool_calls`.",
            examples=["hermes"],
        ),
    ] = None
    reasoning_parser: Annotated[
        ParserName | None,
        Field(
            description="Parser that takes the model's reasoning out of its answers, as vLLM names it.",
            examples=["deepseek_r1"],
        ),
    ] = None
    chat_template: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=512,
            description="Jinja template of conversations, as a path from the project's folder; by default the"
            " model's own.",
            examples=["templates/chat.jinja"],
        ),
    ] = None
    speculative_decoding: Annotated[
        SpeculativeDecoding | None, Field(description="Guess tokens ahead; by default the engine does not.")
    ] = None
    kv_offload_gib: Annotated[
        int | None,
        Field(
            ge=1,
            le=8192,
            description="Memory of the host, in GiB for each engine, that takes KV-cache blocks which the accelerators"
            " have no room for; by default none.",
        ),
    ] = None
    prefill: Annotated[
        PrefillSettings | None,
        Field(description="Servers that compute prompts, of pattern disaggregated; all else here is then of decode."),
    ] = None
    image: Annotated[
        Image | None,
        Field(description="Engine image with tag or digest; by default the release's for the accelerator."),
    ] = None
    image_facts: Annotated[
        ImageFactsSettings | None, Field(description="Facts of `image` that decide on node and variables.")
    ] = None
    allow_extra_args: Annotated[
        bool,
        Field(description="Says that `extraArgs` and `env` are meant: the engine gets them as they are."),
    ] = False
    extra_args: Annotated[
        tuple[str, ...], Field(description="Extra arguments of `vllm serve`.", examples=[["--seed", "1"]])
    ] = ()
    env: Annotated[
        dict[VariableName, Variable],
        Field(description="Further environment variables of the engine. None that the stack sets itself; no secrets."),
    ] = {}

    @property
    def name(self) -> str:
        """The model's name in requests."""
        return self.served_name or self.id

    @property
    def replicas_path(self) -> tuple[str | int, ...]:
        """The setting that says how many replicas there are at most, below the model."""
        return ("replicas",) if self.autoscaling is None else ("autoscaling", "maximum")
