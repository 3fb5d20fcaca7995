"""LLMInferenceService, `serving.kserve.io/v1alpha2` (kserve/kserve v0.19.0, pkg/apis/serving/v1alpha2).

The shape is the same from v0.17.0 on. v1alpha1 of v0.16.0 lacks about half of the fields.
"""

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from llm_d_gke.components.custom_resources.base import Enabled, Named, Part, Spec
from llm_d_gke.components.custom_resources.inference_pool import InferencePoolSpec

PodSpec = dict[str, Any]


class Model(Part):
    uri: Annotated[str, Field(pattern=r"^(hf|gs|pvc|oci)://.+")]
    name: Annotated[str, Field(min_length=1)]


class HttpRoutes(Part):
    """Existing routes of the namespace by name. The controller's own route has timeouts, which GKE refuses."""

    refs: Annotated[list[Named], Field(min_length=1)]


class Route(Part):
    http: HttpRoutes


class GatewayRef(Part):
    name: str
    namespace: str


class Gateways(Part):
    """Existing Gateways by name. Empty `refs` would request a managed Gateway, which excludes routes by name."""

    refs: Annotated[list[GatewayRef], Field(min_length=1)]


class SchedulerPool(Part):
    spec: InferencePoolSpec


class SchedulerConfig(Part):
    """The EndpointPickerConfig, which the controller appends to the picker's arguments."""

    inline: dict[str, Any]


class Scheduler(Part):
    """The endpoint picker and its pool."""

    replicas: Annotated[int, Field(ge=1)]
    pool: SchedulerPool
    template: PodSpec
    config: SchedulerConfig


class Router(Part):
    gateway: Gateways
    route: Route
    scheduler: Scheduler


class Parallelism(Part):
    """Parallelism of a group of pods. Its size is `data` / `dataLocal`, or `pipeline`; this also selects the preset.

    Presets derive engine arguments from the other fields. A service with its own arguments needs only the size.
    """

    data: Annotated[int, Field(ge=2)] | None = None
    data_local: Annotated[int, Field(ge=1)] | None = None
    pipeline: Annotated[int, Field(ge=2)] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        """Refuse what KServe's webhook refuses: both fields of the size, or none."""
        if (self.data is None) != (self.data_local is None) or (self.data is None) == (self.pipeline is None):
            raise ValueError("data together with dataLocal, or pipeline")
        return self


class Workload(Part):
    """Pods of one role (prefill or decode)."""

    replicas: Annotated[int, Field(ge=0)] | None = None
    # In addition to the labels that KServe sets and those of the service itself.
    labels: dict[str, str]
    annotations: dict[str, str] | None = None
    template: PodSpec


class LlmInferenceServiceSpec(Spec, api_version="serving.kserve.io/v1alpha2", kind="LLMInferenceService"):
    model: Model
    # KServe's download container. If off, the engine loads the weights by its own arguments; `uri` is informative.
    storage_initializer: Enabled
    replicas: Annotated[int, Field(ge=0)] | None = None
    # Annotations of the pods, in addition to those that KServe sets.
    labels: dict[str, str]
    annotations: dict[str, str] | None = None
    # In a group: the leader's template. Only the leader is then in the pool. Without it all pods use `worker` and
    # are in the pool.
    template: PodSpec | None = None
    worker: PodSpec | None = None
    parallelism: Parallelism | None = None
    # If set, the fields above apply to decode only.
    prefill: Workload | None = None
    router: Router


class LlmInferenceServiceConfigSpec(Spec, api_version="serving.kserve.io/v1alpha2", kind="LLMInferenceServiceConfig"):
    """A preset that leaves everything to the services it is merged into."""
