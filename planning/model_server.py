"""The vLLM Deployment of one model: arguments, environment, probes, place."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping

from catalog.parameters import download_gib
from catalog.schema import Model
from planning.adapters import adapter_arguments, check_adapters
from planning.allocatable import allocatable
from planning.legality import check_model
from planning.node_pools import EPHEMERAL_SHARE
from planning.plan import (
    EnvPlan,
    HuggingFacePlan,
    ModelServerPlan,
    PodPlan,
    PortPlan,
    ProbePlan,
    PullSecretPlan,
    SecurityException,
    TaintPlan,
    VolumePlan,
)
from planning.prefix_cache import block_size_of
from planning.shutdown import DRAIN_SECONDS, END_SECONDS, NOTICE_SECONDS
from planning.site import Site
from planning.speed import simulation
from planning.start_up import start_up_budget
from planning.verdict import run_of
from settings.models import BucketSource, ModelSettings, VolumeClaimSource

PORT = 8000
HEALTH_PATH = "/health"
MODELS_PATH = "/v1/models"

# Where everything the engine writes goes: the root file system is read-only.
CACHE = "/var/cache/llm-d"
WEIGHTS = "/var/lib/llm-d/weights"
TOKEN_DIRECTORY = "/var/run/secrets/hugging-face"  # noqa: S105 - a folder, not a token
TOKEN_KEY = "HF_TOKEN"  # noqa: S105 - a file's name; the Secret holds the same under `token`, which charts read

# Above 10000, so that it never meets a user of the node.
_USER = 12000

_TPU_EXCEPTION = SecurityException(
    rule="runAsNonRoot",
    reason="libtpu opens /dev/vfio, which GKE gives to root only",
)

# Size of a model the catalogue does not know: large enough for the budget not to cut a start short.
_UNKNOWN_GIB = 40.0


def selector_of(key: str) -> dict[str, str]:
    """Labels that pool, Deployment and monitoring select a model's servers by."""
    return {"llm-d.ai/inference-serving": "true", "llm-d.ai/model": key}


def tensor_parallel_of(site: Site, settings: ModelSettings) -> int:
    """Accelerators of one replica: as set, else all of its node (of its slice, on TPU)."""
    if settings.tensor_parallel is not None:
        return settings.tensor_parallel
    return site.chips * site.accelerator.devices_per_chip


def model_gib(site: Site, settings: ModelSettings) -> float:
    model = site.catalog.find_model(settings.id)
    return download_gib(model) if model is not None else _UNKNOWN_GIB


def node_gib(site: Site, settings: ModelSettings) -> float:
    """What a node full of one model's replicas downloads: each has its own copy."""
    if settings.source.kind != "hugging-face":
        return 0.0
    return model_gib(site, settings) * replicas_per_node(site, tensor_parallel_of(site, settings))


def plan_model_server(
    site: Site,
    index: int,
    settings: ModelSettings,
    key: str,
    disk_gib: int,
    hugging_face: HuggingFacePlan,
    pull_secret: PullSecretPlan | None,
) -> ModelServerPlan:
    """One model's servers. `disk_gib` is the boot disk of the accelerator nodes."""
    model = site.catalog.find_model(settings.id)
    tensor_parallel = tensor_parallel_of(site, settings)
    memory = check_model(site, index, settings, model, tensor_parallel)
    check_adapters(site, index, settings)
    run = run_of(site, settings, model, tensor_parallel) if model is not None and memory is not None else None
    size = model_gib(site, settings)
    budget = start_up_budget(site.accelerator.kind, size if settings.source.kind == "hugging-face" else size / 2)
    replicas = 0 if site.settings.paused else settings.replicas
    spare = _spare_replicas(site, tensor_parallel)
    name = f"{key}-vllm"
    selector = selector_of(key)
    drains = site.release.engine.drain_flag is not None
    # An engine that cuts its requests at SIGTERM gets it when they have ended.
    pre_stop = NOTICE_SECONDS if drains else DRAIN_SECONDS
    uses_secret_manager = hugging_face.secret_manager is not None and settings.source.kind == "hugging-face"
    pod = PodPlan(
        container="vllm",
        image=settings.image or getattr(site.release.engine, site.accelerator.kind),
        labels=selector
        | {
            "app.kubernetes.io/name": "vllm",
            "app.kubernetes.io/component": "model-server",
            "app.kubernetes.io/instance": key,
            "app.kubernetes.io/part-of": "llm-d",
            "llm-d.ai/role": site.release.role_of_both,
            "llm-d.ai/engine-type": "vllm",
        },
        annotations=_annotations(settings, hugging_face),
        command=site.release.engine.command,
        args=_arguments(settings, model, tensor_parallel, site),
        env=_environment(site, settings, hugging_face),
        ports=(PortPlan(name="http", number=PORT),),
        requests=_requests(site, tensor_parallel, disk_gib, size),
        limits=_limits(site, tensor_parallel, disk_gib),
        # vLLM answers /v1/models once weights are loaded and the engine is compiled.
        startup=ProbePlan(
            port=PORT, path=MODELS_PATH, initial_delay=15, period=10, timeout=5, failures=math.ceil(budget / 10)
        ),
        liveness=ProbePlan(port=PORT, path=HEALTH_PATH, period=10, timeout=5, failures=3),
        readiness=ProbePlan(port=PORT, path=MODELS_PATH, period=5, timeout=2, failures=3),
        volumes=_volumes(site, settings, hugging_face, size),
        service_account=name,
        mount_api_token=False,
        user=0 if site.accelerator.kind == "tpu" else _USER,
        security_exception=_TPU_EXCEPTION if site.accelerator.kind == "tpu" else None,
        node_selector=_node_selector(site),
        tolerations=(TaintPlan(key=site.accelerator.resource_name, value="present", effect="NoSchedule"),),
        pre_stop_seconds=pre_stop,
        grace_seconds=pre_stop + (DRAIN_SECONDS if drains else 0) + END_SECONDS,
        pull_secret=pull_secret.name if pull_secret else None,
        # Also of a single one: with another beside it the first must not restart.
        spread_over=selector,
    )
    return ModelServerPlan(
        name=name,
        role="both",
        service_account=name,
        replicas=replicas,
        hardware=_hardware(site, tensor_parallel),
        pod=pod,
        selector=selector,
        start_up_seconds=budget,
        max_surge=1 if spare > 0 else 0,
        max_unavailable=0 if spare > 0 else 1,
        workload_identity_secret=hugging_face.secret_manager if uses_secret_manager else None,
        memory=memory,
        latency=simulation(run, site.accelerator, verdict=memory) if run is not None else None,
        direct_service=f"{key}-direct" if site.settings.gateway.direct_load_balancer else None,
    )


def _hardware(site: Site, tensor_parallel: int) -> str:
    """One replica's accelerators. On TPU a pod takes every chip of its slice, however many the engine uses."""
    count = site.chips if site.accelerator.kind == "tpu" else tensor_parallel
    share = site.machine.accelerator_share
    return f"{share:g} of a {site.accelerator.title}" if share < 1 else f"{count} x {site.accelerator.title}"


def replicas_per_node(site: Site, tensor_parallel: int) -> int:
    """Replicas that share a node; on TPU always one, because a pod takes every chip."""
    return 1 if site.accelerator.kind == "tpu" else max(1, site.per_node // tensor_parallel)


def check_capacity(site: Site) -> None:
    """All replicas together have to fit the largest size of the pool."""
    if site.settings.paused:
        return
    needed = sum(
        math.ceil(model.replicas / replicas_per_node(site, tensor_parallel_of(site, model))) * site.hosts
        for model in site.settings.models
    )
    most = site.settings.accelerator.nodes.max
    if needed > most:
        replicas = sum(model.replicas for model in site.settings.models)
        site.findings.error(
            "accelerator",
            "nodes",
            "max",
            value=most,
            rule=f"{replicas} replica{'s' if replicas != 1 else ''} need {needed} {site.machine.name} nodes",
            fix=f"use {needed} or more, or fewer replicas",
        )


def _spare_replicas(site: Site, tensor_parallel: int) -> int:
    """Replicas the pool could hold beyond all models' own: room for a rolling update without loss."""
    per_node = replicas_per_node(site, tensor_parallel)
    wanted = sum(model.replicas for model in site.settings.models)
    return site.settings.accelerator.nodes.max // site.hosts * per_node - wanted


def _arguments(settings: ModelSettings, model: Model | None, tensor_parallel: int, site: Site) -> tuple[str, ...]:
    """`vllm serve` arguments, the model first."""
    source = settings.source
    weights = (
        f"{WEIGHTS}/{source.path.strip('/')}" if isinstance(source, BucketSource | VolumeClaimSource) else settings.id
    )
    names = ("--port", str(PORT), "--served-model-name", settings.name, *settings.aliases)
    options: list[tuple[str, object]] = []
    if source.kind == "hugging-face":
        options.append(("--revision", source.revision or (model.revision if model else None)))
    options += [
        ("--max-model-len", settings.max_model_len),
        ("--gpu-memory-utilization", settings.gpu_memory_utilization),
        ("--dtype", dtype_of(site, settings)),
        ("--tensor-parallel-size", tensor_parallel if tensor_parallel > 1 else None),
        ("--max-num-seqs", settings.max_num_seqs),
        ("--max-num-batched-tokens", settings.max_num_batched_tokens),
        ("--quantization", settings.quantization),
        ("--kv-cache-dtype", settings.kv_cache_dtype),
        ("--block-size", block_size_of(site, settings, model, tensor_parallel)),
    ]
    if site.release.engine.drain_flag is not None:
        options.append((f"--{site.release.engine.drain_flag}", DRAIN_SECONDS))
    caching = prefix_caching_of(site, settings)
    flags = ["--enable-prefix-caching" if caching else "--no-enable-prefix-caching", "--disable-uvicorn-access-log"]
    valued = [text for flag, value in options if value is not None for text in (flag, str(value))]
    return (weights, *names, *valued, *adapter_arguments(settings), *flags, *settings.extra_args)


def dtype_of(site: Site, settings: ModelSettings) -> str | None:
    """As set; else float16 where the accelerator has no bfloat16, so that the engine need not find that out."""
    return settings.dtype or (None if site.accelerator.bf16 else "half")


def prefix_caching_of(site: Site, settings: ModelSettings) -> bool:
    """As set; else on exactly when the picker scores prefixes, so that the two always agree."""
    if settings.prefix_caching is not None:
        return settings.prefix_caching
    return site.settings.picker.scorers.prefix_cache > 0


def _environment(site: Site, settings: ModelSettings, hugging_face: HuggingFacePlan) -> tuple[EnvPlan, ...]:
    values = {
        "HOME": f"{CACHE}/home",
        # torch asks for the name of a user that has no entry in /etc/passwd.
        "USER": "vllm",
        "XDG_CACHE_HOME": CACHE,
        "HF_HOME": f"{CACHE}/hugging-face",
        "VLLM_CACHE_ROOT": f"{CACHE}/vllm",
        "VLLM_NO_USAGE_STATS": "1",
    }
    if settings.source.kind == "hugging-face":
        if hugging_face.secret or hugging_face.secret_manager:
            # The Hub's library reads the token from this file; an environment variable would show in every `describe`.
            values["HF_TOKEN_PATH"] = f"{TOKEN_DIRECTORY}/{TOKEN_KEY}"
    else:
        values["HF_HUB_OFFLINE"] = "1"
    if site.accelerator.kind == "gpu":
        values |= {"TRITON_CACHE_DIR": f"{CACHE}/triton", "TORCHINDUCTOR_CACHE_DIR": f"{CACHE}/inductor"}
        return tuple(EnvPlan(name=name, value=value) for name, value in values.items())
    values |= {"VLLM_XLA_CACHE_PATH": f"{CACHE}/xla", "PJRT_DEVICE": "TPU"}
    if site.hosts == 1 and site.topology is not None:
        sides = site.topology.split("x")
        bounds = ",".join([*sides, "1"][:3])
        values |= {
            "TPU_CHIPS_PER_HOST_BOUNDS": bounds,
            "TPU_HOST_BOUNDS": "1,1,1",
            "TPU_NUM_DEVICES": str(site.chips),
            "TPU_WORKER_ID": "0",
        }
    return (
        *(EnvPlan(name=name, value=value) for name, value in values.items()),
        EnvPlan(name="TPU_WORKER_HOSTNAMES", field_path="status.podIP"),
    )


def _annotations(settings: ModelSettings, hugging_face: HuggingFacePlan) -> dict[str, str]:
    annotations = {}
    if isinstance(settings.source, BucketSource):
        annotations["gke-gcsfuse/volumes"] = "true"
    elif hugging_face.token is not None:
        # A new token restarts the pods; the old ones would keep the old file's content in memory.
        digest = hashlib.sha256(hugging_face.token.get_secret_value().encode()).hexdigest()
        annotations["checksum/hugging-face-token"] = digest[:16]
    return annotations


def _volumes(site: Site, settings: ModelSettings, hugging_face: HuggingFacePlan, size: float) -> tuple[VolumePlan, ...]:
    source = settings.source
    cache = math.ceil(10 + (1.5 * size if source.kind == "hugging-face" else 0))
    shared = "16Gi" if site.accelerator.kind == "tpu" or tensor_parallel_of(site, settings) > 1 else "2Gi"
    volumes = [
        VolumePlan(name="cache", kind="emptyDir", source={"sizeLimit": f"{cache}Gi"}, mount_path=CACHE),
        VolumePlan(name="tmp", kind="emptyDir", source={"sizeLimit": "4Gi"}, mount_path="/tmp"),  # noqa: S108
        # Workers of one replica exchange tensors through shared memory; a container's own 64 MiB are too few.
        VolumePlan(
            name="shared-memory",
            kind="emptyDir",
            source={"medium": "Memory", "sizeLimit": shared},
            mount_path="/dev/shm",  # noqa: S108
        ),
    ]
    if isinstance(source, BucketSource):
        attributes = {"bucketName": source.bucket, "mountOptions": "implicit-dirs"}
        csi = {"driver": "gcsfuse.csi.storage.gke.io", "readOnly": True, "volumeAttributes": attributes}
        volumes.append(VolumePlan(name="weights", kind="csi", source=csi, mount_path=WEIGHTS, read_only=True))
    elif isinstance(source, VolumeClaimSource):
        claim = {"claimName": source.claim, "readOnly": True}
        volumes.append(
            VolumePlan(name="weights", kind="persistentVolumeClaim", source=claim, mount_path=WEIGHTS, read_only=True)
        )
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
    return tuple(volumes)


def _node_selector(site: Site) -> Mapping[str, str]:
    selector = {site.accelerator.label_key: site.accelerator.node_label_value}
    if site.topology is not None:
        selector["cloud.google.com/gke-tpu-topology"] = site.topology
    if site.settings.accelerator.provisioning == "spot":
        selector["cloud.google.com/gke-spot"] = "true"
    return selector


def _accelerators(site: Site, tensor_parallel: int) -> str:
    return str(site.per_node if site.accelerator.kind == "tpu" else tensor_parallel)


def _requests(site: Site, tensor_parallel: int, disk_gib: int, size: float) -> dict[str, str]:
    """Three quarters of what the node leaves to pods, shared by its replicas: the rest is for GKE's own DaemonSets."""
    room, sharing = allocatable(site.machine, disk_gib), replicas_per_node(site, tensor_parallel)
    return {
        "cpu": _cores(int(room.cpu_millis * 0.75 / sharing)),
        "memory": f"{int(room.memory_mib * 0.8 / sharing)}Mi",
        "ephemeral-storage": f"{max(1, min(int(room.ephemeral_gib * 0.8 / sharing), math.ceil(4 + size)))}Gi",
        site.accelerator.resource_name: _accelerators(site, tensor_parallel),
    }


def _cores(millis: int) -> str:
    """As the API server stores it: `4`, not `4000m`, which would show as a change whenever nothing can be compared."""
    return str(millis // 1000) if millis % 1000 == 0 else f"{millis}m"


def _limits(site: Site, tensor_parallel: int, disk_gib: int) -> dict[str, str]:
    room, sharing = allocatable(site.machine, disk_gib), replicas_per_node(site, tensor_parallel)
    return {
        "cpu": _cores(site.machine.vcpus * 1000 // sharing),
        "memory": f"{int(room.memory_mib * 0.8 / sharing)}Mi",
        "ephemeral-storage": f"{int(room.ephemeral_gib * EPHEMERAL_SHARE / sharing)}Gi",
        site.accelerator.resource_name: _accelerators(site, tensor_parallel),
    }
