"""Builds the settings of a stack from the model servers in the documents."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from llm_d_gke.catalog import Catalog
from llm_d_gke.catalog.schema import Accelerator
from llm_d_gke.nested import value_at
from llm_d_gke.operations.adopt_manifests.documents import Documents
from llm_d_gke.operations.adopt_manifests.errors import AdoptError
from llm_d_gke.operations.adopt_manifests.flags import settings_of
from llm_d_gke.operations.adopt_manifests.known import with_known_model, with_known_options
from llm_d_gke.operations.adopt_manifests.pods import ACCELERATOR_RESOURCES
from llm_d_gke.operations.adopt_manifests.servers import Json, NotCarried, Server, int_or, listing, mapping
from llm_d_gke.planning.parallelism.packing import enough_nodes
from llm_d_gke.settings.models import ModelSettings

Settings = dict[str, Any]

_GPU_LABEL, _TPU_LABEL = "cloud.google.com/gke-accelerator", "cloud.google.com/gke-tpu-accelerator"
_TOPOLOGY_LABEL = "cloud.google.com/gke-tpu-topology"
_ZONE_LABELS = ("topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone")
_SPOT_LABEL = "cloud.google.com/gke-spot"
_MACHINE_LABELS = ("node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type")
_OF_PREFILL = ("gpuMemoryUtilization", "maxNumSeqs", "maxNumBatchedTokens")
# Images of other builds of vLLM than those of a release have other flags and other accelerators.
_PLAIN_IMAGES = ("vllm/vllm-openai", "lmcache/vllm-openai", "ghcr.io/llm-d/llm-d", "vllm/vllm-tpu")


def stack_settings(
    documents: Documents, catalog: Catalog, *, location: str | None = None, accelerator: str | None = None
) -> tuple[Settings, list[NotCarried]]:
    """Settings by key without namespace, and what is not carried over.

    `location` and `accelerator` (a name of the catalog) count where no document names any. Raises AdoptError where no
    server serves a model.
    """
    not_carried = list(documents.not_carried)
    servers = [with_known_model(server, catalog, not_carried) for server in documents.servers]
    with_model = [server for server in servers if server.model]
    not_carried += [
        NotCarried(server.origin, "model server", "no document says which model it serves")
        for server in servers
        if not server.model
    ]
    if not with_model:
        raise AdoptError(
            "no document holds a vLLM server with a model"
            + ("" if not not_carried else f":\n{_listed(not_carried)}\n")
            + ("" if not_carried else ". ")
            + "Name files with a Deployment, LLMInferenceService or helm values of vLLM (docs/adopting.md)"
        )
    not_carried += [NotCarried(server.origin, what, why) for server in with_model for what, why in server.left_out]
    models = list(_models(with_model, not_carried))
    settings: Settings = {}
    zone = _location(documents, with_model) or location
    if zone:
        settings["location"] = zone
    else:
        not_carried.append(NotCarried("stack", "location", "no document names a zone; set llm-d:location"))
    settings |= _routing(_pattern(with_model, models), models, not_carried)
    if documents.kserve:
        settings["deployment"] = "kserve"
        why = "KServe would run it too, since a stack deploys its models alike; without its file it stays as it is"
        not_carried += [
            NotCarried(server.origin, "deployment without KServe", why)
            for server in with_model
            if not server.origin.startswith("LLMInferenceService/")
        ]
    pool = _accelerator(documents, with_model, catalog, not_carried, accelerator)
    if pool:
        settings["accelerator"] = pool
        models = with_known_options(models, str(pool["type"]), catalog, not_carried)
    # Which clients may come, and with which credentials, is for the reader to decide: gateway.auth.
    settings["gateway"] = {"exposure": "internal"}
    settings["models"] = models
    return settings, not_carried


def _routing(pattern: str, models: list[Settings], not_carried: list[NotCarried]) -> Settings:
    """The pattern, and the scores of the picker: that for cached prefixes needs servers that keep them."""
    settings: Settings = {}
    if any(model.get("prefixCaching") is False for model in models):
        pattern = "single-replica" if pattern == "prefix-cache" else pattern
        if pattern == "disaggregated":
            why = "which prompts go to prefill follows from the prefixes that are cached, so the stack keeps them"
            for model in models:
                if model.pop("prefixCaching", None) is False:
                    not_carried.append(NotCarried(str(model["id"]), "prefix caching turned off", why))
        else:
            settings["picker"] = {"scorers": {"prefixCache": 0}}
    return settings if pattern == "single-replica" else {**settings, "pattern": pattern}


def _listed(not_carried: Sequence[NotCarried]) -> str:
    return "\n".join(f"  {entry}" for entry in not_carried)


def _models(servers: Sequence[Server], not_carried: list[NotCarried]) -> Iterator[Settings]:
    """A model for each id: its decode servers' settings, with those of prefill beside them."""
    by_model: dict[str, list[Server]] = {}
    for server in servers:
        by_model.setdefault(str(server.model), []).append(server)
    for model, group in by_model.items():
        main = next((server for server in group if server.role != "prefill"), group[0])
        if main.role == "prefill":
            why = "the servers of decode are in no file: add their manifest, or this one serves alone"
            not_carried.append(NotCarried(main.origin, "the role prefill", why))
        settings = _model(model, main, not_carried)
        prefill = next((server for server in group if server.role == "prefill" and server is not main), None)
        if prefill is not None:
            settings["prefill"] = _prefill(prefill, main, not_carried)
        for other in group:
            if other not in (main, prefill):
                not_carried.append(
                    NotCarried(other.origin, f"another server of {model}", f"{main.origin} stands for this model")
                )
        yield settings


def _prefill(server: Server, decode: Server, not_carried: list[NotCarried]) -> Settings:
    """The settings that prefill servers have of their own. Lists what a stack has in common for both roles."""
    own, extra, problems = settings_of(server.arguments, server.origin)
    common, common_extra, _ = settings_of(decode.arguments, decode.origin)
    not_carried += problems
    settings: Settings = {"replicas": server.replicas}
    if width := _widths(server).get("tensorParallel"):
        settings["tensorParallel"] = width
    for name, value in own.items():
        if common.get(name) == value or name in settings:
            continue
        if name in _OF_PREFILL:
            settings[name] = value
        else:
            why = "both roles share this setting; the model has that of the servers that decode"
            not_carried.append(NotCarried(server.origin, f"{name} {value} of prefill", why))
    words = [word for word in extra if word not in common_extra]
    if words:
        why = "both roles share extraArgs; the model has those of the servers that decode"
        not_carried.append(NotCarried(server.origin, f"{' '.join(words)} of prefill", why))
    return settings


def _widths(server: Server) -> Settings:
    """Parallelism settings of a server, as far as its arguments or its document define them."""
    own, _, _ = settings_of(server.arguments, server.origin)
    names = ("tensorParallel", "pipelineParallel", "dataParallel")
    return {name: value for name, value in {**server.parallelism, **own}.items() if name in names}


def _model(model: str, server: Server, not_carried: list[NotCarried]) -> Settings:
    own, extra, problems = settings_of(server.arguments, server.origin)
    not_carried += problems
    if server.resource not in (None, *ACCELERATOR_RESOURCES):
        not_carried.append(NotCarried(server.origin, str(server.resource), "no machine of Google Cloud has it"))
    settings: Settings = {"id": model, "replicas": server.replicas}
    if server.source is not None:
        settings["source"] = dict(server.source)
    served = server.served_name
    settings |= {**server.parallelism, **own}
    if served and served != model and "servedName" not in own:
        settings["servedName"] = served
    if settings.get("servedName") == model:
        del settings["servedName"]
    if server.adapters:
        settings["adapters"] = [dict(adapter) for adapter in server.adapters]
    # A pod's count of accelerators. A stack uses all accelerators of a node by default.
    if server.accelerators and "tensorParallel" not in settings and server.hosts == 1 and not server.parallelism:
        settings["tensorParallel"] = server.accelerators if server.resource == "google.com/tpu" else 1
    if server.image:
        is_plain = any(part in server.image for part in _PLAIN_IMAGES)
        instead = "llm-d:release selects its version" if is_plain else "or set models[].image and models[].imageFacts"
        why = f"the release's image takes its place; {instead}"
        not_carried.append(NotCarried(server.origin, f"image {server.image}", why))
    if server.environment:
        what = f"variables {', '.join(server.environment)}"
        why = "models[].env takes those that are needed, with allowExtraArgs"
        not_carried.append(NotCarried(server.origin, what, why))
    if extra:
        settings |= {"allowExtraArgs": True, "extraArgs": extra}
    return dict(_without_invalid(settings, server, not_carried))


def _without_invalid(settings: Settings, server: Server, not_carried: list[NotCarried]) -> Settings:
    """The settings without those that a stack file cannot hold; each of these is left, with the reason."""
    valid = dict(settings)
    for _ in range(len(settings)):
        try:
            ModelSettings.model_validate(valid)
        except ValidationError as error:
            first = error.errors()[0]
            key = str(first["loc"][0]) if first["loc"] else ""
            if key not in valid or key == "id":
                break
            value = valid.pop(key)
            not_carried.append(NotCarried(server.origin, f"{key} {value}", "a stack file cannot hold this value"))
        else:
            break
    return valid


def _pattern(servers: Sequence[Server], models: Sequence[Settings]) -> str:
    roles = {server.role for server in servers}
    if "prefill" in roles and len(roles) > 1:
        return "disaggregated"
    if len(models) > 1:
        return "multi-model"
    if any(model.get("dataParallel", 1) > 1 or model.get("expertParallel") for model in models):
        return "mixture-of-experts"
    return "prefix-cache" if models[0]["replicas"] > 1 else "single-replica"


def _location(documents: Documents, servers: Sequence[Server]) -> str | None:
    zones = [
        server.node_selector[label] for server in servers for label in _ZONE_LABELS if label in server.node_selector
    ]
    return next(iter((*documents.locations, *zones)), None)


def _accelerator(
    documents: Documents,
    servers: Sequence[Server],
    catalog: Catalog,
    not_carried: list[NotCarried],
    default: str | None,
) -> Settings:
    """The pool that the servers' node selectors name; otherwise the first of a described cluster, or `default`."""
    selectors = [server.node_selector for server in servers if {_GPU_LABEL, _TPU_LABEL} & server.node_selector.keys()]
    names = Counter(map(_label, selectors))
    if len(names) > 1:
        kinds = ", ".join(sorted(map(str, names)))
        not_carried.append(NotCarried("stack", f"accelerators {kinds}", "a stack has one kind, the first is taken"))
    selector: Mapping[str, str] = selectors[0] if selectors else {}
    pool = next((entry for entry in documents.pools if _label(selector) in (None, _pool_label(entry))), None)
    label = _label(selector) or (_pool_label(pool) if pool else None)
    labeled = (entry for entry in catalog.accelerators.values() if entry.node_label_value == label)
    accelerator = next(labeled, None) or (catalog.accelerators.get(default or "") if label is None else None)
    if accelerator is None:
        what = f"accelerator {label}" if label else "accelerator"
        why = "the catalog does not have it" if label else "no file names one"
        not_carried.append(NotCarried("stack", what, f"{why}; add --accelerator (make catalog KIND=accelerators)"))
        return {}
    settings: Settings = {"type": accelerator.name}
    machine = next((selector[key] for key in _MACHINE_LABELS if key in selector), None) or value_at(
        pool, "config", "machineType"
    )
    topology = selector.get(_TOPOLOGY_LABEL) or value_at(pool, "placementPolicy", "tpuTopology")
    count = max(map(_accelerators_of, servers))
    machine = machine or _machine(catalog, accelerator, count, None if topology is None else str(topology))
    spot = selector.get(_SPOT_LABEL) == "true" or value_at(pool, "config", "spot")
    settings |= {"machineType": str(machine)} if machine else {}
    settings |= {"topology": str(topology)} if topology else {}
    pool_machine = catalog.machines.get(str(machine)) if machine else catalog.default_machine(accelerator.name)
    if spot:
        settings["provisioning"] = "spot"
    elif pool_machine is not None and not pool_machine.on_demand_ok:
        settings["provisioning"] = "spot"
        why = f"Google does not sell {pool_machine.name} on demand; spot is taken, flex-start is another"
        not_carried.append(NotCarried("stack", "provisioning", why))
    per_node = pool_machine.accelerator_count if pool_machine is not None else 0
    return {**settings, "nodes": _nodes(pool, servers, max(1, per_node), whole=accelerator.kind == "tpu")}


def _machine(catalog: Catalog, accelerator: Accelerator, count: int, topology: str | None) -> str | None:
    """The smallest machine with a pod's accelerators, of TPUs with the topology.

    None where the stack's own choice has them, or none has.
    """
    every = [machine for machine in catalog.machines.values() if machine.accelerator == accelerator.name]
    if accelerator.kind == "tpu":
        whole_slices = [machine for machine in every if machine.topologies.get(topology or "") == 1]
        sliced = whole_slices or [machine for machine in every if topology in machine.topologies]
        # A pod takes all chips of its host, whatever it requests.
        fitting = [machine for machine in sliced if machine.accelerator_count == count] or sliced
        default = catalog.default_machine(accelerator.name)
        if default in fitting:
            return None
    else:
        fitting = [machine for machine in every if machine.accelerator_count >= count > 1]
    # Some small machines are sold as spot only, and no manifest allows its nodes to go at any time.
    on_demand = [machine for machine in fitting if machine.on_demand_ok] or fitting
    smallest = min(on_demand, key=lambda machine: (machine.accelerator_count, machine.vcpus), default=None)
    return None if smallest is None else smallest.name


def _label(selector: Mapping[str, str]) -> str | None:
    return selector.get(_GPU_LABEL) or selector.get(_TPU_LABEL)


def _pool_label(pool: Json) -> str | None:
    for entry in listing(pool, "config", "accelerators"):
        return str(value_at(entry, "acceleratorType"))
    labels = mapping(pool, "config", "labels")
    return labels.get(_TPU_LABEL) or labels.get(_GPU_LABEL)


def _nodes(pool: Json | None, servers: Sequence[Server], per_node: int, *, whole: bool) -> Settings:
    """Bounds of the pool, or else what all replicas take. A pod of a group takes a node, and each does if `whole`."""
    bounds = mapping(pool, "autoscaling") if pool else {}
    pods = [
        per_node if whole or hosts > 1 else min(per_node, _accelerators_of(server))
        for server in servers
        for hosts in (_hosts(server, per_node),)
        for _ in range(server.replicas * hosts)
    ]
    needed = max(1, enough_nodes(pods, per_node))
    if bounds.get("enabled"):
        return {"min": int_or(bounds.get("minNodeCount"), 0), "max": max(1, int_or(bounds.get("maxNodeCount"), needed))}
    return {"min": 0, "max": needed}


def _accelerators_of(server: Server) -> int:
    """Accelerators of a pod: those that it asks for, or as many as its share of the model's ranks takes."""
    return server.accelerators or max(1, math.prod(_widths(server).values()) // server.hosts)


def _hosts(server: Server, per_node: int) -> int:
    """Nodes of one replica: as many as its accelerators take, or as its group has pods."""
    ranks, accelerators = math.prod(_widths(server).values()), server.accelerators or per_node
    return max(server.hosts, math.ceil(ranks / accelerators) if accelerators else 1)
