"""Releases: tested sets of versions, with the flags and names that differ between them."""

import datetime
from collections.abc import Mapping
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

from .schema import Accelerator


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class PickerRelease(_Frozen):
    """The endpoint picker of a release: image, configuration API, flags. `build` names its plugins in pickers.yaml."""

    build: str
    image: str
    version: str
    # The image's own entry point, for where something else would start another one.
    command: tuple[str, ...]
    config_api: str
    objective_groups: tuple[str, ...]
    metric_prefix: str
    leader_election_flag: str
    # None where the scheme of engines' metrics is a parameter of a plugin instead.
    metrics_scheme_flag: str | None = None
    # Whether it ends in a cluster without the CRD of InferenceObjectives, also where there are none.
    requires_objectives: bool = False
    flags: tuple[str, ...]


class EngineImage(_Frozen):
    """One vLLM image and the version of vLLM in it."""

    image: str
    version: str


class EngineException(EngineImage):
    """An image that takes the place of the release's own on some accelerators.

    `disaggregated`: only for pattern disaggregated, with separate pods for prefill and decode.
    """

    accelerators: tuple[str, ...]
    disaggregated: bool = False
    reason: str


class EngineRelease(_Frozen):
    """vLLM images by accelerator kind, and the command that takes `vllm serve`'s arguments.

    `command` is empty for images whose own entry point must run: `entry_point` is then what that is, for where
    something else would start another one. `model_flag` precedes the model's name, unless the name is positional.
    """

    gpu: EngineImage
    # None: the release has no image for TPUs.
    tpu: EngineImage | None
    exceptions: tuple[EngineException, ...] = ()
    command: tuple[str, ...]
    entry_point: tuple[str, ...] = ()
    model_flag: str | None = None

    def image_for(self, accelerator: Accelerator, *, disaggregated: bool) -> EngineImage | None:
        """The image that serves on this accelerator; None where the release has none."""
        for exception in self.exceptions:
            if accelerator.name in exception.accelerators and (disaggregated or not exception.disaggregated):
                return exception
        return self.gpu if accelerator.kind == "gpu" else self.tpu


class RouterRelease(_Frozen):
    """The model router of a release.

    `plugins`: how its plugins are selected: by a file of `config_api`, by flags, or not at all, because they are
    built in. `mapping_label` is the label, with value "true", of the ConfigMaps that it reads. Upstream renamed it
    twice, and the router never sees a ConfigMap that carries another one.
    """

    image: str
    version: str
    flags: tuple[str, ...]
    plugins: Literal["file", "flags", "built-in"]
    config_api: str | None = None
    mapping_label: str
    # Bytes of a request's body beyond which it was seen to arrive empty behind router and picker.
    body_bytes_seen: int | None = None


class ChartRelease(_Frozen):
    """One Helm chart, pinned: an OCI reference without tag, or a name in `repository`; its version as spelled there.

    `kinds`: whether an upgrade of the chart changes its kinds (`upgraded`: they are templates), or Helm installs them
    once and never changes them (`once`: they are in the chart's folder crds/). None: not established, or it has none.
    `deletes_kinds`: removing the release removes them, with every object of these kinds in the cluster.
    """

    chart: str
    version: str
    repository: str | None = None
    kinds: Literal["upgraded", "once"] | None = None
    deletes_kinds: bool = False


class IstioCharts(_Frozen):
    """Istio by its own charts."""

    base: ChartRelease
    control_plane: ChartRelease


class IstioOperator(_Frozen):
    """Istio by the Sail operator: the operator's chart, the requested version of Istio, and its images."""

    operator: ChartRelease
    version: str
    pilot: str
    proxy: str


class ChartReleases(_Frozen):
    """The controllers a stack may install, by chart."""

    leader_worker_set: ChartRelease
    cert_manager: ChartRelease
    kserve_crds: ChartRelease
    kserve: ChartRelease
    kserve_presets: ChartRelease
    keda: ChartRelease
    # Whether KServe leaves the replicas of a service that states none to an autoscaler (PreserveDeploymentReplicas in
    # pkg/controller/v1alpha2/llmisvc/workload_single_node.go). None: not established.
    kserve_keeps_scale: bool | None
    # Whether KServe puts a finalizer on its presets (llmisvcconfig_controller.go in the same folder), which a KServe
    # that puts none does not take off. None: not established.
    kserve_finalizes_presets: bool | None
    istio: IstioCharts | IstioOperator
    # KServe before 0.20 makes a pool of the older kind beside every other, and stops where that kind is missing.
    legacy_inference_pool: bool


class SidecarRelease(_Frozen):
    """The routing sidecar: its image, and what upstream calls three of its flags, which it renamed more than once."""

    image: str
    version: str
    # The image's own entry point, for where something else would start another one.
    command: tuple[str, ...]
    connector_flag: str
    engine_port_flag: str
    tls_flag: str
    # Request paths whose prompts it sends to a prefill server; it passes all others to its own engine.
    paths: tuple[str, ...]
    env: Mapping[str, str] = {}


class DisaggregationRelease(_Frozen):
    """Requirements of separate prefill and decode pods for a release.

    `picker` takes the place of the release's own, where that one cannot send the two stages to different pods.
    """

    sidecar: SidecarRelease
    picker: PickerRelease | None = None
    # Where the images cannot be had any more: since when, and what upstream has instead.
    withdrawn: str | None = None


class Release(_Frozen):
    """One tested set of versions.

    `substitute_pickers` names releases, nearest first, one of whose pickers a rehearsal runs where this release's own
    is not available as a Go module. Empty where it is.
    """

    name: str
    title: str
    picker: PickerRelease
    engine: EngineRelease
    router: RouterRelease
    # Envoy, which answers what is for no model: its fixed answers need no program of this project.
    index_image: str
    charts: ChartReleases
    # Value of the label llm-d.ai/role by which the picker knows a pod that does prefill and decode. None: no picker of
    # the release has a filter by role.
    role_of_both: str | None
    substitute_pickers: tuple[str, ...] = ()
    # None: no picker of this release can send prefill and decode of a request to different pods.
    disaggregation: DisaggregationRelease | None = None
    # Name of the pull secret that a stack makes.
    pull_secret: str = "registry-pull-secret"  # noqa: S105 - a Secret's name
    # Notes for every user of this release.
    caveat: str | None = None
    # When upstream released it; None: it is put together from several.
    released: datetime.date | None = None
    # The release that a stack upgrades from; None: the first of its line.
    follows: str | None = None
    # When its values were read.
    as_of: datetime.date
    # Where each part's values were read, by part.
    sources: Mapping[str, str] = {}
    # Facts not yet compared with a source or a run.
    unproven: tuple[str, ...] = ()
    # For docs/releases.md: what is different from the release before, and what a stack has to change to take it.
    changes: tuple[str, ...] = ()
    migration: tuple[str, ...] = ()

    def with_picker_of(self, other: Self) -> Self:
        """This release with the endpoint picker of another one: its image, flags and configuration API.

        Everything else stays. Pattern `disaggregated` stays possible where both releases have it.
        """
        disaggregation = None
        if self.disaggregation is not None and other.disaggregation is not None:
            disaggregation = self.disaggregation.model_copy(update={"picker": other.disaggregation.picker})
        return self.model_copy(update={"picker": other.picker, "disaggregation": disaggregation})
