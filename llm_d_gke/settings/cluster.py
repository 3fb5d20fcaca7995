"""The GKE cluster: created by the stack, or existing."""

import datetime
from ipaddress import IPv4Network
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from llm_d_gke.settings.base import Settings, form, listed_once, merged_by, refusal, replaces
from llm_d_gke.settings.names import ClusterName


class AuthorizedNetwork(Settings):
    """A range from which the control plane's address may be reached."""

    cidr: Annotated[IPv4Network, Field(description="IPv4 range.")]
    name: Annotated[str, Field(min_length=1, max_length=64, description="What the range is.", examples=["office"])]


class ControlPlaneSettings(Settings):
    """Access of kubectl and Pulumi to the API server."""

    access: Annotated[
        Literal["dns-endpoint", "authorized-networks"],
        Field(description="DNS endpoint guarded by IAM, or the public address for listed ranges only."),
    ] = "dns-endpoint"
    authorized_networks: Annotated[
        tuple[AuthorizedNetwork, ...],
        listed_once("cidr"),
        Field(description="Ranges for access: authorized-networks.", json_schema_extra=merged_by("cidr")),
    ] = ()
    google_cloud_addresses: Annotated[
        bool,
        Field(
            description="Let public addresses of Google Cloud, of every customer, reach the address of"
            " access: authorized-networks."
        ),
    ] = False


KmsKey = Annotated[
    str,
    Field(
        pattern=r"^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$",
        examples=["projects/my-project/locations/us-central1/keyRings/llm-d/cryptoKeys/gke"],
        json_schema_extra=form("the resource name of a Cloud KMS key"),
    ),
]


class EncryptionSettings(Settings):
    """Cloud KMS keys in place of Google's own.

    GKE's service agent encrypts Secrets, Compute Engine's encrypts disks: each has to be granted the use of its key.
    """

    secrets_key: Annotated[
        KmsKey | None, Field(description="Encrypts Secrets in the cluster's database, on top of Google's encryption.")
    ] = None
    disk_key: Annotated[
        KmsKey | None,
        Field(
            description="Encrypts the nodes' boot disks.",
            json_schema_extra=replaces("accelerator pool", "CPU pool"),
        ),
    ] = None


Moment = Annotated[
    str,
    Field(
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$",
        examples=["2026-01-03T02:00:00Z"],
        json_schema_extra=form("a day and time in UTC"),
    ),
]


class MaintenanceWindow(Settings):
    """When GKE may upgrade: a recurring window of at least four hours."""

    start: Annotated[Moment, Field(description="First start, RFC 3339 in UTC.")]
    end: Annotated[Moment, Field(description="First end, RFC 3339 in UTC.", examples=["2026-01-03T08:00:00Z"])]
    recurrence: Annotated[
        str,
        Field(
            pattern=r"^FREQ=",
            description="RFC 5545 RRULE, such as FREQ=WEEKLY;BYDAY=SA,SU.",
            examples=["FREQ=WEEKLY;BYDAY=SA,SU"],
            json_schema_extra=form("a recurrence rule of RFC 5545 that begins with FREQ="),
        ),
    ]

    @property
    def hours(self) -> float:
        """Length of one window."""
        return (_moment(self.end) - _moment(self.start)).total_seconds() / 3600

    @property
    def parts(self) -> dict[str, str]:
        """The recurrence by its keys: FREQ, BYDAY, INTERVAL."""
        return dict(part.partition("=")[::2] for part in self.recurrence.split(";"))

    @property
    def days(self) -> list[str]:
        """The recurrence's days of the week, as RFC 5545 writes them; empty if it names none."""
        return self.parts["BYDAY"].split(",") if "BYDAY" in self.parts else []

    @model_validator(mode="after")
    def _is_a_window(self) -> Self:
        try:
            hours = self.hours
        except ValueError:
            raise refusal(
                "LLMD-MAINTENANCE-WINDOW",
                "start or end is no day and time of the calendar",
                "use a day such as 2026-01-03T02:00:00Z",
            ) from None
        if hours < _SHORTEST_HOURS:
            raise refusal(
                "LLMD-MAINTENANCE-WINDOW",
                "the end is not after the start"
                if hours <= 0
                else f"the window is {hours:g} h long, and GKE counts windows of {_SHORTEST_HOURS} h or more only",
                "set start and end of the first window 4 to 24 hours apart, for example 2026-01-03T02:00:00Z and"
                " 2026-01-03T08:00:00Z",
            )
        if self.parts["FREQ"] not in _FREQUENCIES or not set(self.days) <= set(WEEKDAYS):
            raise refusal(
                "LLMD-MAINTENANCE-WINDOW",
                f"a recurrence has FREQ={' or '.join(_FREQUENCIES)}, and days as {', '.join(WEEKDAYS)}",
                "use FREQ=WEEKLY;BYDAY=SA,SU, or FREQ=DAILY",
            )
        return self


# cloud.google.com/kubernetes-engine/docs/how-to/maintenance-window, "Considerations": shorter ones do not count.
_SHORTEST_HOURS = 4
_FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


def _moment(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)


class ExistingCluster(Settings):
    """An existing cluster. The stack adds its node pools and workloads."""

    name: Annotated[ClusterName, Field(description="Name of the cluster in the stack's location.")]
    version: Annotated[
        str,
        Field(
            pattern=r"^[0-9]+\.[0-9]+\.[0-9]+-gke\.[0-9]+$",
            description="Its GKE version: it decides which CRDs are there.",
            examples=["1.35.2-gke.1842000"],
            json_schema_extra=form("a whole GKE version, as `gcloud container clusters describe` shows it"),
        ),
    ]


class ClusterSettings(Settings):
    """Shape of the cluster.

    With `existing` only `mode` and `controlPlane.access` count, and `encryption.diskKey` and `nodeAccount` of nodes.
    """

    mode: Annotated[
        Literal["standard", "autopilot"],
        Field(
            description="autopilot: GKE creates and deletes all nodes, for the pods that wait; the stack has no node"
            " pools. Also states what an existing cluster is.",
            json_schema_extra=replaces("cluster"),
        ),
    ] = "standard"

    existing: Annotated[
        ExistingCluster | None,
        Field(description="Bring a cluster instead of making one.", json_schema_extra=replaces("cluster")),
    ] = None
    release_channel: Annotated[
        Literal["rapid", "regular", "stable", "extended"], Field(description="GKE release channel.")
    ] = "regular"
    version: Annotated[
        str | None,
        Field(
            pattern=r"^[0-9]+\.[0-9]+(\.[0-9]+(-gke\.[0-9]+)?)?$",
            description="Minimum control plane version; by default the channel's.",
            examples=["1.35"],
            json_schema_extra=form("a GKE version, in quotes so that YAML does not read a number"),
        ),
    ] = None
    private_nodes: Annotated[bool, Field(description="Nodes have no public addresses and go out through NAT.")] = True
    control_plane: Annotated[ControlPlaneSettings, Field(description="Access to the API server.")] = (
        ControlPlaneSettings.defaults()
    )
    maintenance_window: Annotated[MaintenanceWindow | None, Field(description="When GKE may upgrade.")] = None
    encryption: Annotated[EncryptionSettings, Field(description="Keys of your own in Cloud KMS.")] = (
        EncryptionSettings.defaults()
    )
    binary_authorization: Annotated[
        bool, Field(description="Admit only images that the project's Binary Authorization policy allows.")
    ] = False
    node_account: Annotated[
        str | None,
        Field(
            pattern=r"^[a-z][-a-z0-9]{4,28}[a-z0-9]@[a-z0-9.-]+\.iam\.gserviceaccount\.com$",
            max_length=253,
            description="Address of an existing service account that nodes run as, with the roles that nodes need; by"
            " default the stack creates one.",
            examples=["llm-d-nodes@my-project.iam.gserviceaccount.com"],
            json_schema_extra=form(
                "the address of a service account, whose name before the @ has 6 to 30 lower-case letters, digits and"
                " dashes"
            )
            | replaces("accelerator pool", "CPU pool"),
        ),
    ] = None
    security_posture: Annotated[
        Literal["basic", "disabled"], Field(description="GKE's audit of workload configurations, which is free.")
    ] = "basic"
    intranode_visibility: Annotated[
        bool,
        Field(
            description="Traffic between pods of one node passes the VPC, where firewall rules and flow logs see it."
            " Turning it on restarts nodes."
        ),
    ] = False
    google_group: Annotated[
        str | None,
        Field(
            pattern=r"^gke-security-groups@[a-z0-9.-]+$",
            max_length=253,
            description="Google Group whose member groups Kubernetes RBAC may name.",
            examples=["gke-security-groups@example.com"],
            json_schema_extra=form("the group gke-security-groups of a domain"),
        ),
    ] = None
    deletion_protection: Annotated[
        bool, Field(description="Refuse to delete the cluster until an `up` with false has been run.")
    ] = False

    @property
    def gke_version(self) -> str | None:
        """The version of the existing cluster or of the one to be made; None leaves it to the release channel."""
        return self.existing.version if self.existing else self.version

    @property
    def version_path(self) -> tuple[str, ...]:
        """The setting that says it."""
        return ("cluster", "existing", "version") if self.existing else ("cluster", "version")
