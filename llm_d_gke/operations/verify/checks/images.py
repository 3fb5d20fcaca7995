"""The images that run, against the digests of the release's lock."""

from __future__ import annotations

from llm_d_gke.catalog.locks import load_lock
from llm_d_gke.operations.live_stack.stack import LiveStack
from llm_d_gke.operations.verify.context import CheckContext
from llm_d_gke.operations.verify.result import Result, failed, passed


def has_lock(live: LiveStack) -> bool:
    """Whether the plan pulls any image by digest."""
    return bool(_planned(live)) and load_lock(live.plan.release) is not None


def images_as_locked(ctx: CheckContext) -> Result:
    """Every container of a locked image runs the content that the lock names."""
    live = ctx.live
    planned, wrong, compared = _planned(live), [], 0
    for pod in live.cluster.list("v1", "Pod", live.namespace):
        status = pod.get("status") or {}
        for container in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
            locked = planned.get(_name(str(container.get("image", ""))))
            running = str(container.get("imageID", "")).rpartition("@")[2]
            if locked is None or not running.startswith("sha256:"):
                continue
            compared += 1
            if running != locked:
                wrong.append(f"{pod['metadata']['name']}/{container['name']} runs {running}, the lock has {locked}")
    if wrong:
        return failed("; ".join(wrong), f"{live.kubectl} describe pods")
    if not compared:
        return failed("no container states the digest of its image", f"{live.kubectl} get pods --output yaml")
    return passed(f"{compared} containers run what the lock names")


def _planned(live: LiveStack) -> dict[str, str]:
    """Digests by image name, without tag and digest, of the plan's pods."""
    pods = [pod for model in live.plan.models for pod in (model.picker.pod, *(server.pod for server in model.servers))]
    pods += [] if live.plan.router is None else [live.plan.router.pod]
    pods += [] if live.plan.models_endpoint is None else [live.plan.models_endpoint.pod]
    images = [container.image for pod in pods for container in (pod, *pod.sidecars)]
    return {_name(image): image.partition("@")[2] for image in images if "@" in image}


def _name(image: str) -> str:
    """Repository of an image. Nodes write Docker Hub's host in front of it, stack files may not."""
    name = image.partition("@")[0].removeprefix("docker.io/")
    head, slash, last = name.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"
