"""Queries a project through Google's own client libraries (requirements-preflight.txt)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, get_type_hints

from google.api_core import exceptions
from google.auth.credentials import Credentials
from google.cloud import cloudquotas_v1, compute_v1, container_v1, resourcemanager_v3, service_usage_v1

from llm_d_gke.operations.preflight.clusters import FEATURES
from llm_d_gke.operations.preflight.needs import NameNeed, Needs, QuotaNeed

_PROXY_PURPOSE = "REGIONAL_MANAGED_PROXY"
# testIamPermissions takes a hundred at a time, batchGet of services twenty.
_PERMISSIONS_AT_ONCE = 100
_SERVICES_AT_ONCE = 20

Answer = TypeVar("Answer")


@dataclass(frozen=True, kw_only=True)
class Limit:
    """Limit and usage of one quota. `used` is None where only the limit is readable."""

    limit: float
    used: float | None


@dataclass(frozen=True, kw_only=True)
class Subnet:
    name: str
    network: str
    cidrs: tuple[str, ...]
    active_proxies: bool


@dataclass(frozen=True, kw_only=True)
class Facts:
    """A project's answers. A failed query is missing here and listed in `unanswered` with the reason."""

    limits: Mapping[tuple[str, str], Limit] = field(default_factory=dict)  # by title and location of the quota
    missing_machines: frozenset[tuple[str, str]] = frozenset()  # (zone, machine type or accelerator)
    services: Mapping[str, bool] = field(default_factory=dict)  # whether it is on
    permissions: frozenset[str] | None = None
    existing_names: Mapping[NameNeed, bool] = field(default_factory=dict)
    subnets: tuple[Subnet, ...] = ()
    missing_features: tuple[str, ...] = ()
    unanswered: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Clients:
    """The libraries' clients, each with the transport that a test may point elsewhere."""

    regions: compute_v1.RegionsClient
    projects: compute_v1.ProjectsClient
    machine_types: compute_v1.MachineTypesClient
    accelerator_types: compute_v1.AcceleratorTypesClient
    networks: compute_v1.NetworksClient
    subnetworks: compute_v1.SubnetworksClient
    addresses: compute_v1.AddressesClient
    clusters: container_v1.ClusterManagerClient
    services: service_usage_v1.ServiceUsageClient
    iam: resourcemanager_v3.ProjectsClient
    quotas: cloudquotas_v1.CloudQuotasClient


def clients(credentials: Credentials, host: str | None = None) -> Clients:
    """Clients over HTTP with JSON. `host` (a plain `address:port`) takes the place of googleapis.com."""

    def client_of(kind: Callable[..., Any]) -> Any:
        if host is None:
            return kind(credentials=credentials, transport="rest")
        transport = kind.get_transport_class("rest")  # type: ignore[attr-defined]
        return kind(transport=transport(credentials=credentials, host=host, url_scheme="http"))

    return Clients(**{name: client_of(kind) for name, kind in get_type_hints(Clients).items()})


def ask(needs: Needs, google: Clients, step: Callable[[str], None] = lambda _: None) -> Facts:
    """Query a project for everything a stack needs. `step` is called with the subject of the next query."""
    inquiry = _Inquiry(needs, google)
    parts: dict[str, Any] = {}
    for name, question, put in (
        ("permissions", "what this account may do", inquiry.permissions),
        ("services", "which APIs are on", inquiry.services),
        ("limits", "quotas", inquiry.limits),
        ("missing_machines", "machine types of the zones", inquiry.missing_machines),
        ("existing_names", "names", inquiry.existing_names),
        ("subnets", "subnets", inquiry.subnets),
        ("missing_features", "features of the cluster", inquiry.missing_features),
    ):
        step(question)
        answer = inquiry.answer(question, put)
        if answer is not None:
            parts[name] = answer
    return Facts(**parts, unanswered=tuple(inquiry.unanswered))


class _Inquiry:
    def __init__(self, needs: Needs, google: Clients) -> None:
        self.needs, self.google = needs, google
        self.unanswered: list[tuple[str, str]] = []

    def answer(self, question: str, put: Callable[[], Answer]) -> Answer | None:
        """An answer, or None with the reason recorded, so that one disabled API does not stop the other queries."""
        try:
            return put()
        except exceptions.GoogleAPICallError as error:
            self.unanswered.append((question, f"{error.code} {error.message}".replace("\n", " ")[:200]))
            return None

    def permissions(self) -> frozenset[str]:
        granted: set[str] = set()
        for some in _slices(self.needs.permissions, _PERMISSIONS_AT_ONCE):
            answer = self.google.iam.test_iam_permissions(
                resource=f"projects/{self.needs.project}", permissions=list(some)
            )
            granted |= set(answer.permissions)
        return frozenset(granted)

    def services(self) -> dict[str, bool]:
        parent = f"projects/{self.needs.project}"
        states: dict[str, bool] = {}
        for some in _slices(self.needs.services, _SERVICES_AT_ONCE):
            answer = self.google.services.batch_get_services(
                {"parent": parent, "names": [f"{parent}/services/{name}" for name in some]}
            )
            on = service_usage_v1.State.ENABLED
            states |= {service.name.rsplit("/", 1)[1]: service.state == on for service in answer.services}
        return states

    def limits(self) -> dict[tuple[str, str], Limit]:
        project, region = self.needs.project, self.needs.region
        ours = {quota.metric: quota for quota in self.google.regions.get(project=project, region=region).quotas}
        everywhere = {quota.metric: quota for quota in self.google.projects.get(project=project).quotas}
        by_location: dict[tuple[str, str], Limit] = {}
        for need in self.needs.quotas:
            for quota in filter(None, (need.quota, need.spare)):
                listed = (everywhere if quota.everywhere else ours).get(quota.metric) if quota.metric else None
                if listed is not None and not quota.zonal:
                    by_location[quota.title, need.location] = Limit(limit=listed.limit, used=listed.usage)
                    continue
                granted = self.answer(f"quota {quota.title}", lambda quota=quota, need=need: self._granted(quota, need))  # type: ignore[misc]
                if granted is not None:
                    by_location[quota.title, need.location] = Limit(limit=granted, used=None)
        return by_location

    def _granted(self, quota: Any, need: QuotaNeed) -> float:
        """A limit from the Cloud Quotas API. The API's largest number means unlimited."""
        name = (
            f"projects/{self.needs.project}/locations/global/services/compute.googleapis.com/quotaInfos/{quota.quota}"
        )
        info = self.google.quotas.get_quota_info(name=name)
        for dimensions_info in info.dimensions_infos:
            dimensions = dict(dimensions_info.dimensions)
            same = all(dimensions.get(key, value) == value for key, value in quota.dimensions.items())
            if same and (not need.location or need.location in dimensions_info.applicable_locations):
                return float("inf") if dimensions_info.details.value < 0 else float(dimensions_info.details.value)
        return 0.0

    def missing_machines(self) -> frozenset[tuple[str, str]]:
        project, missing = self.needs.project, set()
        for need in self.needs.machines:
            if not self._exists(
                lambda need=need: self.google.machine_types.get(  # type: ignore[misc]
                    project=project, zone=need.zone, machine_type=need.machine
                )
            ):
                missing.add((need.zone, need.machine))
            if need.accelerator is not None and not self._exists(
                lambda need=need: self.google.accelerator_types.get(  # type: ignore[misc]
                    project=project, zone=need.zone, accelerator_type=need.accelerator
                )
            ):
                missing.add((need.zone, need.accelerator))
        return frozenset(missing)

    def existing_names(self) -> dict[NameNeed, bool]:
        return {need: self._exists(lambda need=need: self._get_named(need)) for need in self.needs.names}  # type: ignore[misc]

    def _get_named(self, need: NameNeed) -> object:
        project, network_project = self.needs.project, self.needs.network_project
        match need.kind:
            case "network":
                return self.google.networks.get(project=network_project, network=need.name)
            case "subnetwork":
                return self.google.subnetworks.get(project=network_project, region=need.location, subnetwork=need.name)
            case "address":
                return self.google.addresses.get(project=project, region=need.location, address=need.name)
            case "cluster":
                return self._cluster(need)

    def _cluster(self, need: NameNeed) -> container_v1.Cluster:
        name = f"projects/{self.needs.project}/locations/{need.location}/clusters/{need.name}"
        return self.google.clusters.get_cluster(name=name)

    def missing_features(self) -> tuple[str, ...]:
        """What the existing cluster lacks. A cluster that is not found is reported by its name."""
        if not self.needs.features:
            return ()
        need = next(need for need in self.needs.names if need.kind == "cluster")
        try:
            cluster = self._cluster(need)
        except exceptions.NotFound:
            return ()
        return tuple(name for name in self.needs.features if not FEATURES[name].is_on(cluster))

    def subnets(self) -> tuple[Subnet, ...]:
        if self.needs.proxies is None:
            return ()
        listed = self.google.subnetworks.list(project=self.needs.network_project, region=self.needs.region)
        return tuple(
            Subnet(
                name=subnet.name,
                network=subnet.network.rsplit("/", 1)[-1],
                cidrs=(subnet.ip_cidr_range, *(extra.ip_cidr_range for extra in subnet.secondary_ip_ranges)),
                active_proxies=subnet.purpose == _PROXY_PURPOSE and subnet.role == "ACTIVE",
            )
            for subnet in listed
        )

    def _exists(self, ask_for: Callable[[], object]) -> bool:
        try:
            ask_for()
        except exceptions.NotFound:
            return False
        return True


def _slices(items: Sequence[str], size: int) -> list[Sequence[str]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
