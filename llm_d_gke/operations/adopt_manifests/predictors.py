"""Reads KServe's InferenceService and ServingRuntime (serving.kserve.io/v1beta1, v1alpha1), where they run vLLM."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from llm_d_gke.nested import value_at
from llm_d_gke.operations.adopt_manifests.left_out import annotation_fields, unread
from llm_d_gke.operations.adopt_manifests.pods import command_of, server_of
from llm_d_gke.operations.adopt_manifests.servers import Json, NotCarried, Server, int_or, listing, mapping
from llm_d_gke.operations.adopt_manifests.sources import source_of

RUNTIMES = ("ServingRuntime", "ClusterServingRuntime")

# The container that KServe gives the model's arguments and resources, and where it mounts the weights.
_CONTAINER, _MOUNT = "kserve-container", "/mnt/models"
# Arguments of KServe's Hugging Face server, which runs vLLM where it can.
_HUGGING_FACE = {"--model_id": "--model", "--model_name": "--served-model-name", "--model_dir": "--model"}
_OF_THE_POD = ("containers", "nodeSelector", "affinity")
_FORMATS = ("vllm", "huggingface")
# Fields that become settings, or are reported otherwise.
_SPEC_FIELDS = ("model", "containers", "minReplicas", "maxReplicas", "nodeSelector", "affinity")
_MODEL_FIELDS = ("modelFormat", "runtime", "args", "env", "resources", "image", "storage", "storageUri", "name")


def predictor(document: Json, runtimes: Mapping[str, Json], origin: str) -> tuple[Server | None, list[NotCarried]]:
    """The servers of an InferenceService, None where it runs something else than vLLM."""
    spec = mapping(document, "spec", "predictor")
    model = mapping(spec, "model")
    runtime = mapping(runtimes.get(str(model.get("runtime"))), "spec")
    own = _container(listing(spec, "containers"))
    base = _container(listing(runtime, "containers"))
    if not _runs_vllm(model, own, base):
        return None, [NotCarried(origin, "predictor", "neither format nor container says vLLM")]
    not_carried: list[NotCarried] = []
    if model.get("runtime") and not runtime:
        why = "its manifest is not among the files, so its arguments are not read"
        not_carried.append(NotCarried(origin, f"runtime {model['runtime']}", why))
    name = str(value_at(document, "metadata", "name") or "")
    container = {**base, **own, **{key: model[key] for key in ("resources", "image") if model.get(key)}}
    container["env"] = [*listing(base, "env"), *listing(own, "env"), *listing(model, "env")]
    words = (command_of(own or base) or map(str, listing(own or base, "args")), map(str, listing(model, "args")))
    arguments = [_vllm_argument(word.replace("{{.Name}}", name)) for word in itertools.chain(*words)]
    storage = str(value_at(model, "storage", "path") or "")
    uri = str(value_at(model, "storageUri") or "")
    model_id, source = source_of(uri)
    if model_id is None and source is None:
        # Storage that a stack does not mount: what its path ends with may name the model.
        model_id = f"/{(storage or uri.partition('://')[2]).strip('/')}" if storage or uri else None
    not_carried += _left_out(document, origin)
    # KServe's own fields are next to those of the pod.
    pod = {key: value for key, value in {**mapping(runtime), **spec}.items() if key in _OF_THE_POD}
    server = server_of(
        container, pod, arguments, origin=origin, replicas=max(1, int_or(spec.get("minReplicas"), 1)), source=source
    )
    mounted = server.model is None or server.model.startswith(_MOUNT)
    return replace(server, model=model_id if mounted else server.model), not_carried


def _left_out(document: Json, origin: str) -> Iterator[NotCarried]:
    """Scaling, and fields and annotations that a stack file has no place for."""
    spec = mapping(document, "spec", "predictor")
    minimum, maximum = int_or(spec.get("minReplicas"), 1), int_or(spec.get("maxReplicas"), 0)
    if minimum == 0 or maximum > minimum:
        replicas = f"replicas {minimum} to {maximum or 'any'}"
        yield NotCarried(origin, replicas, "models[].autoscaling takes its place")
    rest = [
        *unread(spec, _SPEC_FIELDS),
        *(f"model.{key}" for key in unread(mapping(spec, "model"), _MODEL_FIELDS)),
        *(f"spec.{key}" for key in unread(mapping(document, "spec"), ("predictor",))),
        *annotation_fields(document),
    ]
    if rest:
        yield NotCarried(origin, ", ".join(rest), "no setting of a stack stands for them")


def _container(containers: Sequence[object]) -> Json:
    maps = [container for container in containers if isinstance(container, Mapping)]
    return next((item for item in maps if item.get("name") == _CONTAINER), next(iter(maps), {}))


def _runs_vllm(model: Json, own: Json, base: Json) -> bool:
    if str(value_at(model, "modelFormat", "name") or "").lower() in _FORMATS:
        return True
    return any("vllm" in f"{container.get('image')} {container.get('command')}" for container in (own, base))


def _vllm_argument(word: str) -> str:
    flag, equals, value = word.partition("=")
    return f"{_HUGGING_FACE.get(flag, flag)}{equals}{value}"
