"""The root of all settings: one `StackSettings` per `Pulumi.<stack>.yaml`."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from llm_d_gke.settings.accelerator import AcceleratorSettings, CpuPoolSettings
from llm_d_gke.settings.access import HuggingFaceSettings, RegistrySettings
from llm_d_gke.settings.acknowledgements import Acknowledgement
from llm_d_gke.settings.base import Settings, form, merged_by, replaces
from llm_d_gke.settings.cluster import ClusterSettings
from llm_d_gke.settings.disaggregation import DisaggregationSettings
from llm_d_gke.settings.edge import ApiKeys
from llm_d_gke.settings.fleet import FleetSettings
from llm_d_gke.settings.gateway import GatewaySettings
from llm_d_gke.settings.models import ModelSettings
from llm_d_gke.settings.monitoring import MonitoringSettings
from llm_d_gke.settings.names import ProjectId
from llm_d_gke.settings.namespace import NamespaceSettings, NetworkPoliciesSettings
from llm_d_gke.settings.network import NetworkSettings
from llm_d_gke.settings.picker import PickerSettings
from llm_d_gke.settings.platform import PlatformSettings
from llm_d_gke.settings.prices import BudgetSettings, PriceSettings
from llm_d_gke.settings.router import RouterSettings
from llm_d_gke.settings.splits import SplitSettings

Pattern = Literal["single-replica", "multi-model", "prefix-cache", "mixture-of-experts", "disaggregated"]
Deployment = Literal["direct", "kserve"]


# Google's rules for labels (cloud.google.com/resource-manager/docs/labels-overview, "Requirements for labels").
LabelKey = Annotated[
    str,
    Field(
        pattern=r"^[a-z][a-z0-9_-]{0,62}$",
        examples=["team"],
        json_schema_extra=form(
            "a label's key: up to 63 lower-case letters, digits, dashes and underscores, a letter first"
        ),
    ),
]
LabelValue = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9_-]{0,63}$",
        examples=["ml-platform"],
        json_schema_extra=form("a label's value: up to 63 lower-case letters, digits, dashes and underscores"),
    ),
]


class StackSettings(Settings):
    """Everything a stack file may hold, below the configuration namespace `llm-d`."""

    base: Annotated[
        str | None,
        Field(
            description="File of the project that holds settings shared by several stacks, in the form of a stack file."
            " This file's settings are merged onto it: maps by key, lists whose description says so by element; other"
            " values replace the base's.",
            examples=["environments/base.yaml"],
        ),
    ] = None
    project: Annotated[
        ProjectId,
        Field(
            description="Google Cloud project id, required: pulumi config set llm-d:project my-project.",
            examples=["my-project"],
            json_schema_extra=replaces("network", "subnet", "address", "cluster", "accelerator pool", "CPU pool"),
        ),
    ] = ""
    location: Annotated[
        str,
        Field(
            pattern=r"^[a-z]+-[a-z]+[0-9]+(-[a-z]+[0-9]*[a-z]?)?$",
            description="Zone, or region for a regional cluster.",
            examples=["us-central1-a"],
            json_schema_extra=replaces("cluster", "accelerator pool", "CPU pool", "subnet", "address")
            | form("a zone or a region in lower case"),
        ),
    ]
    release: Annotated[str, Field(description="Tested set of versions, from the catalog.", examples=["llm-d-0.9"])] = (
        "llm-d-0.9"
    )
    pattern: Annotated[Pattern, Field(description="How replicas share the work.")] = "single-replica"
    deployment: Annotated[Deployment, Field(description="Objects by this program, or by KServe.")] = "direct"
    namespace: Annotated[
        NamespaceSettings, Field(description="Kubernetes namespace of Gateway, pickers and model servers.")
    ] = NamespaceSettings.defaults()
    accelerator: Annotated[
        AcceleratorSettings, Field(description="Accelerator type, machine type, nodes and provisioning.")
    ]
    prefill_accelerator: Annotated[
        AcceleratorSettings | None,
        Field(
            description="Node pool of the prefill servers of pattern disaggregated; by default one like accelerator."
        ),
    ] = None
    cpu_pool: Annotated[CpuPoolSettings, Field(description="Nodes without accelerators.")] = CpuPoolSettings.defaults()
    models: Annotated[
        tuple[ModelSettings, ...],
        Field(min_length=1, description="Models to serve.", json_schema_extra=merged_by("id")),
    ]
    splits: Annotated[
        tuple[SplitSettings, ...],
        Field(
            max_length=64,
            description="Further names in requests, each divided among models by weight.",
            json_schema_extra=merged_by("name"),
        ),
    ] = ()
    network: Annotated[NetworkSettings, Field(description="VPC and IPv4 ranges.")] = NetworkSettings.defaults()
    cluster: Annotated[
        ClusterSettings,
        Field(description="GKE cluster: release channel, version, access, maintenance, deletion protection."),
    ] = ClusterSettings.defaults()
    gateway: Annotated[
        GatewaySettings, Field(description="Load balancer: exposure, address, TLS, who may use it, limits.")
    ] = GatewaySettings.defaults()
    fleet: Annotated[
        FleetSettings | None,
        Field(description="This cluster's part in a fleet behind one multi-cluster Gateway; by default none."),
    ] = None
    api_keys: Annotated[
        ApiKeys,
        Field(
            max_length=1000,
            description="Keys of gateway.auth: api-keys, by client: pulumi config set --path --secret"
            " llm-d:apiKeys.search-team. What follows the first dot of a name tells keys of one client apart.",
        ),
    ] = {}
    picker: Annotated[
        PickerSettings, Field(description="Endpoint picker: weights of its scorers, replicas, failure mode.")
    ] = PickerSettings.defaults()
    disaggregation: Annotated[
        DisaggregationSettings | None, Field(description="When prompts go to prefill servers: pattern disaggregated.")
    ] = None
    router: Annotated[RouterSettings, Field(description="Model router of pattern multi-model.")] = (
        RouterSettings.defaults()
    )
    platform: Annotated[PlatformSettings, Field(description="Controllers that an existing cluster already has.")] = (
        PlatformSettings.defaults()
    )
    hugging_face: Annotated[
        HuggingFaceSettings,
        Field(description="Token for gated models: pulumi config set --path --secret llm-d:huggingFace.token"),
    ] = HuggingFaceSettings.defaults()
    registry: Annotated[RegistrySettings, Field(description="Pull secret of a private image registry.")] = (
        RegistrySettings.defaults()
    )
    network_policies: Annotated[
        NetworkPoliciesSettings,
        Field(description="NetworkPolicies: default deny, plus the traffic that the stack needs."),
    ] = NetworkPoliciesSettings.defaults()
    monitoring: Annotated[
        MonitoringSettings, Field(description="Managed Service for Prometheus, dashboard and alert policies.")
    ] = MonitoringSettings.defaults()
    prices: Annotated[
        PriceSettings | None, Field(description="Prices in place of the catalog's, for the estimate of cost.")
    ] = None
    budget: Annotated[
        BudgetSettings | None,
        Field(description="Most that the stack may cost; a plan that could exceed it is refused."),
    ] = None
    acknowledge: Annotated[
        tuple[Acknowledgement, ...],
        Field(
            max_length=64,
            description="Findings that are known and accepted, by rule, each with its reason.",
            json_schema_extra=merged_by("id"),
        ),
    ] = ()
    paused: Annotated[
        bool, Field(description="No model pods, no accelerator nodes; network, gateway and picker stay.")
    ] = False
    labels: Annotated[
        dict[LabelKey, LabelValue],
        Field(max_length=60, description="Labels on every Google Cloud resource that takes them."),
    ] = {}

    def further_names(self) -> Iterator[tuple[tuple[str | int, ...], tuple[str, ...], tuple[str, ...]]]:
        """Names in requests beside the models' own: path of their setting, the names, and the models behind them."""
        for index, model in enumerate(self.models):
            if model.aliases:
                yield ("models", index, "aliases"), model.aliases, (model.name,)
        for index, split in enumerate(self.splits):
            yield ("splits", index, "name"), (split.name,), tuple(split.weights)

    def splits_with(self, model_name: str) -> tuple[str, ...]:
        """Names of the splits that a model is part of, whatever its weight is at the moment."""
        return tuple(split.name for split in self.splits if model_name in split.weights)


def top_level_keys() -> tuple[str, ...]:
    """Every top-level key that a stack file may hold, as written there."""
    return tuple(str(field.alias or name) for name, field in StackSettings.model_fields.items())
