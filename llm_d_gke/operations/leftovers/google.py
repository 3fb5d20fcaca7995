"""Lists and deletes through Google's REST APIs, with the credentials of this machine (google-auth)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from llm_d_gke.operations.google_cloud import TIMEOUT, Response, Session, SwitchedOffError, UnansweredError, answer_of
from llm_d_gke.operations.leftovers.bindings import Policy, lines, without_grant
from llm_d_gke.operations.leftovers.kinds import KINDS, Kind
from llm_d_gke.operations.leftovers.match import Resource

_PATIENCE = 600


def list_all(
    project: str,
    session: Session,
    progress: Callable[[str], None] = lambda _: None,
    *,
    region: str = "-",
    policies: Iterable[Policy] = (),
) -> tuple[list[Resource], dict[str, str]]:
    """Every resource of the kinds and every role in the policies, and the reason for each that could not be listed.

    An API that is switched off has no resources, and counts as queried.
    """
    resources: list[Resource] = []
    unanswered: dict[str, str] = {}
    for kind in KINDS:
        progress(kind.title)
        try:
            resources += _list(project, region, kind, session)
        except UnansweredError as reason:
            unanswered[kind.title] = str(reason)
    for policy in policies:
        progress(policy.title)
        try:
            resources += _roles(policy, session)
        except UnansweredError as reason:
            unanswered[policy.title] = str(reason)
    return resources, unanswered


def delete(resource: Resource, session: Session) -> None:
    """Delete one resource and wait until it no longer exists. Raises UnansweredError with Google's reason."""
    if resource.policy is not None:
        _revoke(resource, resource.policy, session)
        return
    url = _url(resource)
    _check(session.request("DELETE", url, timeout=TIMEOUT))
    end = time.monotonic() + _PATIENCE
    while session.request("GET", url, timeout=TIMEOUT).status_code != 404:
        if time.monotonic() > end:
            raise UnansweredError(f"it is still there after {_PATIENCE} s")
        time.sleep(1)


def command(resource: Resource, project: str) -> str:
    """The gcloud command that removes a resource."""
    name, body = resource.name, resource.body
    if resource.policy is not None:
        return f"{resource.policy.gcloud} --role={body['role']} --member='{body['member']}'"
    where = ""
    if "zone" in body:
        where = f" --zone={resource.location}"
    elif "region" in body:
        where = f" --region={resource.location}"
    elif resource.kind.api in ("container", "certificatemanager", "networkservices"):
        where = f" --location={resource.location}"
    elif resource.kind.scope == "aggregated":
        where = " --global"
    name = str(body["email"]) if "email" in body else name
    return f"gcloud {resource.kind.gcloud} delete {name}{where} --project={project}"


def _roles(policy: Policy, session: Session) -> Iterator[Resource]:
    for role, member in lines(_read(policy, session)):
        yield Resource(
            kind=policy.kind,
            name=f"{role} of {member}",
            location="",
            body={"role": role, "member": member, "selfLink": f"{policy.read}#{role}#{member}"},
            policy=policy,
        )


def _read(policy: Policy, session: Session) -> Mapping[str, Any]:
    if policy.rest:
        return _check(session.request("GET", policy.read, timeout=TIMEOUT))
    return _check(session.request("POST", policy.read, json={}, timeout=TIMEOUT))


def _revoke(resource: Resource, policy: Policy, session: Session) -> None:
    changed = without_grant(_read(policy, session), resource.body["role"], resource.body["member"])
    if policy.rest:
        _check(session.request("PUT", policy.write, json=changed, timeout=TIMEOUT))
    else:
        _check(session.request("POST", policy.write, json={"policy": changed}, timeout=TIMEOUT))


def _list(project: str, region: str, kind: Kind, session: Session) -> Iterator[Resource]:
    url = f"https://{kind.host}{kind.path.format(project=project, region=region)}"
    token: str | None = None
    while True:
        params = {"pageToken": token} if token else {}
        answer = _check(session.request("GET", url, params=params, timeout=TIMEOUT))
        yield from _resources(kind, project, answer)
        token = answer.get("nextPageToken")
        if not token:
            return


def _resources(kind: Kind, project: str, answer: Mapping[str, Any]) -> Iterator[Resource]:
    if kind.scope == "aggregated":
        for scope, part in (answer.get("items") or {}).items():
            lists = [value for value in part.values() if isinstance(value, list)]
            for body in (item for items in lists for item in items if isinstance(item, Mapping)):
                yield _resource(kind, project, body, "" if scope == "global" else scope.rpartition("/")[2])
    else:
        for body in answer.get(kind.items) or ():
            yield _resource(kind, project, body, "")


def _resource(kind: Kind, project: str, body: Mapping[str, Any], location: str) -> Resource:
    path = str(body.get("name", ""))
    parts = path.split("/")
    if "locations" in parts:
        location = parts[parts.index("locations") + 1]
    location = location or str(body.get("location", ""))
    name = str(body["email"]).partition("@")[0] if "email" in body else parts[-1]
    return Resource(kind=kind, name=name, location=location, body=body, project=project)


def _url(resource: Resource) -> str:
    link = str(resource.body.get("selfLink", ""))
    if link.startswith("https://"):
        return link.replace("https://www.googleapis.com/compute/", "https://compute.googleapis.com/compute/")
    version, _, _ = resource.kind.path.partition("/projects/")
    path = str(resource.body["name"])
    if "/" not in path:
        # Cloud DNS names a zone without its project.
        collection = resource.kind.path.format(project=resource.project, region=resource.location)
        return f"https://{resource.kind.host}{collection}/{path}"
    return f"https://{resource.kind.host}{version}/{path}"


def _check(response: Response) -> Mapping[str, Any]:
    try:
        return answer_of(response)
    except SwitchedOffError:
        return {}
