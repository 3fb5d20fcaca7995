"""LLMInferenceService, `serving.kserve.io/v1alpha2` (kserve/kserve v0.19.0, pkg/apis/serving/v1alpha2).

Of the same shape from v0.17.0 on; what v0.16.0 had under v1alpha1 lacks half of it.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field, model_validator

from components.custom_resources.base import Part, Spec
from components.custom_resources.inference_pool import InferencePoolSpec

PodSpec = dict[str, Any]


class Model(Part):
    uri: Annotated[str, Field(pattern=r"^(hf|gs|pvc)://.+")]
    name: Annotated[str, Field(min_length=1)]


class StorageInitializer(Part):
    """Off, the engine gets its weights itself, as its arguments say, and `uri` only says where they come from."""

    enabled: bool


class RouteRef(Part):
    """An HTTPRoute of the same namespace. It has to be there before the service."""

    name: str


class HttpRoutes(Part):
    """Routes by name instead of the controller's own one, which has timeouts that GKE refuses."""

    refs: Annotated[list[RouteRef], Field(min_length=1)]


class Route(Part):
    http: HttpRoutes


class GatewayRef(Part):
    name: str
    namespace: str


class Gateways(Part):
    """Empty `refs` would mean a Gateway that the controller manages: routes by name are refused beside it."""

    refs: Annotated[list[GatewayRef], Field(min_length=1)]


class SchedulerPool(Part):
    spec: InferencePoolSpec


class SchedulerConfig(Part):
    """EndpointPickerConfig; the controller appends it to the picker's arguments."""

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
    """Of a group of pods, whose size is `data` / `dataLocal`, or `pipeline`; which of both decides on the preset too.

    Of the rest presets make arguments: a service with arguments of its own does without. The size stays.
    """

    data: Annotated[int, Field(ge=2)] | None = None
    data_local: Annotated[int, Field(ge=1)] | None = None
    pipeline: Annotated[int, Field(ge=2)] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Parallelism:
        """As KServe's webhook has it."""
        if (self.data is None) != (self.data_local is None) or (self.data is None) == (self.pipeline is None):
            raise ValueError("data together with dataLocal, or pipeline")
        return self


class Workload(Part):
    """Pods of one role."""

    replicas: Annotated[int, Field(ge=0)]
    # Beside those that KServe sets, and those of the service itself.
    labels: dict[str, str]
    annotations: dict[str, str] | None = None
    template: PodSpec


class LlmInferenceServiceSpec(Spec):
    api_version_of_kind: ClassVar[str] = "serving.kserve.io/v1alpha2"
    kind_of_spec: ClassVar[str] = "LLMInferenceService"

    model: Model
    storage_initializer: StorageInitializer
    replicas: Annotated[int, Field(ge=0)]
    # Of the pods, beside those that KServe sets.
    labels: dict[str, str]
    annotations: dict[str, str] | None = None
    # In a group of pods the leader's, which alone is in the pool then; without one all are as `worker` and in it.
    template: PodSpec | None = None
    worker: PodSpec | None = None
    parallelism: Parallelism | None = None
    # With it the template above is for decode alone.
    prefill: Workload | None = None
    router: Router


class LlmInferenceServiceConfigSpec(Spec):
    """A preset that leaves everything to the services it is merged into."""

    api_version_of_kind: ClassVar[str] = "serving.kserve.io/v1alpha2"
    kind_of_spec: ClassVar[str] = "LLMInferenceServiceConfig"
