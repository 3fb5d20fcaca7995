"""EndpointPickerConfig as the pickers decode it: one shape for each version of its API."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from llm_d_gke.planning.picker_config.parameters import AtLeastOne, Duration, Group, PluginName, Share, Text

# Kubernetes quantities: 100, "1k", "1Gi".
Quantity = Annotated[int | str, Field(union_mode="left_to_right")]

Weight = Annotated[int | float, Field(ge=0)]


class Strict(Group):
    """A group of values of the document; camelCase outside, snake_case here."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class PluginEntry(Strict):
    """A plugin instance. Other parts refer to it by `name`, by default its type."""

    type: Text
    name: Text | None = None
    parameters: dict[str, Any] | None = None

    @property
    def called(self) -> str:
        return self.name or self.type


class ProfileEntry(Strict):
    """A plugin of a profile. `weight` is for scorers, 1 by default."""

    plugin_ref: PluginName
    weight: Weight | None = None


class Profile(Strict):
    name: Text
    plugins: tuple[ProfileEntry, ...] = ()


class PluginReference(Strict):
    plugin_ref: PluginName


class Document(Strict):
    """Fields of every version."""

    api_version: Text
    kind: Literal["EndpointPickerConfig"] = "EndpointPickerConfig"
    feature_gates: tuple[Text, ...] = ()
    plugins: tuple[PluginEntry, ...] = ()
    scheduling_profiles: tuple[Profile, ...] = ()


class WholeProfileEntry(ProfileEntry):
    """A weight is a whole number."""

    weight: Annotated[int, Field(ge=0)] | None = None


class WholeProfile(Strict):
    name: Text
    plugins: tuple[WholeProfileEntry, ...] = ()


class SaturationThresholds(Strict):
    queue_depth_threshold: AtLeastOne = 5
    kv_cache_util_threshold: Share = Field(default=0.8, alias="kvCacheUtilThreshold")
    metrics_staleness_threshold: Duration = "200ms"


class DocumentV12(Document):
    """inference.networking.x-k8s.io/v1alpha1 of v1.2."""

    scheduling_profiles: tuple[WholeProfile, ...] = ()  # type: ignore[assignment]
    saturation_detector: SaturationThresholds | None = None


class Source(Strict):
    plugin_ref: PluginName
    extractors: tuple[PluginReference, ...] = ()


class DataLayer(Strict):
    """These sources replace the picker's defaults."""

    sources: tuple[Source, ...] = ()


class Band(Strict):
    """Limits of one priority."""

    priority: int = 0
    max_bytes: Quantity | None = None
    max_requests: Quantity | None = None
    fairness_policy_ref: PluginName | None = None
    ordering_policy_ref: PluginName | None = None


class FlowControl(Strict):
    """Taken note of only where the feature gate flowControl is on."""

    max_bytes: Quantity | None = None
    max_requests: Quantity | None = None
    default_request_ttl: Duration | None = Field(default=None, alias="defaultRequestTTL")
    default_priority_band: Band | None = None
    priority_bands: tuple[Band, ...] = ()
    usage_limit_policy_plugin_ref: PluginName | None = None


class DocumentV14(Document):
    """inference.networking.x-k8s.io/v1alpha1 of v1.4."""

    saturation_detector: SaturationThresholds | None = None
    data: DataLayer | None = None
    flow_control: FlowControl | None = None


class DocumentV15(Document):
    """inference.networking.x-k8s.io/v1alpha1 of v1.5."""

    saturation_detector: PluginReference | None = None
    data_layer: DataLayer | None = None
    flow_control: FlowControl | None = None
    parser: PluginReference | None = None


class RouterDataLayer(DataLayer):
    """These sources are added to the picker's defaults, unless `inject_defaults` is false."""

    inject_defaults: bool = True
    discovery: PluginReference | None = None
    cross_replica_syncer_plugin_ref: PluginName | None = None
    cross_replica_sync_interval: Duration | None = None


class RouterFlowControl(FlowControl):
    default_negative_priority_band: Band | None = None
    saturation_detector: PluginReference | None = None
    enable_eviction: bool = False


class RequestHandler(Strict):
    parsers: tuple[PluginReference, ...] = ()


class DocumentV010(Document):
    """llm-d.ai/v1alpha1. `saturation_detector` and `parser` are the deprecated places."""

    data_layer: RouterDataLayer | None = None
    flow_control: RouterFlowControl | None = None
    request_handler: RequestHandler | None = None
    saturation_detector: PluginReference | None = None
    parser: PluginReference | None = None


DOCUMENTS: dict[str, type[Document]] = {
    "v1.2": DocumentV12,
    "v1.4": DocumentV14,
    "v1.5": DocumentV15,
    "v0.10": DocumentV010,
}
