"""Records resources whose creation was under way when an engine was killed, so that a destroy deletes them.

Pulumi writes a creation into the state before it begins, without an id. The id follows from the arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from llm_d_gke.google_types import ACCOUNT, account_address, google_types
from llm_d_gke.wording import count

State = Mapping[str, Any]


class Engine(Protocol):
    """Pulumi with the state of a stack, by its command line or by the Automation API. Raises an error of its own."""

    def export(self) -> dict[str, Any]:
        """The state, as `pulumi stack export` prints it."""
        ...

    def restore(self, state: State) -> None:
        """Replace the state, as `pulumi stack import`."""
        ...

    def refresh(self, urns: Sequence[str]) -> None:
        """Read these resources. What cannot be read stays as it is recorded."""
        ...


_HELM_RELEASE = "kubernetes:helm.sh/v3:Release"
_PARENTS = ("cluster", "router", "secretId", "bucket")


def adopt_pending_creates(engine: Engine, report: Callable[[str], None]) -> None:
    """Record the resources whose creation a killed command began, so that a destroy deletes them. Only before one."""
    exported = engine.export()
    if not (exported.get("deployment") or {}).get("pending_operations"):
        return
    deployment, adopted = adopt_pending(exported["deployment"])
    engine.restore({**exported, "deployment": deployment})
    if adopted:
        report(f"{count(len(adopted), 'resource')} of a killed command: recorded, to be deleted with the others")
        for urn in adopted:
            report(f"  {urn}")
        engine.refresh(adopted)


def adopt_pending(deployment: State) -> tuple[dict[str, Any], list[str]]:
    """The state (`deployment` of `pulumi stack export`) without pending operations, and the URNs that it now has.

    An adopted resource has its arguments as outputs: refresh it. One whose id Google chooses stays unrecorded.
    """
    resources = list(deployment.get("resources") or ())
    by_urn = {resource["urn"]: resource for resource in resources}
    adopted: list[dict[str, Any]] = []
    for operation in deployment.get("pending_operations") or ():
        begun = operation["resource"]
        if operation["type"] != "creating":
            continue
        identifier = _identifier(begun, by_urn)
        recorded = by_urn.get(begun["urn"])
        if identifier is None or (recorded is not None and recorded.get("id") == identifier):
            continue
        # Of a replacement the state has the old resource: then the new one is one to delete.
        beside = {} if recorded is None else {"delete": True}
        adopted.append({**begun, "id": identifier, "outputs": begun.get("inputs") or {}, **beside})
    state = {key: value for key, value in deployment.items() if key != "pending_operations"}
    state["resources"] = [*resources, *adopted]
    return state, [resource["urn"] for resource in adopted]


def _identifier(resource: State, by_urn: Mapping[str, State]) -> str | None:
    """The id that the provider gives. None where the arguments do not tell it."""
    inputs: dict[str, Any] = dict(resource.get("inputs") or {})
    token = str(resource["type"])
    if token == _HELM_RELEASE:
        return _path(inputs.get("namespace"), inputs.get("name"))
    if token.startswith("kubernetes:"):
        about = inputs.get("metadata") or {}
        return _path(about.get("namespace"), about.get("name"))
    provider = by_urn.get(str(resource.get("provider") or "").rpartition("::")[0]) or {}
    return _google_id(token, {**(provider.get("inputs") or {}), **inputs})


def _google_id(token: str, inputs: Mapping[str, Any]) -> str | None:
    google_type = google_types().get(token)
    if google_type is None or google_type.id is None:
        return None
    parts = {key: value for key, value in inputs.items() if isinstance(value, str)}
    parts |= {key: parts[key].rpartition("/")[2] for key in _PARENTS if key in parts}
    try:
        if token == ACCOUNT:
            parts["email"] = account_address(parts["accountId"], parts["project"])
        return google_type.id.format_map(parts)
    except KeyError:
        return None


def _path(namespace: object, name: object) -> str | None:
    if not isinstance(name, str):
        return None
    return f"{namespace}/{name}" if isinstance(namespace, str) else name
