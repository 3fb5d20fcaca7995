"""ComputeClass, `cloud.google.com/v1`: the fields this program sets.

docs.cloud.google.com/kubernetes-engine/docs/reference/crds/computeclass (read 2026-11).
"""

from typing import Annotated, Literal

from pydantic import Field

from llm_d_gke.components.custom_resources.base import Enabled, Named, Part, Spec


class Gpu(Part):
    type: str
    count: Annotated[int, Field(ge=1)]
    driver_version: Literal["default", "latest"] | None = None


class Tpu(Part):
    type: str
    count: Annotated[int, Field(ge=1)]
    topology: str


class Storage(Part):
    boot_disk_type: str
    boot_disk_size: Annotated[int, Field(ge=10)]
    boot_disk_kms_key: Annotated[str | None, Field(alias="bootDiskKMSKey")] = None


class Location(Part):
    zones: Annotated[list[str], Field(min_length=1)]


class ReservationBlock(Named):
    reservation_sub_block: Named | None = None


class SpecificReservation(Named):
    project: str | None = None
    zones: Annotated[list[str], Field(min_length=1)] | None = None
    reservation_block: ReservationBlock | None = None


class Reservations(Part):
    affinity: Literal["Specific"] = "Specific"
    specific: Annotated[list[SpecificReservation], Field(min_length=1, max_length=1)]


class Priority(Part):
    """One choice. GKE refuses a location beside a reservation, which names its zones itself."""

    machine_type: str | None = None
    spot: bool | None = None
    location: Location | None = None
    reservations: Reservations | None = None
    flex_start: Enabled | None = None
    gpu: Gpu | None = None
    tpu: Tpu | None = None
    storage: Storage


class NodePoolConfig(Part):
    """Defaults of the pools. The image type is Container-Optimized OS where none is stated.

    GKE before 1.33.5-gke.1862000 creates a pool for nearly every node of a class that states one
    (github.com/google/skills, compute-class-debug at 1af7775).
    """

    service_account: str
    node_labels: dict[str, str]
    image_streaming: Enabled


class ActiveMigration(Part):
    optimize_rule_priority: bool


class ComputeClassSpec(Spec, api_version="cloud.google.com/v1", kind="ComputeClass"):
    node_pool_auto_creation: Enabled
    node_pool_config: NodePoolConfig
    priorities: Annotated[list[Priority], Field(min_length=1)]
    active_migration: ActiveMigration | None = None
    # Without it GKE would create other machines, on which no pod of the stack runs.
    when_unsatisfiable: Literal["DoNotScaleUp"] = "DoNotScaleUp"
