"""The VPC the stack lives in: created by the stack, or an existing one."""

import re
from collections.abc import Mapping
from ipaddress import IPv4Network
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, ModelWrapValidatorHandler, PrivateAttr, model_validator

from llm_d_gke.settings.base import Settings, form, refusal, replaces
from llm_d_gke.settings.names import ProjectId, RangeName

# Names of Compute Engine resources (RFC 1035) and the two ways in which Google writes where they are: a self link, or
# the same without its host.
_NAME = r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?"
_PROJECT = r"([a-z][a-z0-9.-]*[a-z0-9]:)?[a-z][a-z0-9-]{4,28}[a-z0-9]"  # of a domain: acme.com:my-project
_LINK = re.compile(
    rf"(https://[a-z0-9.]+/compute/[a-z0-9]+/)?projects/(?P<project>{_PROJECT})/"
    r"(global/networks|regions/(?P<region>[^/]+)/subnetworks)/(?P<name>[^/]+)"
)


def _of_no_project(value: object) -> object:
    """Refuse a link that was left because its project is none, where the link is written."""
    match = re.search(r"projects/([^/]+)/(global|regions)/", value) if isinstance(value, str) else None
    if match is None or re.fullmatch(_PROJECT, match[1]):
        return value
    raise refusal(
        "LLMD-SETTING-FORM",
        f"the link names the project {match[1]}, and a project id has 6 to 30 lower-case letters, digits and dashes",
        "copy the link again: gcloud compute networks list --uri, or networks subnets list --uri",
    )


ResourceName = Annotated[
    str,
    BeforeValidator(_of_no_project),
    Field(
        pattern=f"^{_NAME}$",
        examples=["my-network"],
        json_schema_extra=form(
            "the name of a Compute Engine resource: lower-case letters, digits and dashes, or its link"
        ),
    ),
]


class ExistingNetwork(Settings):
    """A network and node subnet that exist already; with `project`, those of a Shared VPC's host project.

    Network and subnet are given by name, or by self link, from which name and project are taken.
    """

    project: Annotated[
        ProjectId | None,
        Field(
            description="Host project of a Shared VPC; by default the network is in the stack's project.",
            examples=["my-host-project"],
        ),
    ] = None
    network: Annotated[ResourceName, Field(description="Name of the VPC.")]
    subnetwork: Annotated[ResourceName, Field(description="Name of the node subnet, in the stack's region.")]
    pod_range: Annotated[RangeName, Field(description="Name of the subnet's secondary range for pods.")]
    service_range: Annotated[
        RangeName, Field(description="Name of the subnet's secondary range for services.", examples=["services"])
    ]
    proxy_subnetwork: Annotated[
        ResourceName | None,
        Field(
            description="Name of the VPC's active proxy-only subnet; its range is `network.proxyCidr`. Without a name"
            " the stack creates the subnet, with that range."
        ),
    ] = None
    nat: Annotated[
        bool, Field(description="Private nodes have a way out, such as Cloud NAT: they pull images through it.")
    ] = False
    auto_mode: Annotated[bool, Field(description="The VPC is in auto mode: it owns 10.128.0.0/9 in every region.")] = (
        False
    )

    # The region in the subnet's self link.
    _region: str | None = PrivateAttr(default=None)

    @property
    def linked_region(self) -> str | None:
        """The region of the subnet, where a self link names it."""
        return self._region

    @model_validator(mode="wrap")
    @classmethod
    def read_links(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Split self links into name and project. Links to two projects are refused."""
        if not isinstance(values, Mapping):
            return handler(values)
        result = dict(values)
        projects = {result["project"]} if result.get("project") else set()
        for key in ("network", "subnetwork", "proxySubnetwork"):
            link = _LINK.fullmatch(value) if isinstance(value := result.get(key), str) else None
            if link is not None:
                result[key] = link["name"]
                projects.add(link["project"])
        if len(projects) > 1:
            raise refusal(
                "LLMD-NETWORK-PROJECTS",
                f"network, subnets and project name different projects ({', '.join(sorted(projects))}), and a subnet is"
                " in the project of its network",
                "use names and links of one project",
            )
        if projects:
            result["project"] = projects.pop()
        elif result.get("project") == "":
            # As the stack's own: an empty text is a project that is not given.
            del result["project"]
        network = handler(result)
        link = _LINK.fullmatch(value) if isinstance(value := values.get("subnetwork"), str) else None
        network._region = link["region"] if link is not None else None
        return network


class NetworkSettings(Settings):
    """IPv4 ranges of the stack. With `existing`, only `proxyCidr` may still be needed."""

    existing: Annotated[
        ExistingNetwork | None,
        Field(
            description="Bring a network instead of making one.",
            json_schema_extra=replaces("network", "subnet", "cluster"),
        ),
    ] = None
    node_cidr: Annotated[
        IPv4Network, Field(description="Addresses of nodes.", json_schema_extra=replaces("subnet"))
    ] = IPv4Network("10.0.0.0/20")
    pod_cidr: Annotated[IPv4Network, Field(description="Secondary range of pods.")] = IPv4Network("10.4.0.0/14")
    service_cidr: Annotated[IPv4Network, Field(description="Secondary range of services.")] = IPv4Network("10.8.0.0/20")
    flow_logs: Annotated[
        bool, Field(description="Log samples of the node subnet's connections, at the price of Cloud Logging.")
    ] = False
    proxy_cidr: Annotated[
        IPv4Network,
        Field(
            description="Proxy-only subnet of the regional load balancers, a new one or that of"
            " existing.proxySubnetwork; /23 recommended, /26 at least.",
            json_schema_extra=replaces("subnet"),
        ),
    ] = IPv4Network("192.168.0.0/23")
