"""Stacks of this folder that share a cluster: one has it (its `host`), others name it as existing and join it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from llm_d_gke.google_types import CLUSTER
from llm_d_gke.planning.plan.infrastructure import ClusterPlan
from llm_d_gke.planning.plan.stack import StackPlan
from llm_d_gke.rehearsal.errors import RehearsalError
from llm_d_gke.rehearsal.host import processes
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.providers.gcp.existing import EXISTING
from llm_d_gke.rehearsal.providers.gcp.store import MARKS, CloudStore


def join(paths: StackPaths, plan: StackPlan) -> None:
    """Let a new stack use the cluster that its file names as existing, where another stack of this folder has it.

    Raises RehearsalError where a stack of that cluster has its namespace.
    """
    if paths.cloud.exists():
        _refuse_namespace(paths, paths.host, plan)
        return
    paths.hosted.unlink(missing_ok=True)
    host = _host_of(paths, plan.cluster)
    if host is not None:
        _refuse_namespace(paths, host, plan)
        paths.home.mkdir(parents=True, exist_ok=True)
        paths.hosted.write_text(host.stack, encoding="utf-8")


def _host_of(paths: StackPaths, cluster: ClusterPlan) -> StackPaths | None:
    """The stack of this folder that has an existing cluster here."""
    if cluster.create or not paths.base.exists():
        return None
    for home in sorted(paths.base.iterdir()):
        other = StackPaths(home.name, paths.root)
        record = CloudStore(other.cloud).resources(CLUSTER).get(cluster.identifier)
        if other.host == other and record is not None and "maker" not in record[MARKS]:
            return other
    return None


def _refuse_namespace(paths: StackPaths, host: StackPaths, plan: StackPlan) -> None:
    for name in sorted(set(_stacks(host)) - {paths.stack}):
        gateway = StackPaths(name, paths.root).gateway
        if gateway.exists() and gateway.read_text(encoding="utf-8").partition("/")[0] == plan.namespace.name:
            raise RehearsalError(plan.place.refusal(paths.stack, name))


def refuse_guests(paths: StackPaths) -> None:
    """Raise RehearsalError where a stack would take away a cluster of its own in which others are."""
    guests = sorted(set(_stacks(paths.host)) - {paths.stack})
    clusters = CloudStore(paths.cloud).resources(CLUSTER).values()
    own = [record for record in clusters if not record[MARKS]["urn"].startswith(EXISTING)]
    if guests and own and paths.host == paths:
        raise RehearsalError(
            f"stack {paths.stack} has the cluster of {', '.join(guests)}, which `down` would take away: first"
            f" `make down STACK={guests[0]}`"
        )


def leave(paths: StackPaths) -> bool:
    """Remove the stack's files, and with the last stack of a cluster its processes. Returns whether it was the last."""
    host = paths.host
    others = set(_stacks(host)) - {paths.stack}
    if not others:
        processes.stop_all(host)
        _remove(host)
    if paths != host:
        _remove(paths)
    elif others:
        for folder in (paths.project, paths.pulumi_home, paths.temporary):
            shutil.rmtree(folder, ignore_errors=True)
        for file in (paths.settings, paths.unfinished, paths.gateway):
            file.unlink(missing_ok=True)
    return not others


def _stacks(host: StackPaths) -> Iterator[str]:
    """Stacks that are in a cluster. Its host is no longer after `down`, while the cluster stays for others."""
    if host.settings.exists() or host.unfinished.exists():
        yield host.stack
    for home in host.base.iterdir() if host.base.exists() else ():
        other = StackPaths(home.name, host.root)
        if other != host and other.host == host:
            yield other.stack


def _remove(paths: StackPaths) -> None:
    """Remove the stack's folder and what the engine keeps of it, and with the last stack everything stacks share."""
    shutil.rmtree(paths.home, ignore_errors=True)
    for path in list((paths.backend / ".pulumi").glob("*/**/*")):
        if path.name == paths.stack:
            shutil.rmtree(path, ignore_errors=True)
        elif path.name.startswith(f"{paths.stack}.json"):
            path.unlink(missing_ok=True)
    if paths.base.exists() and not any(path.is_dir() and path != paths.backend for path in paths.base.iterdir()):
        shutil.rmtree(paths.base, ignore_errors=True)
