"""Namespace, credentials, Helm charts, certificates and monitoring."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import SecretStr


@dataclass(frozen=True, kw_only=True)
class NamespacePlan:
    """A namespace with its ResourceQuota, and default limits for containers without limits."""

    name: str
    create: bool
    labels: Mapping[str, str]
    quota: Mapping[str, str] = field(default_factory=dict)
    default_limits: Mapping[str, str] = field(default_factory=dict)
    default_requests: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class AdmissionRulePlan:
    """A rule of Pod Security, and the CEL expression that holds for pods that keep it."""

    rule: str
    expression: str


@dataclass(frozen=True, kw_only=True)
class PodGuardPlan:
    """A ValidatingAdmissionPolicy for the pods of one namespace. `variables` are CEL expressions by name."""

    name: str
    namespace: str
    variables: Mapping[str, str]
    rules: tuple[AdmissionRulePlan, ...]


@dataclass(frozen=True, kw_only=True)
class RolloutPolicyPlan:
    """A MutatingAdmissionPolicy for Deployments with `labels`, and one of the values of `in_labels`, in one namespace.

    `patches` are CEL expressions, each a list of JSON patches.
    """

    name: str
    namespace: str
    labels: Mapping[str, str]
    in_labels: Mapping[str, tuple[str, ...]]
    patches: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class HuggingFacePlan:
    """Location of the token at run time. `secret` is a Kubernetes Secret; `secret_manager` a Secret Manager one."""

    secret: str | None
    create_secret: bool
    token: SecretStr | None
    secret_manager: str | None


@dataclass(frozen=True, kw_only=True)
class PullSecretPlan:
    name: str
    create: bool
    server: str = ""
    username: str = ""
    password: SecretStr | None = None


@dataclass(frozen=True, kw_only=True)
class InferenceCrdsPlan:
    """Whether this stack installs the InferencePool CRD, because the cluster's version does not include it.

    `legacy`: and that of the group before, inference.networking.x-k8s.io, for a KServe that insists on it.
    `objectives`: and that of InferenceObjectives, which GKE does not bring, for a stack that has some or a
    picker that does not start without.
    """

    install: bool
    legacy: bool
    objectives: bool = False


@dataclass(frozen=True, kw_only=True)
class IstioPlan:
    """The control plane requested from the Sail operator: `version`, with the pull secret of its images."""

    name: str
    namespace: str
    version: str
    values: Mapping[str, Any]
    pull_secret: PullSecretPlan | None


@dataclass(frozen=True, kw_only=True)
class ChartPlan:
    """A controller installed by its Helm chart, or (`existing`) taken to be there.

    `name` is the release's; `chart` a reference, or a name in `repository`; `crds` are kinds that have to be there
    where it is taken so; `after` names other charts of the plan; `retain` keeps the release when the stack
    is destroyed; `pod_security` is the level that its own pods keep; `istio` is set for an operator's chart.
    """

    name: str
    chart: str
    repository: str | None
    version: str
    namespace: str
    values: Mapping[str, Any]
    crds: tuple[str, ...]
    existing: bool
    after: tuple[str, ...]
    retain: bool
    timeout_seconds: int
    pod_security: Literal["restricted", "baseline"]
    istio: IstioPlan | None


@dataclass(frozen=True, kw_only=True)
class IssuerPlan:
    """The issuer of certificates: an existing issuer, or a new self-signing one."""

    name: str
    kind: Literal["ClusterIssuer", "Issuer"]
    create: bool


@dataclass(frozen=True, kw_only=True)
class CertificatePlan:
    """A certificate that cert-manager puts into `secret` and renews there."""

    name: str
    secret: str
    dns_names: tuple[str, ...]
    issuer: IssuerPlan


@dataclass(frozen=True, kw_only=True)
class PanelPlan:
    """One chart: `query` is PromQL."""

    title: str
    unit: str
    query: str


@dataclass(frozen=True, kw_only=True)
class DashboardPlan:
    title: str
    panels: tuple[PanelPlan, ...]


@dataclass(frozen=True, kw_only=True)
class AlertPlan:
    """An alert policy: `query` is PromQL, and it fires when that has had results for `duration_seconds`."""

    name: str
    title: str
    query: str
    duration_seconds: int
    severity: Literal["CRITICAL", "WARNING"]
    text: str


@dataclass(frozen=True, kw_only=True)
class RecordingPlan:
    """A recording rule of Prometheus: `record` is the name of the series that `query` fills."""

    record: str
    query: str


@dataclass(frozen=True, kw_only=True)
class BudgetPlan:
    """A budget of Cloud Billing over everything that has the stack's label: it reports, and stops nothing."""

    billing_account: str
    title: str
    project: str
    label: tuple[str, str]
    monthly_usd: float
    notify_at: tuple[float, ...]
    notification_channels: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class MonitoringPlan:
    """Scraping of model servers, pickers and model router; optionally a dashboard and alert policies.

    `recordings` are what dashboard and alerts compute again and again, for a Prometheus of the user's own.
    """

    enabled: bool
    interval_seconds: int
    dashboard: DashboardPlan | None = None
    alerts: tuple[AlertPlan, ...] = ()
    notification_channels: tuple[str, ...] = ()
    recordings: tuple[RecordingPlan, ...] = ()
    budget: BudgetPlan | None = None

    @property
    def evaluation_seconds(self) -> int:
        """Seconds between two evaluations of an alert: Cloud Monitoring takes multiples of 30 alone."""
        return math.ceil(self.interval_seconds / 30) * 30
