"""LoRA adapters of a model, and other names it answers to."""

from __future__ import annotations

import json

from llm_d_gke.planning.plan.pods import VolumePlan
from llm_d_gke.planning.served_model import ServedModel
from llm_d_gke.planning.serving.bucket import bucket_volume
from llm_d_gke.planning.sizing.memory.run import LORA_SLOTS
from llm_d_gke.settings.models import AdapterSettings, ModelSettings

# vLLM's default limit of the rank.
_DEFAULT_RANK = 16

ADAPTERS = "/adapters"
_BUCKET = "gs://"
_IMAGE = "oci://"


def other_names(settings: ModelSettings) -> tuple[str, ...]:
    """Names besides the model's own that lead to it: aliases, then adapters."""
    return (*settings.aliases, *(adapter.name for adapter in settings.adapters))


def adapter_arguments(settings: ModelSettings) -> tuple[str, ...]:
    """`vllm serve` arguments that load the adapters at start. Empty without any."""
    if not settings.adapters:
        return ()
    rank = max(adapter.rank for adapter in settings.adapters)
    # JSON and not name=path, because it also names the base, which the list of models then contains.
    modules = [
        json.dumps({"name": adapter.name, "path": _path(number, adapter), "base_model_name": settings.name})
        for number, adapter in enumerate(settings.adapters)
    ]
    return (
        "--enable-lora",
        "--max-loras",
        str(min(len(modules), LORA_SLOTS)),
        *(("--max-lora-rank", str(rank)) if rank > _DEFAULT_RANK else ()),
        "--lora-modules",
        *modules,
    )


def adapter_volumes(settings: ModelSettings) -> tuple[VolumePlan, ...]:
    """Volumes of adapters that are not downloaded from the Hub, one each."""
    volumes = []
    for number, adapter in enumerate(settings.adapters):
        if bucket := _bucket(adapter):
            kind, source = "csi", bucket_volume(*bucket)
        elif adapter.source.startswith(_IMAGE):
            kind, source = "image", {"reference": adapter.source.removeprefix(_IMAGE), "pullPolicy": "IfNotPresent"}
        else:
            continue
        name = f"adapter-{number}"
        volumes.append(
            VolumePlan(name=name, kind=kind, source=source, mount_path=f"{ADAPTERS}/{number}", read_only=True)
        )
    return tuple(volumes)


def adapter_buckets(settings: ModelSettings) -> tuple[str, ...]:
    """Buckets that adapters are read from."""
    return tuple(bucket[0] for adapter in settings.adapters if (bucket := _bucket(adapter)))


def _bucket(adapter: AdapterSettings) -> tuple[str, str] | None:
    """Bucket and folder of an adapter in Cloud Storage."""
    if not adapter.source.startswith(_BUCKET):
        return None
    bucket, _, folder = adapter.source.removeprefix(_BUCKET).partition("/")
    return bucket, folder.strip("/")


def _path(number: int, adapter: AdapterSettings) -> str:
    """The path that vLLM loads: a repository of the Hub, or a folder of a volume."""
    if adapter.source.startswith(_BUCKET):
        return f"{ADAPTERS}/{number}"
    if adapter.source.startswith(_IMAGE):
        return f"{ADAPTERS}/{number}/{adapter.path.strip('/')}".rstrip("/")
    return adapter.source


def check_adapters(served: ServedModel) -> None:
    """Adapters are fetched from the Hub, so that the engine must be allowed there; and an adapter is not its base."""
    settings = served.settings
    for number, adapter in enumerate(settings.adapters):
        path = ("adapters", number, "source")
        if settings.source.kind != "hugging-face" and not adapter.source.startswith((_BUCKET, _IMAGE)):
            served.error("LLMD-ADAPTER-SOURCE", *path, source=settings.source.kind)
        if adapter.path and not adapter.source.startswith(_IMAGE):
            in_bucket = adapter.source.startswith(_BUCKET)
            served.error(
                "LLMD-ADAPTER-PATH",
                *path[:-1],
                "path",
                rule="a path is a folder inside an image, and this adapter is "
                + ("a folder of a bucket" if in_bucket else "a repository of the Hub, whose root vLLM loads"),
                fix=f"use source: {adapter.source.rstrip('/')}/{adapter.path.strip('/')} without path"
                if in_bucket
                else "remove it, or copy that folder to a bucket and use source: gs://my-bucket/my-folder",
            )
        if adapter.source == settings.id:
            served.error("LLMD-ADAPTER-BASE", *path)
