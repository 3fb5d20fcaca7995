"""Which accelerator serves the models, and how many nodes of it."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from llm_d_gke.settings.base import Settings, form, listed_once, refusal, replaces

Provisioning = Literal["on-demand", "spot", "flex-start", "queued"]


class NodeCount(Settings):
    """Autoscaling bounds of a node pool, in nodes over all its zones."""

    min: Annotated[
        int, Field(ge=0, le=1000, description="Nodes that are always there; 0: none while no replica runs.")
    ] = 0
    max: Annotated[int, Field(ge=1, le=1000, description="Most nodes the autoscaler may add.")] = 1

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min > self.max:
            origin = {name: "" if name in self.model_fields_set else " by default" for name in ("min", "max")}
            raise refusal(
                "LLMD-NODES-MIN-MAX",
                f"min is {self.min}{origin['min']} and max is {self.max}{origin['max']}, and min cannot be above max",
                f"use {{min: {self.max}, max: {self.max}}}, or raise max to {self.min}",
            )
        return self


class FallbackSettings(Settings):
    """Nodes that GKE creates when those named before are not available."""

    machine_type: Annotated[
        str | None,
        Field(
            description="Compute Engine machine type with the same accelerator; by default the accelerator's own.",
            examples=["g2-standard-24"],
        ),
    ] = None
    provisioning: Annotated[
        Literal["on-demand", "spot", "flex-start"], Field(description="on-demand, spot or flex-start.")
    ] = "on-demand"


class ComputeClassSettings(Settings):
    """A ComputeClass, from which GKE creates and deletes node pools, in place of a node pool of the stack.

    The first choice is the accelerator's own machine type and provisioning.
    """

    fallbacks: Annotated[
        tuple[FallbackSettings, ...],
        Field(max_length=9, description="Further choices, in the order in which GKE tries them."),
    ] = ()
    active_migration: Annotated[
        bool,
        Field(description="Move pods to an earlier choice when it becomes available. GKE evicts them one by one."),
    ] = False


class AcceleratorSettings(Settings):
    """The accelerator node pool. Machine type, chips and labels follow from `type` where they are not given."""

    type: Annotated[
        str,
        Field(
            description="Catalog name, such as nvidia-tesla-t4, nvidia-l4 or tpu-v6e.",
            examples=["nvidia-l4"],
            json_schema_extra=replaces("accelerator pool"),
        ),
    ]
    machine_type: Annotated[
        str | None,
        Field(
            description="Compute Engine machine type; by default the smallest one with this accelerator, or the host"
            " of the topology.",
            examples=["g2-standard-12"],
            json_schema_extra=replaces("accelerator pool"),
        ),
    ] = None
    per_node: Annotated[
        int | None,
        Field(
            ge=1,
            le=16,
            description="Accelerators on a node, where the machine type leaves a choice (N1).",
            json_schema_extra=replaces("accelerator pool"),
        ),
    ] = None
    topology: Annotated[
        str | None,
        Field(
            pattern=r"^[0-9]+x[0-9]+(x[0-9]+)?$",
            description="TPU slice topology; by default one host's.",
            examples=["2x2"],
            json_schema_extra=replaces("accelerator pool") | form("two or three numbers joined by x"),
        ),
    ] = None
    nodes: Annotated[
        NodeCount,
        Field(
            description="Autoscaling bounds of the pool. Where GKE creates the nodes (computeClass, Autopilot), max is"
            " by default what all replicas need."
        ),
    ] = NodeCount.defaults()
    zones: Annotated[
        tuple[str, ...],
        listed_once(),
        Field(description="Zones of the pool; by default the stack's own zone.", examples=[["us-central1-a"]]),
    ] = ()
    provisioning: Annotated[
        Provisioning,
        Field(
            description="on-demand, spot, flex-start (nodes for seven days at most) or queued (for"
            " ProvisioningRequests that others make, such as Kueue).",
            json_schema_extra=replaces("accelerator pool"),
        ),
    ] = "on-demand"
    reservation: Annotated[
        str | None,
        Field(
            description="Name of a specific reservation to consume, or of a block of it (mine/reservationBlocks/one);"
            " of another project that shares it, with its path.",
            # docs.cloud.google.com/kubernetes-engine/docs/how-to/consuming-reservations; of blocks: cluster-toolkit at
            # 1047080, modules/compute/gke-node-pool
            pattern=r"^(projects/[a-z][a-z0-9:.-]+/reservations/)?[a-z]([-a-z0-9]{0,61}[a-z0-9])?"
            r"(/reservationBlocks/[a-z0-9-]+(/reservationSubBlocks/[a-z0-9-]+)?)?$",
            examples=["my-reservation", "projects/my-owner-project/reservations/my-reservation"],
            json_schema_extra=replaces("accelerator pool")
            | form(
                "the name of a reservation: lower-case letters, digits and dashes; of another project,"
                " projects/PROJECT/reservations/NAME"
            ),
        ),
    ] = None
    driver_version: Annotated[
        Literal["default", "latest"] | None,
        Field(
            description="NVIDIA driver that GKE installs; by default what the engine's image needs.",
            json_schema_extra=replaces("accelerator pool"),
        ),
    ] = None
    compute_class: Annotated[
        ComputeClassSettings | None,
        Field(
            description="Let GKE create the nodes by a ComputeClass with fallbacks, instead of a node pool.",
            examples=[{"fallbacks": [{"provisioning": "on-demand"}]}],
        ),
    ] = None
    disk_gib: Annotated[
        int | None, Field(ge=50, le=65536, description="Boot disk in GiB; by default sized from image and models.")
    ] = None


class CpuNodeCount(NodeCount):
    """Autoscaling bounds of the CPU pool. One node is always there, because endpoint pickers run on it."""

    min: Annotated[int, Field(ge=0, le=1000, description="Nodes that are always there.")] = 1
    max: Annotated[int, Field(ge=1, le=1000, description="Most nodes the autoscaler may add.")] = 3


class CpuPoolSettings(Settings):
    """Nodes without accelerators: endpoint picker, system pods. GKE needs one such pool beside accelerator pools."""

    machine_type: Annotated[str, Field(description="Compute Engine machine type.", examples=["e2-standard-8"])] = (
        "e2-standard-4"
    )
    nodes: Annotated[CpuNodeCount, Field(description="Autoscaling bounds of the pool.")] = CpuNodeCount.defaults()
    disk_gib: Annotated[int, Field(ge=30, le=65536, description="Boot disk in GiB.")] = 100
