"""ComputeClass, `cloud.google.com/v1`: the fields this program sets.

docs.cloud.google.com/kubernetes-engine/docs/reference/crds/computeclass (read 2026-11).
"""

from typing import Annotated, Literal

from pydantic import Field

from llm_d_gke.components.custom_resources.base import Part, Spec


class Gpu(Part):
    type: str
    count: Annotated[int, Field(ge=1)]
    driver_version: Literal["default", "latest"] | None = None


class Tpu(Part):
    type: str
    count: Annotated[int, Field(ge=1)]
    topology: str


class FlexStart(Part):
    enabled: bool


class Storage(Part):
    boot_disk_type: str
    boot_disk_size: Annotated[int, Field(ge=10)]
    boot_disk_kms_key: Annotated[str | None, Field(alias="bootDiskKMSKey")] = None


class Priority(Part):
    machine_type: str | None = None
    spot: bool | None = None
    flex_start: FlexStart | None = None
    gpu: Gpu | None = None
    tpu: Tpu | None = None
    storage: Storage


class Location(Part):
    zones: Annotated[list[str], Field(min_length=1)]


class PriorityDefaults(Part):
    location: Location


class NodePoolAutoCreation(Part):
    enabled: bool


class NodePoolConfig(Part):
    image_type: Literal["cos_containerd"]
    service_account: str
    node_labels: dict[str, str]


class ActiveMigration(Part):
    optimize_rule_priority: bool


class ComputeClassSpec(Spec, api_version="cloud.google.com/v1", kind="ComputeClass"):
    node_pool_auto_creation: NodePoolAutoCreation
    node_pool_config: NodePoolConfig
    priority_defaults: PriorityDefaults | None = None
    priorities: Annotated[list[Priority], Field(min_length=1)]
    active_migration: ActiveMigration | None = None
    # Without it GKE would create other machines, on which no pod of the stack runs.
    when_unsatisfiable: Literal["DoNotScaleUp"] = "DoNotScaleUp"
