"""Deployment `kserve`: KServe creates pool, picker and servers from an LLMInferenceService.

KServe chooses the names and some of the labels. It merges its presets into what the service states, so a field that a
preset sets has to be stated even where its default would do.

Source: kserve/kserve v0.19.0 and v0.20.0, pkg/controller/v1alpha2/llmisvc and config/llmisvcconfig.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llm_d_gke.catalog.release import DisaggregationRelease, Release
from llm_d_gke.planning.context import PlanContext, Role
from llm_d_gke.planning.plan.pods import EnvPlan
from llm_d_gke.planning.plan.serving import InferenceServicePlan, ModelServerPlan
from llm_d_gke.planning.served_model import ServedModel
from llm_d_gke.planning.serving.backends.base import ExtProcIdentity, PoolNames, Rollout, ServerNames
from llm_d_gke.planning.serving.engine_paths import CACHE, HEALTH_PATH
from llm_d_gke.planning.serving.resources import has_spare
from llm_d_gke.settings.models import BucketSource, ImageSource, ModelSettings, VolumeClaimSource

# KServe merges its presets into the container of this name only.
_CONTAINER = "main"

# Suffixes of the objects that KServe creates. The certificate's is the longest.
_WORKLOAD = "-kserve"
_PREFILL = "-kserve-prefill"
_GROUP = "-kserve-mn"
_POOL = "-inference-pool"
_PICKER = "-kserve-router-scheduler"
_PICKER_SERVICE = "-epp-service"
_PICKER_ACCOUNT = "-epp-sa"
_CERTIFICATE = "-kserve-self-signed-certs"

_LONGEST = 63
_PART_OF = {"app.kubernetes.io/part-of": "llminferenceservice"}

# Pod labels that KServe sets itself. They are in the selectors of its workloads: another value would break those.
_KSERVE_LABELS = frozenset(
    ("app.kubernetes.io/name", "app.kubernetes.io/component", "app.kubernetes.io/part-of", "llm-d.ai/role")
)

# Presets that KServe merges into a service with `worker`, by the parallelism it states. KServe looks for each in the
# service's namespace first. Its charts have none of the second name. The first, for groups with one server, adds Linux
# capabilities that a service cannot remove.
_RANKS_PRESET = "kserve-config-llm-worker-data-parallel"
_ENGINE_PRESET = "kserve-config-llm-worker-pipeline-parallel"

# Conditions of an LLMInferenceService that `up` waits for. Not `Ready`: it includes InferencePoolReady, which stays
# unknown under a Gateway controller that writes no status on pools (kserve/kserve issues 4972, 5385).
CONDITIONS = ("PresetsCombined", "WorkloadsReady", "SchedulerWorkloadReady", "HTTPRoutesReady")


def child_name(parent: str, suffix: str) -> str:
    """Name of an object that KServe creates for another: kmeta.ChildName of knative.dev/pkg, suffixes up to 30."""
    if len(parent) + len(suffix) <= _LONGEST:
        return parent + suffix
    digest = hashlib.md5(parent.encode(), usedforsecurity=False).hexdigest()
    return parent[: _LONGEST - len(digest) - len(suffix)] + digest + suffix


@dataclass(frozen=True)
class KServeBackend:
    """Pool, picker and servers under the names that KServe gives them, with what its presets need stated."""

    container: str = _CONTAINER
    # KServe's preset for decode has a sidecar of this name. Under another name both would run, on one port.
    sidecar_container: str = "llm-d-routing-sidecar"
    # The port in the same preset. Ports merge by number, so a different one would be added to it.
    decode_engine_port: int = 8001
    needs_kserve: bool = True
    creates_tokenizer_service: bool = False
    # The preset's probes are HTTP. Beside them another kind would be a second one, which the API server refuses. The
    # sidecar answers this path itself in every release that has KServe.
    sidecar_health_path: str | None = HEALTH_PATH

    def engine_command(self, command: tuple[str, ...], release: Release) -> tuple[str, ...]:
        """Never empty: the preset's command would run, with weights that nothing has fetched."""
        return command or release.engine.entry_point

    def engine_environment(self) -> tuple[EnvPlan, ...]:
        """The preset points the Hub's cache to a volume without a size limit."""
        return (EnvPlan(name="HF_HUB_CACHE", value=f"{CACHE}/hugging-face/hub"),)

    def pod_labels(self, labels: Mapping[str, str]) -> Mapping[str, str]:
        return {key: value for key, value in labels.items() if key not in _KSERVE_LABELS}

    def sidecar_command(self, release: DisaggregationRelease) -> tuple[str, ...]:
        """The preset's command has its own flags; one makes the sidecar query the API server for allowed targets."""
        return release.sidecar.command

    def server_names(self, key: str, role: Role, *, multi_node: bool) -> ServerNames:
        name = child_name(key, _PREFILL if role == "prefill" else _GROUP if multi_node else _WORKLOAD)
        account = f"{key}-prefill-server" if role == "prefill" else f"{key}-server"
        return ServerNames(
            workload=name,
            service_account=account,
            claim_template=f"{account}-rdma",
            direct_service=f"{name}-direct",
        )

    def rollout(self, *, spare: bool, multi_node: bool) -> Rollout:
        """Of a LeaderWorkerSet KServe states nothing, so its own defaults hold."""
        spare = spare and not multi_node
        return Rollout(max_surge=1 if spare else 0, max_unavailable=0 if spare else 1)

    def pool(self, key: str, serving_labels: Mapping[str, str]) -> PoolNames:
        return PoolNames(
            name=child_name(key, _POOL),
            selector={"app.kubernetes.io/name": key, "kserve.io/component": "workload"} | _PART_OF,
            picker_service=child_name(key, _PICKER_SERVICE),
        )

    def picker(self, key: str, release: Release) -> ExtProcIdentity:
        """The picker as KServe starts it. Its configuration is an argument that KServe appends, not a file."""
        return ExtProcIdentity(
            name=child_name(key, _PICKER),
            container=_CONTAINER,
            service_account=child_name(key, _PICKER_ACCOUNT),
            selector={
                "app.kubernetes.io/name": key,
                "app.kubernetes.io/component": "llminferenceservice-router-scheduler",
            }
            | _PART_OF,
            labels={},
            # The preset's command has flags of the preset's image.
            command=release.picker.command,
            mounts_config=False,
            # Presets from v0.20.0 on have a preStop command, and a container has one kind of hook. A command needs a
            # program that the picker's image does not have.
            sleeps_at_end=False,
            # A zero would not override the preset's 30 seconds.
            readiness_delay=1,
        )

    def inference_service(self, served: ServedModel, key: str) -> InferenceServicePlan | None:
        return InferenceServicePlan(
            name=key,
            # The path that KServe's own routes would have, and that its clients use.
            path=f"/{served.ctx.namespace}/{key}",
            uri=_uri(served.settings),
            model_name=served.settings.name,
            conditions=CONDITIONS,
        )

    def presets(self, servers: Sequence[ModelServerPlan]) -> tuple[str, ...]:
        """Empty presets by name: pods of groups are planned in full, as under `direct`."""
        groups = [server.group for server in servers if server.group is not None]
        return tuple(sorted({_RANKS_PRESET if group.ranks > 1 else _ENGINE_PRESET for group in groups}))

    def check_model(self, served: ServedModel, key: str) -> None:
        _check_name(served, key)
        _check_templates(served)

    def check_server(self, served: ServedModel, server: ModelServerPlan) -> None:
        """Check for a spare accelerator with this stack file; only `up` knows the previous one."""
        if not has_spare(served) and server.replicas > 0:
            _warn_of_rollout(served.ctx, server)


def _uri(settings: ModelSettings) -> str:
    """The location of the weights in KServe's notation. The engine fetches or mounts them itself, as under `direct`."""
    match settings.source:
        case BucketSource(bucket=bucket, path=path):
            return f"gs://{bucket}/{path.strip('/')}"
        case VolumeClaimSource(claim=claim, path=path):
            return f"pvc://{claim}/{path.strip('/')}"
        case ImageSource(reference=reference) if reference is not None:
            return f"oci://{reference}"
        case _:
            return f"hf://{settings.id}"


def _check_name(served: ServedModel, key: str) -> None:
    cut = [key + suffix for suffix in (_PICKER, _CERTIFICATE) if len(key + suffix) > _LONGEST]
    if cut:
        served.warning("LLMD-KSERVE-LONG-NAME", "id", cut=cut[0], length=len(cut[0]), name=child_name(key, _PICKER))


def _check_templates(served: ServedModel) -> None:
    for number, argument in enumerate(served.settings.extra_args):
        if "{{" in argument:
            served.error("LLMD-KSERVE-TEMPLATE", "extraArgs", number)


def _warn_of_rollout(ctx: PlanContext, server: ModelServerPlan) -> None:
    nodes = ctx.settings.accelerator.nodes
    if server.group is None:
        missing = ctx.hosts
        rule = "KServe starts a new replica before it stops an old one, and no accelerator is free for it"
        when = (
            "before each change, and before a switch of deployment, which starts all servers before the old ones stop"
        )
    else:
        missing = server.replicas * server.group.size
        rule = (
            "a switch of deployment starts all servers before the old ones stop, and no accelerators are free for them"
        )
        when = "before it"
    ctx.warning("LLMD-KSERVE-ROLLOUT", "accelerator.nodes.max", needed=nodes.max + missing, when=when, rule=rule)
