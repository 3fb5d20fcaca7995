"""Volumes of a model server's pod, and annotations that follow from them."""

from __future__ import annotations

import functools
import hashlib
import math

from llm_d_gke.planning.plan.platform import HuggingFacePlan
from llm_d_gke.planning.plan.pods import VolumePlan
from llm_d_gke.planning.served_model import ServedModel
from llm_d_gke.planning.serving.bucket import bucket_volume, sidecar_annotations
from llm_d_gke.planning.serving.engine_features import offloaded_gib
from llm_d_gke.planning.serving.engine_paths import CACHE, TOKEN_DIRECTORY, WEIGHTS
from llm_d_gke.planning.serving.lora_adapters import adapter_buckets, adapter_volumes
from llm_d_gke.planning.serving.resources import TMP_GIB, bucket_cache_gib, cache_gib, limits
from llm_d_gke.settings.models import BucketSource, ImageSource, ModelSettings, VolumeClaimSource


def buckets_of(settings: ModelSettings) -> tuple[str, ...]:
    """Buckets that the model's servers read: of its weights and of its adapters."""
    own = (settings.source.bucket,) if isinstance(settings.source, BucketSource) else ()
    return tuple(dict.fromkeys((*own, *adapter_buckets(settings))))


# Makes testing a list of leaked tokens expensive; a plan pays it once for each token.
_ROUNDS = 100_000


@functools.cache
def token_digest(token: str, stack: str) -> str:
    """Changes with the token, and does not show that two stacks have the same one. `stack` is `stack_of_digest`."""
    return hashlib.pbkdf2_hmac("sha256", token.encode(), f"llm-d/{stack}".encode(), _ROUNDS).hex()[:16]


def stack_of_digest(project: str, stack: str) -> str:
    return f"{project}/{stack}"


def annotations_of(served: ServedModel, hugging_face: HuggingFacePlan, disk_gib: int, size: float) -> dict[str, str]:
    """Annotations for the bucket driver, and a salted digest of the token. `size` are the GiB of the weights."""
    ctx, settings, parallelism = served.ctx, served.settings, served.parallelism
    annotations = {}
    if buckets_of(settings):
        cached = size if isinstance(settings.source, BucketSource) else 0.0
        annotations = sidecar_annotations(
            bucket_cache_gib(ctx, parallelism, disk_gib, cached),
            math.ceil(1.1 * size) + 10,
            limits(ctx, parallelism, disk_gib)["memory"],
        )
    if settings.source.kind == "hugging-face" and hugging_face.token is not None:
        # A new token restarts the pods; the old ones would keep the old file's content in memory.
        annotations["checksum/hugging-face-token"] = token_digest(
            hugging_face.token.get_secret_value(), stack_of_digest(ctx.settings.project, ctx.stack)
        )
    return annotations


def volumes_of(
    served: ServedModel, hugging_face: HuggingFacePlan, disk_gib: int, size: float
) -> tuple[VolumePlan, ...]:
    """Caches, shared memory, weights, token and adapters. `size` are the GiB of the weights."""
    settings, parallelism = served.settings, served.parallelism
    source = settings.source
    cache = cache_gib(served.ctx, parallelism, disk_gib, size if source.kind == "hugging-face" else 0.0)
    shared = 16 if served.accelerator.kind == "tpu" or parallelism.accelerators > 1 else 2
    # Newer versions keep offloaded KV-cache blocks in a file there (vllm/v1/kv_offload/cpu/shared_offload_region.py).
    shared += math.ceil(offloaded_gib(settings, parallelism))
    volumes = [
        VolumePlan(name="cache", kind="emptyDir", source={"sizeLimit": f"{cache}Gi"}, mount_path=CACHE),
        VolumePlan(name="tmp", kind="emptyDir", source={"sizeLimit": f"{TMP_GIB}Gi"}, mount_path="/tmp"),  # noqa: S108
        # Workers of one replica exchange tensors through shared memory; a container's own 64 MiB are too few.
        VolumePlan(
            name="shared-memory",
            kind="emptyDir",
            source={"medium": "Memory", "sizeLimit": f"{shared}Gi"},
            mount_path="/dev/shm",  # noqa: S108
        ),
    ]
    if isinstance(source, BucketSource):
        csi = bucket_volume(source.bucket)
        volumes.append(VolumePlan(name="weights", kind="csi", source=csi, mount_path=WEIGHTS, read_only=True))
    elif isinstance(source, VolumeClaimSource):
        claim = {"claimName": source.claim, "readOnly": True}
        volumes.append(
            VolumePlan(name="weights", kind="persistentVolumeClaim", source=claim, mount_path=WEIGHTS, read_only=True)
        )
    elif isinstance(source, ImageSource):
        if source.reference is not None:
            image = {"reference": source.reference, "pullPolicy": "IfNotPresent"}
            volumes.append(VolumePlan(name="weights", kind="image", source=image, mount_path=WEIGHTS, read_only=True))
    elif hugging_face.secret_manager is not None:
        csi = {
            "driver": "secrets-store-gke.csi.k8s.io",
            "readOnly": True,
            "volumeAttributes": {"secretProviderClass": "hugging-face"},
        }
        volumes.append(VolumePlan(name="token", kind="csi", source=csi, mount_path=TOKEN_DIRECTORY, read_only=True))
    elif hugging_face.secret is not None:
        secret = {"secretName": hugging_face.secret, "defaultMode": 0o440}
        volumes.append(
            VolumePlan(name="token", kind="secret", source=secret, mount_path=TOKEN_DIRECTORY, read_only=True)
        )
    return (*volumes, *adapter_volumes(settings))
