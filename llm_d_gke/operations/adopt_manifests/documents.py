"""Reads documents of every supported form into model servers, clusters, and what is not carried over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from llm_d_gke.go_yaml import yaml_fault
from llm_d_gke.nested import value_at
from llm_d_gke.operations.adopt_manifests.errors import AdoptError
from llm_d_gke.operations.adopt_manifests.helm_values import (
    is_model_service,
    is_production_stack,
    model_service,
    production_stack,
)
from llm_d_gke.operations.adopt_manifests.inference_services import inference_service
from llm_d_gke.operations.adopt_manifests.left_out import unread
from llm_d_gke.operations.adopt_manifests.nested import nested_servers, role_named
from llm_d_gke.operations.adopt_manifests.pods import read_pod
from llm_d_gke.operations.adopt_manifests.predictors import RUNTIMES, predictor
from llm_d_gke.operations.adopt_manifests.replacements import replacements
from llm_d_gke.operations.adopt_manifests.servers import Json, NotCarried, Server, int_or, listing, mapping

_WORKLOADS = ("Deployment", "StatefulSet", "LeaderWorkerSet", "ReplicaSet", "Pod", "Job", "DaemonSet")


@dataclass(kw_only=True)
class Documents:
    """Everything that the files hold. `locations` are those of clusters, `pools` their node pools."""

    servers: list[Server] = field(default_factory=list)
    not_carried: list[NotCarried] = field(default_factory=list)
    locations: list[str] = field(default_factory=list)
    pools: list[Json] = field(default_factory=list)
    # ServingRuntimes by name, and the InferenceServices that may use them, with their origins.
    runtimes: dict[str, Json] = field(default_factory=dict)
    predictors: list[tuple[Json, str]] = field(default_factory=list)
    kserve: bool = False

    def add(self, servers: Iterable[Server], not_carried: Iterable[NotCarried]) -> None:
        self.servers += servers
        self.not_carried += not_carried


def read_files(paths: list[Path]) -> Documents:
    """Read YAML and JSON files; of folders all such files. Raises AdoptError."""
    documents = Documents()
    for path in _expanded(paths):
        read = [document for document in _documents(path) if document is not None]
        if not read:
            documents.not_carried.append(NotCarried(path.name, "file", "it has no document"))
        for document in read:
            _read(document, path.name, documents)
    # A runtime may come after the services that use it.
    for document, origin in documents.predictors:
        server, not_carried = predictor(document, documents.runtimes, origin)
        documents.add([] if server is None else [server], not_carried)
    return documents


def _expanded(paths: list[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            files = sorted(file for file in path.rglob("*") if file.suffix in (".yaml", ".yml", ".json"))
            if not files:
                raise AdoptError(f"{path}: the folder has no file that ends with .yaml, .yml or .json")
            yield from files
        elif path.is_file():
            yield path
        else:
            raise AdoptError(f"{path}: there is no such file. Name manifests, helm values, or descriptions of clusters")


def _documents(path: Path) -> Iterator[Any]:
    try:
        yield from yaml.safe_load_all(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        # A template in braces begins a map whose key is a map.
        template = "{{" in str(error) or "unhashable" in str(error)
        fix = "render templates first (helm template, kustomize build)" if template else "correct it"
        raise AdoptError(f"{path.name} is not valid YAML: {yaml_fault(error)}; {fix}") from error


def _read(document: Any, origin: str, documents: Documents) -> None:
    if isinstance(document, list):
        for entry in document:
            _read(entry, origin, documents)
    elif not isinstance(document, Mapping):
        start = f"document that begins with {str(document)[:30]!r}"
        documents.not_carried.append(NotCarried(origin, start, "it has no keys, as apiVersion and kind of a manifest"))
    elif document.get("kind") == "List" or str(document.get("kind", "")).endswith("List"):
        entries = listing(document, "items")
        if not entries:
            documents.not_carried.append(NotCarried(origin, str(document["kind"]), "it has no items"))
        for entry in entries:
            _read(entry, origin, documents)
    elif "kind" in document and "apiVersion" in document:
        _read_object(document, documents)
    elif "nodePools" in document or "masterVersion" in document or "currentMasterVersion" in document:
        _read_cluster(document, origin, documents)
    elif is_production_stack(document):
        documents.add(*production_stack(document, origin))
    elif is_model_service(document):
        documents.add(*model_service(document, origin))
    else:
        keys = ", ".join(list(map(str, document))[:4])
        documents.not_carried.append(
            NotCarried(origin, f"document with {keys}", "its form is not known, nothing was read")
        )


def _read_object(document: Json, documents: Documents) -> None:
    kind = str(document["kind"])
    origin = f"{kind}/{value_at(document, 'metadata', 'name') or value_at(document, 'metadata', 'generateName') or '?'}"
    if kind == "LLMInferenceService":
        documents.kserve = True
        documents.add(*inference_service(document, origin))
    elif kind == "InferenceService":
        documents.predictors.append((document, origin))
    elif kind in RUNTIMES:
        documents.runtimes[str(value_at(document, "metadata", "name"))] = document
    elif kind in _WORKLOADS:
        server = _workload(document, kind, origin)
        if server is None:
            documents.not_carried.append(NotCarried(origin, "workload", "no container of it runs vLLM"))
        else:
            documents.servers.append(server)
    elif kind not in replacements().objects and (servers := nested_servers(document, origin)):
        documents.servers += servers
    else:
        documents.not_carried.append(
            NotCarried(origin, "object", replacements().objects.get(kind, "no setting of a stack stands for it"))
        )


def _workload(document: Json, kind: str, origin: str) -> Server | None:
    replicas = int_or(value_at(document, "spec", "replicas"), 1)
    labels = {**mapping(document, "metadata", "labels"), **mapping(document, "spec", "template", "metadata", "labels")}
    more: dict[str, Any] = {"role": role_named(labels.get("llm-d.ai/role"))}
    pod: Json = mapping(document, "spec", "template", "spec")
    read = ("replicas", "selector", "template", "leaderWorkerTemplate", "serviceName", "containers")
    rest = [] if kind == "Pod" else unread(mapping(document, "spec"), read)
    rest += (f"annotation {key}" for key in mapping(document, "spec", "template", "metadata", "annotations"))
    if kind == "Pod":
        pod = mapping(document, "spec")
    elif kind == "LeaderWorkerSet":
        group = mapping(document, "spec", "leaderWorkerTemplate")
        pod = mapping(group, "leaderTemplate", "spec") or mapping(group, "workerTemplate", "spec")
        more["hosts"] = int_or(group.get("size"), 1)
    server = read_pod(pod, origin=origin, replicas=replicas, **more)
    if server is None or not rest:
        return server
    return replace(server, left_out=(*server.left_out, (f"fields {', '.join(rest)}", "the stack sets its own")))


def _read_cluster(document: Json, origin: str, documents: Documents) -> None:
    """The output of `gcloud container clusters describe`, as YAML or JSON."""
    if isinstance(document.get("location"), str):
        documents.locations.append(str(document["location"]))
    pools = [pool for pool in listing(document, "nodePools") if isinstance(pool, Mapping)]
    documents.pools += [pool for pool in pools if _accelerator_pool(pool)]
    name = document.get("name") or "cluster"
    documents.not_carried.append(
        NotCarried(origin, f"cluster {name}", "the stack makes a cluster of its own; cluster.existing brings this one")
    )
    if mapping(document, "autopilot").get("enabled"):
        documents.not_carried.append(
            NotCarried(origin, "Autopilot", "the stack makes node pools, which Autopilot does by itself")
        )


def _accelerator_pool(pool: Json) -> bool:
    machine = str(value_at(pool, "config", "machineType") or "")
    return bool(listing(pool, "config", "accelerators")) or machine.startswith(("ct", "tpu"))
