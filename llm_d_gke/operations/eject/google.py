"""The gcloud command that creates a resource of Google Cloud as the stack would."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from llm_d_gke.operations.eject.clusters import cluster_command, node_pool_command
from llm_d_gke.operations.eject.inputs import Inputs, NotEjectableError
from llm_d_gke.operations.eject.shell import Words, flag
from llm_d_gke.operations.import_cloud.spec import (
    ACCOUNT,
    BUCKET_MEMBER,
    CLUSTER,
    NODE_POOL,
    PROJECT_MEMBER,
    RESOURCE_POLICY,
    SECRET_MEMBER,
)
from llm_d_gke.resource_graph import Graph, Recorded

_NETWORK = "gcp:compute/network:Network"
_SUBNETWORK = "gcp:compute/subnetwork:Subnetwork"


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
    elif resource.type in _COMMANDS:
        commands = _COMMANDS[resource.type](inputs)
    else:
        raise NotEjectableError(f"there is no gcloud command for {resource.type} ({resource.name})")
    unused = inputs.unused()
    if unused:
        raise NotEjectableError(f"{resource.urn}: no command carries {', '.join(unused)}")
    return CloudCommands(resource=resource, commands=commands, files=files)


def _service(inputs: Inputs) -> tuple[Words, ...]:
    inputs.take("disableOnDestroy")
    return (("gcloud", "services", "enable", inputs.take("service"), flag("project", inputs.project)),)


def _network(inputs: Inputs) -> tuple[Words, ...]:
    mode = "auto" if inputs.take("autoCreateSubnetworks") else "custom"
    return (
        (
            *("gcloud", "compute", "networks", "create", inputs.take("name"), flag("project", inputs.project)),
            flag("subnet-mode", mode),
            flag("bgp-routing-mode", inputs.take("routingMode").lower()),
        ),
    )


def _subnetwork(inputs: Inputs) -> tuple[Words, ...]:
    words = ["gcloud", "compute", "networks", "subnets", "create", inputs.take("name"), flag("project", inputs.project)]
    words.append(flag("network", _network_of(inputs)))
    words += [flag("region", inputs.take("region")), flag("range", inputs.take("ipCidrRange"))]
    ranges = inputs.take("secondaryIpRanges") or ()
    if ranges:
        pairs = ",".join(f"{item['rangeName']}={item['ipCidrRange']}" for item in ranges)
        words.append(flag("secondary-range", pairs))
    if inputs.take("privateIpGoogleAccess"):
        words.append("--enable-private-ip-google-access")
    for name in ("purpose", "role"):
        value = inputs.take(name)
        words += [flag(name, value)] if value else []
    if inputs.take("logConfig") is not None:
        words += [
            "--enable-flow-logs",
            flag("logging-aggregation-interval", _dashed(inputs.take("logConfig.aggregationInterval"))),
            flag("logging-flow-sampling", inputs.take("logConfig.flowSampling")),
            flag("logging-metadata", _dashed(inputs.take("logConfig.metadata")).removesuffix("-metadata")),
        ]
    return (tuple(words),)


def _network_of(inputs: Inputs) -> str:
    """The network's name, or its whole path for one of a Shared VPC, which is in another project."""
    value = inputs.take("network")
    return value if isinstance(value, str) else inputs.name_of("network", _NETWORK)


def _router(inputs: Inputs) -> tuple[Words, ...]:
    return (
        (
            *("gcloud", "compute", "routers", "create", inputs.take("name"), flag("project", inputs.project)),
            flag("network", inputs.name_of("network", _NETWORK)),
            flag("region", inputs.take("region")),
        ),
    )


def _nat(inputs: Inputs) -> tuple[Words, ...]:
    _expect(inputs, "natIpAllocateOption", "AUTO_ONLY")
    _expect(inputs, "sourceSubnetworkIpRangesToNat", "ALL_SUBNETWORKS_ALL_IP_RANGES")
    words = ["gcloud", "compute", "routers", "nats", "create", inputs.take("name"), flag("project", inputs.project)]
    words += [flag("router", inputs.take("router")), flag("region", inputs.take("region"))]
    words += ["--auto-allocate-nat-external-ips", "--nat-all-subnet-ip-ranges"]
    if inputs.take("logConfig.enable"):
        words += ["--enable-logging", flag("log-filter", inputs.take("logConfig.filter"))]
    return (tuple(words),)


def _address(inputs: Inputs) -> tuple[Words, ...]:
    words = ["gcloud", "compute", "addresses", "create", inputs.take("name"), flag("project", inputs.project)]
    words.append(flag("region", inputs.take("region")))
    if inputs.take("addressType") == "INTERNAL":
        value = inputs.take("subnetwork")
        words.append(flag("subnet", value if isinstance(value, str) else inputs.name_of("subnetwork", _SUBNETWORK)))
        words.append(flag("purpose", inputs.take("purpose")))
    return (tuple(words),)


def _ssl_policy(inputs: Inputs) -> tuple[Words, ...]:
    return (
        (
            *("gcloud", "compute", "ssl-policies", "create", inputs.take("name"), flag("project", inputs.project)),
            flag("region", inputs.take("region")),
            flag("profile", inputs.take("profile")),
            flag("min-tls-version", inputs.take("minTlsVersion").removeprefix("TLS_").replace("_", ".")),
        ),
    )


def _workload_policy(inputs: Inputs) -> tuple[Words, ...]:
    create = ("gcloud", "compute", "resource-policies", "create", "workload-policy", inputs.take("name"))
    return (
        (
            *create,
            flag("project", inputs.project),
            flag("region", inputs.take("region")),
            flag("type", inputs.take("workloadPolicy.type")),
            flag("accelerator-topology", inputs.take("workloadPolicy.acceleratorTopology")),
        ),
    )


def _account(inputs: Inputs) -> tuple[Words, ...]:
    return (
        (
            *("gcloud", "iam", "service-accounts", "create", inputs.take("accountId")),
            flag("project", inputs.project),
            flag("display-name", inputs.take("displayName")),
        ),
    )


def _project_member(inputs: Inputs) -> tuple[Words, ...]:
    return (
        # Without --condition, gcloud prompts for one if the project's policy has any.
        ("gcloud", "projects", "add-iam-policy-binding", inputs.project, *_binding(inputs), flag("condition", "None")),
    )


def _secret_member(inputs: Inputs) -> tuple[Words, ...]:
    secret = inputs.take("secretId")
    project = flag("project", inputs.project)
    return (("gcloud", "secrets", "add-iam-policy-binding", secret, project, *_binding(inputs)),)


def _bucket_member(inputs: Inputs) -> tuple[Words, ...]:
    bucket = f"gs://{inputs.take('bucket')}"
    return (("gcloud", "storage", "buckets", "add-iam-policy-binding", bucket, *_binding(inputs)),)


def _binding(inputs: Inputs) -> Words:
    member = inputs.take("member")
    if not isinstance(member, str):
        member = f"serviceAccount:{inputs.email('member')}"
    return (flag("member", member), flag("role", inputs.take("role")))


def _budget(inputs: Inputs) -> tuple[Words, ...]:
    words = ["gcloud", "billing", "budgets", "create", flag("billing-account", inputs.take("billingAccount"))]
    words.append(flag("display-name", inputs.take("displayName")))
    amount = inputs.take("amount.specifiedAmount")
    words.append(flag("budget-amount", f"{amount['units']}{amount['currencyCode']}"))
    words.append(flag("calendar-period", inputs.take("budgetFilter.calendarPeriod").lower()))
    words.append(flag("filter-projects", ",".join(inputs.take("budgetFilter.projects"))))
    labels = inputs.take("budgetFilter.labels") or {}
    words += [flag("filter-labels", ",".join(f"{key}={value}" for key, value in labels.items()))] if labels else []
    words += [flag("threshold-rule", f"percent={rule['thresholdPercent']}") for rule in inputs.take("thresholdRules")]
    channels = inputs.take("allUpdatesRule.monitoringNotificationChannels") or ()
    words += [flag("notifications-rule-monitoring-notification-channels", ",".join(channels))] if channels else []
    return (tuple(words),)


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


_COMMANDS: Mapping[str, Callable[[Inputs], tuple[Words, ...]]] = {
    "gcp:projects/service:Service": _service,
    _NETWORK: _network,
    _SUBNETWORK: _subnetwork,
    "gcp:compute/router:Router": _router,
    "gcp:compute/routerNat:RouterNat": _nat,
    "gcp:compute/address:Address": _address,
    "gcp:compute/regionSslPolicy:RegionSslPolicy": _ssl_policy,
    RESOURCE_POLICY: _workload_policy,
    ACCOUNT: _account,
    PROJECT_MEMBER: _project_member,
    SECRET_MEMBER: _secret_member,
    BUCKET_MEMBER: _bucket_member,
    "gcp:billing/budget:Budget": _budget,
    CLUSTER: cluster_command,
    NODE_POOL: node_pool_command,
}
_WITH_FILE: Mapping[str, Callable[[Inputs, str], tuple[str, str, Words]]] = {
    "gcp:monitoring/dashboard:Dashboard": _dashboard,
    "gcp:monitoring/alertPolicy:AlertPolicy": _alert,
}
