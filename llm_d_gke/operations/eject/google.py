"""The gcloud command that creates a resource of Google Cloud as the stack would."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from llm_d_gke.google_types import (
    ACCOUNT,
    ADDRESS,
    BUCKET_MEMBER,
    CLUSTER,
    NAT,
    NETWORK,
    NODE_POOL,
    PROJECT_MEMBER,
    RESOURCE_POLICY,
    ROUTER,
    SECRET_MEMBER,
    SERVICE,
    SUBNETWORK,
)
from llm_d_gke.operations.eject.clusters import cluster_command, node_pool_command
from llm_d_gke.operations.eject.inputs import Inputs, NotEjectableError
from llm_d_gke.operations.eject.shell import Words, flag
from llm_d_gke.resource_graph import Graph, Recorded


@dataclass(frozen=True, kw_only=True)
class CloudCommands:
    """The commands of a resource, and the content of their input files by name."""

    resource: Recorded
    commands: tuple[Words, ...]
    files: Mapping[str, str] = field(default_factory=dict)


def cloud_commands(resource: Recorded, graph: Graph, project: str) -> CloudCommands:
    """The gcloud commands of a resource. Raises NotEjectableError for a resource or input that has no command."""
    inputs = Inputs(resource, graph, project)
    files: dict[str, str] = {}
    commands: tuple[Words, ...]
    if resource.type in _WITH_FILE:
        name, text, words = _WITH_FILE[resource.type](inputs, resource.name)
        files[name] = text
        commands = (words,)
    elif resource.type in _CLUSTERS:
        commands = _CLUSTERS[resource.type](inputs)
    elif resource.type in _COMMANDS:
        commands = (tuple(_COMMANDS[resource.type](inputs)),)
    else:
        raise NotEjectableError(f"there is no gcloud command for {resource.type} ({resource.name})")
    unused = inputs.unused()
    if unused:
        raise NotEjectableError(f"{resource.urn}: no command carries {', '.join(unused)}")
    return CloudCommands(resource=resource, commands=commands, files=files)


def _create(inputs: Inputs, noun: str, name: str = "name") -> list[str]:
    return ["gcloud", *noun.split(), "create", inputs.take(name), flag("project", inputs.project)]


def _service(inputs: Inputs) -> list[str]:
    inputs.take("disableOnDestroy")
    return ["gcloud", "services", "enable", inputs.take("service"), flag("project", inputs.project)]


def _network(inputs: Inputs) -> list[str]:
    mode = "auto" if inputs.take("autoCreateSubnetworks") else "custom"
    routing = inputs.flag("bgp-routing-mode", "routingMode", str.lower)
    return [*_create(inputs, "compute networks"), flag("subnet-mode", mode), *routing]


def _subnetwork(inputs: Inputs) -> list[str]:
    ranges = inputs.take("secondaryIpRanges") or ()
    pairs = ",".join(f"{item['rangeName']}={item['ipCidrRange']}" for item in ranges)
    words = [
        *_create(inputs, "compute networks subnets"),
        flag("network", inputs.name_or_path("network", NETWORK)),
        *inputs.flags({"region": "region", "range": "ipCidrRange"}),
        *([flag("secondary-range", pairs)] if pairs else []),
        *inputs.options({"enable-private-ip-google-access": "privateIpGoogleAccess"}),
        *inputs.flags({"purpose": "purpose", "role": "role"}),
    ]
    if inputs.take("logConfig") is not None:
        words.append("--enable-flow-logs")
        words += inputs.flag("logging-aggregation-interval", "logConfig.aggregationInterval", _dashed)
        words += inputs.flag("logging-flow-sampling", "logConfig.flowSampling")
        words.append(flag("logging-metadata", _dashed(inputs.take("logConfig.metadata")).removesuffix("-metadata")))
    return words


def _router(inputs: Inputs) -> list[str]:
    network = flag("network", inputs.name_of("network", NETWORK))
    return [*_create(inputs, "compute routers"), network, *inputs.flag("region", "region")]


def _nat(inputs: Inputs) -> list[str]:
    _expect(inputs, "natIpAllocateOption", "AUTO_ONLY")
    _expect(inputs, "sourceSubnetworkIpRangesToNat", "ALL_SUBNETWORKS_ALL_IP_RANGES")
    words = [*_create(inputs, "compute routers nats"), *inputs.flags({"router": "router", "region": "region"})]
    words += ["--auto-allocate-nat-external-ips", "--nat-all-subnet-ip-ranges"]
    if inputs.take("logConfig.enable"):
        words += ["--enable-logging", *inputs.flag("log-filter", "logConfig.filter")]
    return words


def _address(inputs: Inputs) -> list[str]:
    words = [*_create(inputs, "compute addresses"), *inputs.flag("region", "region")]
    if inputs.take("addressType") == "INTERNAL":
        words.append(flag("subnet", inputs.name_or_path("subnetwork", SUBNETWORK)))
        words += inputs.flag("purpose", "purpose")
    return words


def _ssl_policy(inputs: Inputs) -> list[str]:
    return [
        *_create(inputs, "compute ssl-policies"),
        *inputs.flags({"region": "region", "profile": "profile"}),
        flag("min-tls-version", inputs.take("minTlsVersion").removeprefix("TLS_").replace("_", ".")),
    ]


def _workload_policy(inputs: Inputs) -> list[str]:
    return [
        *("gcloud", "compute", "resource-policies", "create", "workload-policy", inputs.take("name")),
        flag("project", inputs.project),
        *inputs.flags({"region": "region", "type": "workloadPolicy.type"}),
        *inputs.flag("accelerator-topology", "workloadPolicy.acceleratorTopology"),
    ]


def _account(inputs: Inputs) -> list[str]:
    return [*_create(inputs, "iam service-accounts", "accountId"), *inputs.flag("display-name", "displayName")]


def _project_member(inputs: Inputs) -> list[str]:
    # Without --condition, gcloud prompts for one if the project's policy has any.
    return [
        "gcloud",
        "projects",
        "add-iam-policy-binding",
        inputs.project,
        *_binding(inputs),
        flag("condition", "None"),
    ]


def _secret_member(inputs: Inputs) -> list[str]:
    secret, project = inputs.take("secretId"), flag("project", inputs.project)
    return ["gcloud", "secrets", "add-iam-policy-binding", secret, project, *_binding(inputs)]


def _bucket_member(inputs: Inputs) -> list[str]:
    bucket = f"gs://{inputs.take('bucket')}"
    return ["gcloud", "storage", "buckets", "add-iam-policy-binding", bucket, *_binding(inputs)]


def _binding(inputs: Inputs) -> list[str]:
    member = inputs.take("member")
    if not isinstance(member, str):
        member = f"serviceAccount:{inputs.email('member')}"
    return [flag("member", member), *inputs.flag("role", "role")]


def _budget(inputs: Inputs) -> list[str]:
    amount = inputs.take("amount.specifiedAmount")
    return [
        *("gcloud", "billing", "budgets", "create"),
        *inputs.flags({"billing-account": "billingAccount", "display-name": "displayName"}),
        flag("budget-amount", f"{amount['units']}{amount['currencyCode']}"),
        *inputs.flag("calendar-period", "budgetFilter.calendarPeriod", str.lower),
        *inputs.flags({"filter-projects": "budgetFilter.projects", "filter-labels": "budgetFilter.labels"}),
        *(flag("threshold-rule", f"percent={rule['thresholdPercent']}") for rule in inputs.take("thresholdRules")),
        *inputs.flag(
            "notifications-rule-monitoring-notification-channels", "allUpdatesRule.monitoringNotificationChannels"
        ),
    ]


def _dashboard(inputs: Inputs, name: str) -> tuple[str, str, Words]:
    text = json.dumps(json.loads(inputs.take("dashboardJson")), indent=2) + "\n"
    file = f"{name}.json"
    project = flag("project", inputs.project)
    return file, text, ("gcloud", "monitoring", "dashboards", "create", project, flag("config-from-file", file))


def _alert(inputs: Inputs, name: str) -> tuple[str, str, Words]:
    """An alert policy in the form of the Monitoring API, whose field names are those of the provider."""
    keys = ("displayName", "combiner", "severity", "documentation", "notificationChannels", "userLabels", "conditions")
    body = {key: value for key in keys if (value := inputs.take(key)) is not None}
    file = f"{name}.json"
    project = flag("project", inputs.project)
    return (
        file,
        json.dumps(body, indent=2) + "\n",
        ("gcloud", "alpha", "monitoring", "policies", "create", project, flag("policy-from-file", file)),
    )


def _expect(inputs: Inputs, path: str, value: str) -> None:
    current = inputs.take(path)
    if current != value:
        raise NotEjectableError(f"{path} is {current}, and the command is written for {value}")


def _dashed(text: str) -> str:
    return text.lower().replace("_", "-")


_COMMANDS: Mapping[str, Callable[[Inputs], list[str]]] = {
    SERVICE: _service,
    NETWORK: _network,
    SUBNETWORK: _subnetwork,
    ROUTER: _router,
    NAT: _nat,
    ADDRESS: _address,
    "gcp:compute/regionSslPolicy:RegionSslPolicy": _ssl_policy,
    RESOURCE_POLICY: _workload_policy,
    ACCOUNT: _account,
    PROJECT_MEMBER: _project_member,
    SECRET_MEMBER: _secret_member,
    BUCKET_MEMBER: _bucket_member,
    "gcp:billing/budget:Budget": _budget,
}
_CLUSTERS: Mapping[str, Callable[[Inputs], tuple[Words, ...]]] = {
    CLUSTER: cluster_command,
    NODE_POOL: node_pool_command,
}
_WITH_FILE: Mapping[str, Callable[[Inputs, str], tuple[str, str, Words]]] = {
    "gcp:monitoring/dashboard:Dashboard": _dashboard,
    "gcp:monitoring/alertPolicy:AlertPolicy": _alert,
}
