"""Converts a project's answers into findings with the same four parts as those of planning."""

from __future__ import annotations

import math
from ipaddress import ip_network

from llm_d_gke.operations.preflight.clusters import FEATURES
from llm_d_gke.operations.preflight.google import Facts
from llm_d_gke.operations.preflight.needs import Needs, QuotaNeed
from llm_d_gke.planning.findings import Finding, Findings

_WHERE = {"network": "VPC", "subnetwork": "subnet", "address": "address", "cluster": "cluster"}
# Roles by the beginning of the permissions that they contain.
_ROLES = {
    "container.": "roles/container.admin",
    "compute.": "roles/compute.networkAdmin",
    "iam.": "roles/iam.serviceAccountCreator, roles/iam.serviceAccountDeleter and roles/iam.serviceAccountUser",
    "resourcemanager.": "roles/resourcemanager.projectIamAdmin",
    "serviceusage.": "roles/serviceusage.serviceUsageAdmin",
    "secretmanager.": "roles/secretmanager.admin",
    "monitoring.": "roles/monitoring.editor",
}
# Without these two nothing else can be enabled.
_FIRST_SERVICES = ("serviceusage.googleapis.com", "cloudresourcemanager.googleapis.com")


def findings_of(needs: Needs, facts: Facts) -> list[Finding]:
    """All findings, errors and warnings."""
    findings = Findings()
    _check_permissions(needs, facts, findings)
    _check_services(needs, facts, findings)
    for quota in needs.quotas:
        _check_quota(quota, facts, findings)
    for machine in needs.machines:
        for name in filter(None, (machine.machine, machine.accelerator)):
            if (machine.zone, name) in facts.missing_machines:
                where = {"zone": machine.zone, "machine": machine.machine, "project": needs.project}
                findings.error("LLMD-PREFLIGHT-ZONE", *machine.path.split("."), value=name, **where)
    for need in needs.names:
        exists, path, what = facts.existing_names.get(need), need.path.split("."), _WHERE[need.kind]
        if need.is_created and exists:
            findings.warning("LLMD-PREFLIGHT-NAME-TAKEN", *path, value=need.name, what=what)
        if not need.is_created and exists is False:
            what += f" in {need.location}" if need.location else ""
            findings.error("LLMD-PREFLIGHT-NOT-FOUND", *path, value=need.name, what=what)
    _check_proxies(needs, facts, findings)
    _check_features(needs, facts, findings)
    for question, reason in facts.unanswered:
        findings.warning("LLMD-PREFLIGHT-UNANSWERED", "project", value=question, reason=reason)
    return findings


def _check_permissions(needs: Needs, facts: Facts, findings: Findings) -> None:
    lacking = [] if facts.permissions is None else sorted(set(needs.permissions) - facts.permissions)
    if lacking:
        roles = [role for start, role in _ROLES.items() if any(name.startswith(start) for name in lacking)]
        names = {"lacking": ", ".join(lacking), "roles": ", ".join(roles)}
        findings.error("LLMD-PREFLIGHT-PERMISSIONS", "project", value=needs.project, **names)


def _check_services(needs: Needs, facts: Facts, findings: Findings) -> None:
    off = sorted(name for name in needs.services if facts.services.get(name) is False)
    may = facts.permissions is None or "serviceusage.services.enable" in facts.permissions
    first = [name for name in _FIRST_SERVICES if name in off]
    if off and (first or not may):
        names = first or off
        are = f"{', '.join(names)} {'is' if len(names) == 1 else 'are'}"
        findings.error("LLMD-PREFLIGHT-APIS", "project", value=needs.project, are=are, names=" ".join(names))


def _check_quota(need: QuotaNeed, facts: Facts, findings: Findings) -> None:
    limit = facts.limits.get((need.quota.title, need.location))
    if limit is None:
        return
    free = limit.limit - (limit.used or 0.0)
    if need.spare is not None and free < need.maximum:
        other = facts.limits.get((need.spare.title, need.location))
        free = max(free, other.limit - (other.used or 0.0) if other is not None else 0.0)
    if free >= need.maximum:
        return
    enough = free >= need.now
    (findings.warning if enough else findings.error)(
        "LLMD-PREFLIGHT-QUOTA",
        *("accelerator", "nodes", "max"),
        value=f"{need.maximum:g} {need.what}",
        quota=need.quota.title,
        limit=f"{limit.limit:g}",
        place=need.location or "the whole project",
        used=f", {limit.used:g} of them in use" if limit.used else "" if limit.used is not None else ", use unknown",
        now=f"the replicas take {need.now:g}, but the pools may grow further" if enough else f"{need.now:g} are needed",
        request=math.ceil(need.maximum + (limit.used or 0)),
    )


def _check_features(needs: Needs, facts: Facts, findings: Findings) -> None:
    cluster = next(need for need in needs.names if need.kind == "cluster")
    for feature in (FEATURES[name] for name in facts.missing_features):
        command = f"gcloud container clusters update {cluster.name} --project={needs.project}"
        command += f" --location={cluster.location} {feature.option.format(project=needs.project)}"
        texts = {"rule": feature.lacking, "fix": feature.instead or command}
        findings.error("LLMD-PREFLIGHT-CLUSTER", "cluster", "existing", "name", value=cluster.name, **texts)


def _check_proxies(needs: Needs, facts: Facts, findings: Findings) -> None:
    network, cidr = needs.proxies or ("", "")
    for subnet in facts.subnets if needs.proxies is not None else ():
        if subnet.network != network:
            continue
        names = {"network": network, "subnet": subnet.name}
        if subnet.active_proxies:
            path = ("network", "existing", "proxySubnetwork")
            findings.error("LLMD-PREFLIGHT-PROXY-SUBNET", *path, value="(missing)", region=needs.region, **names)
        elif any(ip_network(cidr).overlaps(ip_network(other)) for other in subnet.cidrs):
            ranges = ", ".join(subnet.cidrs)
            findings.error("LLMD-PREFLIGHT-CIDR", "network", "proxyCidr", value=cidr, ranges=ranges, **names)
