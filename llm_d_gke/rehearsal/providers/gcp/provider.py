"""The simulated gcp provider: keeps resources in a file, refuses what Google refuses, and starts a cluster."""

from __future__ import annotations

import importlib.metadata
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Final

from llm_d_gke.catalog.schema import region_of
from llm_d_gke.google_types import ADDRESS, CLUSTER, NODE_POOL, SERVICE, SUBNETWORK
from llm_d_gke.nested import value_at
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.providers.base import Provider
from llm_d_gke.rehearsal.providers.gcp import arguments, lifecycle, network, platform, pools
from llm_d_gke.rehearsal.providers.gcp.controller_resources import ControllerResource, left_by_cluster
from llm_d_gke.rehearsal.providers.gcp.kinds import Kind, ResourceContext, now, refusal, visible, with_default, without
from llm_d_gke.rehearsal.providers.gcp.naming import (
    DEFAULTS,
    automatic_name,
    identify,
    imported_inputs,
    matching_id,
    place_of,
)
from llm_d_gke.rehearsal.providers.gcp.store import MARKS, Cloud, CloudStore, Marks, Record
from llm_d_gke.rehearsal.providers.gcp.table import KINDS
from llm_d_gke.rehearsal.providers.properties import Diff, Properties, difference
from llm_d_gke.rehearsal.providers.requests import (
    CheckRequest,
    Created,
    CreateRequest,
    DeleteRequest,
    Invalid,
    Live,
    ReadRequest,
    Refused,
    Request,
    UpdateRequest,
)
from llm_d_gke.resource_graph.values import UNKNOWN, Secret

_TIMES: Final = ("creationTimestamp", "createTime", "timeCreated")


class GcpProvider(Provider):
    """`report` gets a line for slow operations, such as starting the control plane or adding nodes."""

    name = "gcp"

    def __init__(self, paths: StackPaths, report: Callable[[str], None]) -> None:
        super().__init__()
        self.version = importlib.metadata.version("pulumi-gcp")
        self._paths, self._report, self._store = paths, report, CloudStore(paths.cloud)
        self._run = uuid.uuid4().hex
        self._known: set[str] = set()  # ids the engine has named: those are in its state

    # Hooks

    def check(self, request: CheckRequest) -> Properties:
        kind = _kind(request)
        news = _plain(request.news)
        made_up: list[str] = []
        if kind.name and kind.name.key not in news:
            news[kind.name.key] = automatic_name(request, kind.name.key)
            made_up.append(kind.name.key)
        checked, problems = arguments.check(request.type, news)
        name = checked.get(kind.name.key) if kind.name else None
        if kind.name and isinstance(name, str) and (problem := kind.name.problem(name)):
            problems.append(arguments.Problem(kind.name.key, problem))
        if problems:
            raise Invalid(*problems)
        return {**checked, DEFAULTS: made_up}

    def diff(self, request: UpdateRequest) -> Diff:
        self._known.add(request.id)
        kind = _kind(request)
        old, new = _plain(request.old_inputs), _plain(request.news)
        changes = difference(old, new, replaces=lambda path: kind.replaces(path, old, new))
        # A fixed name cannot exist twice, so the old resource is deleted first.
        name_key = kind.name.key if kind.name else ""
        keeps_name = not kind.name or (
            name_key not in request.news.get(DEFAULTS, []) and old.get(name_key) == new.get(name_key)
        )
        # A stack has one control plane at a time.
        first = bool(changes.replaces) and (keeps_name or request.type == CLUSTER)
        return Diff(changes.changes, changes.replaces, delete_before_replace=first)

    def create(self, request: CreateRequest) -> Created:
        kind, inputs = _kind(request), _plain(request.inputs)
        if request.preview:
            planned = {**kind.defaults, **place_of(request, kind, inputs), **inputs}
            for path in kind.computed:
                planned = with_default(planned, path.split("."), UNKNOWN)
            return Created("", planned)
        with self._store.transaction() as cloud:
            context = self._context(cloud, kind, request, inputs, record=None)
            records = cloud["resources"].setdefault(kind.token, {})
            self._refuse_existing(context, request, records.get(context.id))
            records.pop(context.id, None)
            _refuse_api_off(context)
            kind.creating(context)
            record = _record(context, kind, self._new_marks(request, inputs, making=kind.token in (CLUSTER, NODE_POOL)))
            records[context.id] = record
        try:
            if kind.token == CLUSTER:
                self._report(f"cluster {record['name']}: starting a control plane of {record['masterVersion']}")
                record |= lifecycle.start(self._paths, record, self._report)
            elif kind.token == NODE_POOL:
                self._await_pool(record, created=True)
        except BaseException:
            with self._store.transaction() as cloud:
                cloud["resources"][kind.token].pop(context.id, None)
            if kind.token == CLUSTER:
                lifecycle.stop(self._paths)
            raise
        record[MARKS].pop("maker", None)
        if kind.token in (CLUSTER, NODE_POOL):
            with self._store.transaction() as cloud:
                cloud["resources"][kind.token][context.id] = record
        self._known.add(context.id)
        return Created(context.id, _outputs(record))

    def update(self, request: UpdateRequest) -> Properties:
        kind, inputs = _kind(request), _plain(request.news)
        carried = {key: value for key, value in request.olds.items() if key not in _plain(request.old_inputs)}
        if request.preview:
            planned = {**carried, **inputs}
            for path in kind.computed:
                planned = with_default(planned, path.split("."), value_at(request.olds, *path.split(".")))
            return planned
        with self._store.transaction() as cloud:
            records = cloud["resources"].get(kind.token, {})
            if request.id not in records:
                raise refusal(f"The resource '{request.id}' was not found", code=404)
            before = records[request.id]
            context = self._context(cloud, kind, request, inputs, record=before, resource_id=request.id)
            kind.updating(context)
            record = _record(context, kind, self._new_marks(request, inputs, making=False))
            records[request.id] = record
        if kind.token == CLUSTER:
            record |= lifecycle.start(self._paths, record, self._report)
            with self._store.transaction() as cloud:
                cloud["resources"][CLUSTER][request.id] = record
        elif kind.token == NODE_POOL:
            self._await_pool(record, created=False)
        return _outputs(record)

    def delete(self, request: DeleteRequest) -> None:
        kind = _kind(request)
        left = self._left_by_cluster(request) if kind.token == CLUSTER else []
        deleted: Record | None = None
        with self._store.transaction() as cloud:
            self._drop_abandoned(cloud)
            records = cloud["resources"].get(kind.token, {})
            deleted = records.get(request.id)
            if deleted is None:
                # Deleted before, by a command that may have been killed while it stopped the cluster's processes.
                if kind.token == CLUSTER and not records:
                    lifecycle.stop(self._paths)
                return
            context = self._context(cloud, kind, request, visible(deleted), record=deleted, resource_id=request.id)
            kind.deleting(context)
            self._refuse_gateways(context)
            if kind.token == CLUSTER:
                pools.deleting_pools_of(context)
            del records[request.id]
            for resource in left:
                cloud["resources"].setdefault(resource.token, {})[resource.id] = resource.record
        if kind.token == CLUSTER:
            self._report(f"cluster {deleted['name']}: stopping its control plane")
            lifecycle.stop(self._paths)
        elif kind.token == NODE_POOL:
            self._await_nodes(deleted, pools.Size(0, 0, 0))

    def read(self, request: ReadRequest) -> Live | None:
        kind = _kind(request)
        self._known.add(request.id)
        records = self._store.resources(kind.token)
        resource_id = matching_id(records, request.id)
        if resource_id is None:
            return None
        record = records[resource_id]
        inputs = None if request.old_inputs else imported_inputs(kind, record)
        return Live(resource_id, _outputs(record), inputs)

    # Parts

    def _context(
        self,
        cloud: Cloud,
        kind: Kind,
        request: Request,
        inputs: Properties,
        *,
        record: Record | None,
        resource_id: str | None = None,
    ) -> ResourceContext:
        place = place_of(request, kind, inputs)
        values = {**kind.defaults, **place, **inputs}
        if kind.regional and not values.get("region"):
            raise Refused(f"{request.type}: region is required, as an argument or in the provider's configuration")
        if record and kind.name:
            values.setdefault(kind.name.key, record.get(kind.name.key))
        resource_id = resource_id or identify(cloud, kind, values)
        location = values.get("location")
        region = values.get("region") or (region_of(location) if isinstance(location, str) else location)
        return ResourceContext(
            cloud, kind, resource_id, values, str(values.get("project")), region, record, self._report
        )

    def _new_marks(self, request: Request, inputs: Properties, *, making: bool) -> Marks:
        marks: Marks = {"urn": request.urn, "run": self._run, "inputs": inputs}
        if making:
            marks["maker"] = os.getpid()
        return marks

    def _refuse_existing(self, context: ResourceContext, request: CreateRequest, existing: Record | None) -> None:
        """Refuse an id in use, unless an interrupted run left it and the engine does not know it.

        A service that another stack enabled is enabled again.
        """
        if existing is None or context.kind.token == SERVICE:
            return
        left_over = existing[MARKS]["urn"] == request.urn and existing[MARKS]["run"] != self._run
        if context.id in self._known or not left_over:
            raise refusal(f"The resource '{context.id}' already exists", code=409)

    def _await_pool(self, record: Record, *, created: bool) -> None:
        """Wait for the nodes, as GKE does: the initial number of a new pool, or any number that an update allows."""
        size = pools.size_of(record, len(record["nodeLocations"]))
        target = pools.Size(size.start, size.start, max(size.start, size.maximum)) if created else size
        if target.maximum or not created:
            self._await_nodes(record, target)

    def _await_nodes(self, record: Record, size: pools.Size) -> None:
        if self._paths.kubeconfig.exists():
            lifecycle.wait_for_nodes(self._paths, record["name"], size, canceled=self.canceled, report=self._report)

    def _refuse_gateways(self, context: ResourceContext) -> None:
        proxies = context.kind.token == SUBNETWORK and context.inputs.get("purpose") == network.PROXY_PURPOSES[0]
        if not proxies and context.kind.token != ADDRESS:
            return
        users = lifecycle.gateways_using(self._paths, None if proxies else context.id)
        if users:
            what = "subnetwork" if proxies else "address"
            raise refusal(
                f"The {what} resource '{context.id}' is already being used by the load balancer of Gateway {users[0]}"
            )

    def _left_by_cluster(self, request: DeleteRequest) -> list[ControllerResource]:
        """What controllers of the cluster created and cannot remove once it is deleted."""
        record = self._store.resources(CLUSTER).get(request.id)
        if record is None:
            return []
        left = left_by_cluster(self._paths, record, region_of(record["location"]))
        if left:
            self._report(
                f"cluster {record['name']} is deleted before its Gateways and volumes: {len(left)} resources of Google"
                " Cloud stay, which only their controllers would remove"
            )
        return left

    def _drop_abandoned(self, cloud: Cloud) -> None:
        """Remove a cluster or pool whose creation was interrupted: no state file has it, and it would block others."""
        for token in (CLUSTER, NODE_POOL):
            records = cloud["resources"].get(token, {})
            for key in [key for key, record in records.items() if _abandoned(record[MARKS])]:
                del records[key]
                if token == CLUSTER:
                    self._report(f"removing {key.rpartition('/')[2]}, a cluster whose creation was interrupted")
                    lifecycle.stop(self._paths)


def _kind(request: Request) -> Kind:
    kind = KINDS.get(request.type)
    if kind is None:
        raise Refused(f"the rehearsal does not stand in for {request.type}")
    return kind


def _plain(inputs: Properties) -> Properties:
    return without(DEFAULTS, inputs)


def _refuse_api_off(context: ResourceContext) -> None:
    api = context.kind.api
    if api and not platform.enabled(context, api):
        raise refusal(
            f"{api} has not been used in project {context.project} before or it is disabled. Enable it first: "
            "gcp.projects.Service, and dependsOn it",
            code=403,
        )


def _record(context: ResourceContext, kind: Kind, marks: Marks) -> Record:
    """The stored record: defaults, arguments, and values that Google computes."""
    before = context.record or {}
    record: Record = {**context.inputs, **kind.outputs(context), MARKS: marks}
    if kind.link:
        record["selfLink"] = f"https://www.googleapis.com/{kind.link}/{context.id}"
    for key in kind.computed:
        if key in _TIMES:
            record[key] = before.get(key) or now()
        elif key not in record and before.get(key) is not None:
            record[key] = before[key]
    for key in ("labels", "resourceLabels"):
        if key in record:
            record["effectiveLabels"] = record["pulumiLabels"] = dict(record[key])
    return record


def _outputs(record: Record) -> Properties:
    outputs = visible(record)
    for key in ("effectiveLabels", "pulumiLabels"):
        if key in outputs:
            outputs[key] = Secret(outputs[key])
    return outputs


def _abandoned(marks: Marks) -> bool:
    """Whether the process that was creating a resource has ended."""
    maker = marks.get("maker")
    return maker is not None and maker != os.getpid() and not Path(f"/proc/{maker}").exists()
