"""Converts a project's answers into findings with the same four parts as those of planning."""

from __future__ import annotations

import math
from collections.abc import Iterator
from ipaddress import ip_network

from llm_d_gke.operations.preflight.clusters import FEATURES
from llm_d_gke.operations.preflight.google import Facts
from llm_d_gke.operations.preflight.needs import NameNeed, Needs, QuotaNeed
from llm_d_gke.planning.findings import Finding, Severity, path_of

_WHERE = {"network": "VPC", "subnetwork": "subnet", "address": "address", "cluster": "cluster"}
# Without these two nothing else can be enabled.
_FIRST_SERVICES = ("serviceusage.googleapis.com", "cloudresourcemanager.googleapis.com")


def findings_of(needs: Needs, facts: Facts) -> list[Finding]:
    """All findings, errors and warnings."""
    return [
        *_permissions(needs, facts),
        *_services(needs, facts),
        *(finding for need in needs.quotas for finding in _quota(need, facts)),
        *_machines(needs, facts),
        *(finding for need in needs.names for finding in _name(need, facts)),
        *_proxies(needs, facts),
        *_features(needs, facts),
        *_unanswered(facts),
    ]


def _permissions(needs: Needs, facts: Facts) -> Iterator[Finding]:
    lacking = [] if facts.permissions is None else sorted(set(needs.permissions) - facts.permissions)
    if lacking:
        in_cluster = [name for name in lacking if name.startswith("container.")]
        roles = ["roles/container.admin"] if in_cluster else []
        rest = {
            "compute.": "roles/compute.networkAdmin",
            "iam.": "roles/iam.serviceAccountCreator, roles/iam.serviceAccountDeleter and roles/iam.serviceAccountUser",
            "resourcemanager.": "roles/resourcemanager.projectIamAdmin",
            "serviceusage.": "roles/serviceusage.serviceUsageAdmin",
            "secretmanager.": "roles/secretmanager.admin",
            "monitoring.": "roles/monitoring.editor",
        }
        roles += [role for start, role in rest.items() if any(name.startswith(start) for name in lacking)]
        yield _finding(
            "LLMD-PREFLIGHT-PERMISSIONS",
            "project",
            value=needs.project,
            rule=f"this account lacks permissions: {', '.join(lacking)}",
            fix=f"gcloud projects add-iam-policy-binding {needs.project} --member=user:... --role=...: "
            + ", ".join(roles),
        )


def _services(needs: Needs, facts: Facts) -> Iterator[Finding]:
    off = sorted(name for name in needs.services if facts.services.get(name) is False)
    may = facts.permissions is None or "serviceusage.services.enable" in facts.permissions
    first = [name for name in _FIRST_SERVICES if name in off]
    if off and (first or not may):
        names = first or off
        yield _finding(
            "LLMD-PREFLIGHT-APIS",
            "project",
            value=needs.project,
            rule=f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} off, and `up` cannot turn that on",
            fix=f"gcloud services enable {' '.join(names)} --project={needs.project}",
        )


def _quota(need: QuotaNeed, facts: Facts) -> Iterator[Finding]:
    limit = facts.limits.get((need.quota.title, need.location))
    if limit is None:
        return
    free = limit.limit - (limit.used or 0.0)
    if need.spare is not None and free < need.maximum:
        other = facts.limits.get((need.spare.title, need.location))
        free = max(free, other.limit - (other.used or 0.0) if other is not None else 0.0)
    if free >= need.maximum:
        return
    place = need.location or "the whole project"
    enough = free >= need.now
    used = f", {limit.used:g} of them in use" if limit.used else "" if limit.used is not None else ", use unknown"
    yield _finding(
        "LLMD-PREFLIGHT-QUOTA",
        "accelerator",
        "nodes",
        "max",
        value=f"{need.maximum:g} {need.what}",
        rule=f"{need.quota.title} allows {limit.limit:g} in {place}{used}; "
        + (f"the replicas take {need.now:g}, but the pools may grow further" if enough else f"{need.now:g} are needed"),
        fix=f"ask for {math.ceil(need.maximum + (limit.used or 0)):g} in the console under IAM & Admin, Quotas, "
        "or lower nodes.max",
        severity=Severity.WARNING if enough else Severity.ERROR,
    )


def _machines(needs: Needs, facts: Facts) -> Iterator[Finding]:
    for need in needs.machines:
        for name in filter(None, (need.machine, need.accelerator)):
            if (need.zone, name) in facts.missing_machines:
                yield _finding(
                    "LLMD-PREFLIGHT-ZONE",
                    *need.path.split("."),
                    value=name,
                    rule=f"Compute Engine has no {name} in {need.zone}, or not for this project",
                    fix="use another zone: gcloud compute machine-types list --filter="
                    f"name={need.machine} --format='value(zone)'",
                )


def _name(need: NameNeed, facts: Facts) -> Iterator[Finding]:
    exists = facts.existing_names.get(need)
    what = _WHERE[need.kind]
    if need.is_created and exists:
        yield _finding(
            "LLMD-PREFLIGHT-NAME-TAKEN",
            *need.path.split("."),
            value=need.name,
            rule=f"a {what} of this name exists already",
            fix="nothing to do if this stack created it; otherwise use another stack name, or use it as `existing`",
            severity=Severity.WARNING,
        )
    if not need.is_created and exists is False:
        yield _finding(
            "LLMD-PREFLIGHT-NOT-FOUND",
            *need.path.split("."),
            value=need.name,
            rule=f"there is no such {what}" + (f" in {need.location}" if need.location else ""),
            fix="correct the name, or let the stack create it",
        )


def _features(needs: Needs, facts: Facts) -> Iterator[Finding]:
    cluster = next(need for need in needs.names if need.kind == "cluster")
    for name in facts.missing_features:
        feature = FEATURES[name]
        option = feature.option.format(project=needs.project)
        yield _finding(
            "LLMD-PREFLIGHT-CLUSTER",
            "cluster",
            "existing",
            "name",
            value=cluster.name,
            rule=feature.lacking,
            fix=feature.instead
            or f"gcloud container clusters update {cluster.name} --project={needs.project}"
            f" --location={cluster.location} {option}",
        )


def _proxies(needs: Needs, facts: Facts) -> Iterator[Finding]:
    if needs.proxies is None:
        return
    network, cidr = needs.proxies
    proxy_subnets = [subnet for subnet in facts.subnets if subnet.network == network]
    for subnet in proxy_subnets:
        if subnet.active_proxies:
            yield _finding(
                "LLMD-PREFLIGHT-PROXY-SUBNET",
                "network",
                "existing",
                "proxySubnetwork",
                value="(missing)",
                rule=f"{network} has an active proxy-only subnet in {needs.region} already, and takes no second one",
                fix=f"use {subnet.name}",
            )
        elif any(ip_network(cidr).overlaps(ip_network(other)) for other in subnet.cidrs):
            yield _finding(
                "LLMD-PREFLIGHT-CIDR",
                "network",
                "proxyCidr",
                value=cidr,
                rule=f"overlaps subnet {subnet.name} of {network} ({', '.join(subnet.cidrs)})",
                fix="choose a range that is free in this VPC",
            )


def _unanswered(facts: Facts) -> Iterator[Finding]:
    for question, reason in facts.unanswered:
        yield _finding(
            "LLMD-PREFLIGHT-UNANSWERED",
            "project",
            value=question,
            rule=f"Google Cloud gave no answer: {reason}",
            fix="enable the API that it names, or use an account with access",
            severity=Severity.WARNING,
        )


def _finding(
    rule_id: str, /, *path: str, value: str, rule: str, fix: str, severity: Severity = Severity.ERROR
) -> Finding:
    return Finding(id=rule_id, path=path_of(*path), value=value, rule=rule, fix=fix, severity=severity)
