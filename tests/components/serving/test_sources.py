"""Sources of weights: one setting decides everything else about the pod."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_d_gke.catalog import load
from llm_d_gke.planning.allocatable import allocatable
from llm_d_gke.planning.serving.engine_paths import WEIGHTS
from tests.objects import Object, container, one, pods
from tests.planning.serving.test_model_server import mebibytes
from tests.stacks import graph_of, plan_of

STACK = "prefix-cache-gpu"
MODEL = "Qwen/Qwen2.5-3B-Instruct"
OWN = "example.com/engines/vllm-qwen:1"
HUB: dict[str, Any] = {"kind": "hugging-face"}
BUCKET = {"kind": "bucket", "bucket": "weights", "path": "/qwen/"}
CLAIM = {"kind": "volume-claim", "claim": "weights", "path": "qwen"}
BAKED = {"kind": "image", "path": "models/qwen"}
MOUNTED = {"kind": "image", "reference": "example.com/weights/qwen:1", "path": "/"}

# 132 GiB.
LARGE = {
    "models[0].id": "meta-llama/Llama-3.3-70B-Instruct",
    "models[0].gpuMemoryUtilization": 0.92,
    "models[0].dtype": "bfloat16",
    "models[0].tensorParallel": 8,
    "accelerator.type": "nvidia-h100-80gb",
    "accelerator.machineType": "a3-highgpu-8g",
}

CASES = [
    pytest.param(HUB, {}, MODEL, None, id="hugging-face"),
    pytest.param(BUCKET, {}, f"{WEIGHTS}/qwen", "csi", id="bucket"),
    pytest.param(CLAIM, {}, f"{WEIGHTS}/qwen", "persistentVolumeClaim", id="volume-claim"),
    pytest.param(BAKED, {"models[0].image": OWN}, "/models/qwen", None, id="baked-image"),
    pytest.param(MOUNTED, {}, WEIGHTS, "image", id="image-volume"),
]


def changed(source: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"models[0].source": source, **more}


def server(source: dict[str, Any], more: dict[str, Any]) -> Object:
    return next(pod for name, pod in pods(graph_of(STACK, changed(source, **more))).items() if name.endswith("-vllm"))


@pytest.mark.parametrize(("source", "more", "model", "volume"), CASES)
def test_the_engine_reads_what_is_mounted(
    source: dict[str, Any], more: dict[str, Any], model: str, volume: str | None
) -> None:
    pod = server(source, more)
    assert container(pod)["args"][0] == model
    mounted = [volume for volume in pod["spec"]["volumes"] if volume["name"] == "weights"]
    assert [set(volume_fields) for volume_fields in mounted] == ([{"name", volume}] if volume else [])
    mounts = [volume_mount for volume_mount in container(pod)["volumeMounts"] if volume_mount["mountPath"] == WEIGHTS]
    assert mounts == ([{"name": "weights", "mountPath": WEIGHTS, "readOnly": True}] if volume else [])


@pytest.mark.parametrize(("source", "more", "model", "volume"), CASES)
def test_only_the_hub_is_asked_for_anything(
    source: dict[str, Any], more: dict[str, Any], model: str, volume: str | None
) -> None:
    """Neither a token nor the network, where the weights are at hand."""
    pod = server(source, more)
    words = {variable["name"]: variable.get("value") for variable in container(pod)["env"]}
    offline = source is not HUB
    assert (words.get("HF_HUB_OFFLINE") == "1") is offline
    assert ("HF_TOKEN_PATH" in words) is not offline


def test_an_image_of_the_users_own_runs_with_the_releases_command() -> None:
    pod = server(BAKED, {"models[0].image": OWN})
    assert container(pod)["image"] == OWN
    assert container(pod)["command"] == ["vllm", "serve"]


def test_the_start_up_budget_follows_the_source() -> None:
    """Of 132 GiB: from the Hub in the container's time, from nearer in less of it, with an image before it starts."""
    seconds, deadlines = {}, {}
    for source, more in ((HUB, {}), (BUCKET, {}), (MOUNTED, {}), (BAKED, {"models[0].image": OWN})):
        planned = plan_of(STACK, changed(source, **more, **LARGE)).models[0].servers[0]
        assert planned.pod.startup is not None
        name = f"{source['kind']}{'-volume' if source is MOUNTED else ''}"
        seconds[name] = planned.pod.startup.period * planned.pod.startup.failures
        deadlines[name] = planned.start_up_seconds
    assert seconds["image"] == seconds["image-volume"] < seconds["bucket"] < seconds["hugging-face"]
    # Pulling the image is waited for as well, outside of the probe's time.
    assert deadlines["image"] == deadlines["image-volume"] > seconds["hugging-face"]
    assert deadlines["bucket"] == seconds["bucket"]


def test_an_image_of_weights_needs_room_on_the_boot_disk() -> None:
    without = plan_of(STACK, changed(BUCKET, **LARGE)).accelerator_pools[0].disk_gib
    assert plan_of(STACK, changed(MOUNTED, **LARGE)).accelerator_pools[0].disk_gib > without


def test_the_image_is_a_volume_as_kubernetes_spells_it() -> None:
    deployment = one(graph_of(STACK, changed(MOUNTED)), "Deployment", "qwen2-5-3b-instruct-vllm")
    [weights] = [v for v in deployment["spec"]["template"]["spec"]["volumes"] if v["name"] == "weights"]
    assert weights["image"] == {"reference": "example.com/weights/qwen:1", "pullPolicy": "IfNotPresent"}


def grants(changes: dict[str, Any], stack: str = STACK) -> list[tuple[str, str, str]]:
    """(bucket, role, member) of each grant on a bucket."""
    members = graph_of(stack, changes).by_type("gcp:storage/bucketIAMMember:BucketIAMMember")
    return [(grant["bucket"], grant["role"], grant["member"]) for grant in members]


@pytest.mark.parametrize("deployment", ["direct", "kserve"])
def test_servers_may_read_their_bucket_and_nothing_else(deployment: str) -> None:
    changes = {"models[0].source": BUCKET, "deployment": deployment, "namespace.name": "models"}
    [(bucket, role, member)] = grants(changes)
    assert (bucket, role) == ("weights", "roles/storage.objectViewer")
    account = plan_of(STACK, changes).models[0].servers[0].service_account
    assert member.endswith(f".svc.id.goog[models/{account}]")


def test_a_grant_keeps_its_name_when_another_bucket_comes_or_goes() -> None:
    """Under another name Google would add what is there, and Pulumi would then delete it under the old name."""
    adapter = {"models[0].adapters": [{"name": "sql", "source": "gs://lora/sql"}]}

    def names(changes: dict[str, Any]) -> dict[str, str]:
        members = graph_of(STACK, changes).by_type("gcp:storage/bucketIAMMember:BucketIAMMember")
        return {str(grant.inputs["bucket"]): grant.name for grant in members}

    both = names({**adapter, "models[0].source": BUCKET})
    assert both.keys() == {"weights", "lora"}
    assert names(adapter) == {"lora": both["lora"]}
    assert names({"models[0].source": BUCKET}) == {"weights": both["weights"]}


def test_servers_wait_for_their_grant() -> None:
    graph = graph_of(STACK, {"models[0].source": BUCKET})
    [grant] = graph.by_type("gcp:storage/bucketIAMMember:BucketIAMMember")
    [server] = [r for r in graph.by_type("kubernetes:apps/v1:Deployment") if r.name.endswith("-vllm")]
    assert graph.depends(server, grant)


def test_without_a_bucket_there_is_no_grant() -> None:
    assert grants({}) == []


def test_a_bucket_is_read_through_a_cache_that_holds_the_weights() -> None:
    """Parallel downloads need the file cache, and the sidecar's own limit of 5 GiB would end them."""
    pod = plan_of(STACK, {"models[0].source": BUCKET}).models[0].servers[0].pod
    [volume] = [volume for volume in pod.volumes if volume.name == "weights"]
    options = volume.source["volumeAttributes"]["mountOptions"].split(",")
    assert {"file-cache:enable-parallel-downloads:true", "metadata-cache:ttl-secs:-1"} <= set(options)
    assert gib(pod.annotations["gke-gcsfuse/ephemeral-storage-limit"]) > 5.8


def gib(quantity: str) -> float:
    return mebibytes(quantity) / 1024


SHARING = {"accelerator.machineType": "g2-standard-96", "accelerator.type": "nvidia-l4", "models[0].tensorParallel": 1}


@pytest.mark.parametrize("deployment", ["direct", "kserve"])
@pytest.mark.parametrize(
    ("changes", "cached"),
    [
        ({"models[0].source": BUCKET}, 5.8),
        ({"models[0].source": BUCKET, **LARGE}, 131),
        # Eight replicas may request 4.8 GiB each, with 1 GiB for the engine.
        ({"models[0].source": BUCKET, **SHARING}, 5),
        ({"models[0].adapters": [{"name": "a", "source": "gs://weights/a"}]}, 0.1),
    ],
)
def test_a_bucket_s_cache_and_the_engine_fit_the_node_together(
    deployment: str, changes: dict[str, Any], cached: float
) -> None:
    """The webhook's sidecar requests as much as its limit where its annotations name no request."""
    plan = plan_of(STACK, {**changes, "deployment": deployment})
    pool, pod = plan.accelerator_pools[0], plan.models[0].servers[0].pod
    room = allocatable(load().machines[pool.machine_type], pool.disk_gib)
    sharing = pool.accelerators_per_node // int(pod.requests["nvidia.com/gpu"])
    request = gib(pod.annotations["gke-gcsfuse/ephemeral-storage-request"])
    assert sharing * (request + gib(pod.requests["ephemeral-storage"])) <= room.ephemeral_gib
    assert cached <= request <= gib(pod.annotations["gke-gcsfuse/ephemeral-storage-limit"])
    # Without a limit of its own the sidecar would get that of the namespace's LimitRange.
    assert plan.namespace.default_limits["memory"] == "1Gi"
    assert mebibytes(pod.annotations["gke-gcsfuse/memory-limit"]) > 8 * 1024
    assert mebibytes(pod.annotations["gke-gcsfuse/memory-request"]) == 256


ADAPTERS = [
    {"name": "support", "source": "gs://acme-adapters/support/v2"},
    {"name": "legal", "source": "oci://example.com/adapters/legal:3", "path": "lora"},
    {"name": "public", "source": "acme/public-adapter"},
]


def test_adapters_come_from_buckets_images_and_the_hub() -> None:
    changes = {"models[0].adapters": ADAPTERS}
    pod = plan_of(STACK, changes).models[0].servers[0].pod
    start = pod.args.index("--lora-modules") + 1
    paths = [json.loads(text)["path"] for text in pod.args[start : start + 3]]
    assert paths == ["/adapters/0", "/adapters/1/lora", "acme/public-adapter"]
    volumes = {volume.mount_path: volume for volume in pod.volumes}
    assert "only-dir=support/v2" in volumes["/adapters/0"].source["volumeAttributes"]["mountOptions"]
    assert volumes["/adapters/1"].source["reference"] == "example.com/adapters/legal:3"
    assert pod.annotations["gke-gcsfuse/volumes"] == "true"
    assert [bucket for bucket, *_ in grants(changes)] == ["acme-adapters"]


def test_adapters_of_a_bucket_go_with_weights_of_a_bucket() -> None:
    adapters = [{"name": "support", "source": "gs://weights/adapters/support"}]
    assert [bucket for bucket, *_ in grants({"models[0].source": BUCKET, "models[0].adapters": adapters})] == [
        "weights"
    ]
