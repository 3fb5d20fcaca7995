"""Implements the command `destroy`: Pulumi's destroy, what a killed update lost, and what only Google Cloud knows."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console
from rich.prompt import Confirm

from llm_d_gke.cli.exits import FAILED, NO_CREDENTIALS, RefusedInputError
from llm_d_gke.fleet_exit import (
    DESPITE_MEMBERS,
    Pool,
    exported_pools,
    holds_gateway,
    leave_fleet,
    refusal,
    unprotect,
)
from llm_d_gke.kserve_presets import free_presets, preset_namespaces
from llm_d_gke.kube import Kube, KubeError
from llm_d_gke.operations.google_cloud import (
    TIMEOUT,
    NoCredentialsError,
    Session,
    SwitchedOffError,
    UnansweredError,
    answer_of,
    open_session,
)
from llm_d_gke.operations.leftovers.command import identify, report_leftovers
from llm_d_gke.operations.leftovers.match import Identity, planned_name
from llm_d_gke.operations.live_stack.gke import gke_stack
from llm_d_gke.operations.live_stack.rehearsed import is_rehearsed
from llm_d_gke.operations.live_stack.stack import LiveStackError
from llm_d_gke.operations.pulumi_cli import PulumiError, run_pulumi
from llm_d_gke.pending_creates import adopt_pending_creates
from llm_d_gke.planning import RefusedError
from llm_d_gke.planning.context import STACK_LABEL
from llm_d_gke.planning.names import slug
from llm_d_gke.stackfile import PROJECT_ROOT, stack_file
from llm_d_gke.wording import wrapped

# Google's load balancers follow a change within minutes.
_QUIET_SECONDS, _PATIENCE = 120.0, 900.0


class Pulumi(Protocol):
    """Runs Pulumi for the stack. Raises PulumiError."""

    def __call__(self, arguments: Sequence[str], *, output: bool = False) -> str: ...


def destroy(
    stack: str,
    changes: Mapping[str, str],
    project: str | None,
    *,
    yes: bool,
    unlock: bool,
    despite_members: bool = False,
) -> int:
    """Destroy a stack with the credentials of this machine. Return the exit status.

    `despite_members`: also the config cluster of a fleet whose members are up.
    """
    console = Console()
    note = (
        f"{stack} is rehearsed on this machine, and this destroys what is on GKE: make down STACK={stack} ends it here"
    )
    if is_rehearsed(stack):
        console.print(wrapped(note), markup=False, highlight=False, soft_wrap=True)
    try:
        session, own_project = open_session()
    except NoCredentialsError as reason:
        stack_file(PROJECT_ROOT, stack)
        console.print(str(reason))
        return NO_CREDENTIALS
    identity = identify(stack, changes, project, own_project)

    def pulumi(arguments: Sequence[str], *, output: bool = False) -> str:
        return run_pulumi(stack, arguments, output=output)

    deployment = _state(pulumi).get("deployment") or {}
    if holds_gateway(deployment) and not despite_members:
        _refuse_members(identity, session)
    pools, presets = exported_pools(deployment), preset_namespaces(deployment)
    question = f"Take {stack} out of its fleet, and destroy it?"
    if pools and not (yes or Confirm.ask(question, console=console, default=False)):
        return FAILED
    if pools or presets:
        _prepare(stack, changes, pools, presets, console)
    if pools:
        unprotect(_Recorded(pulumi))
    return destroy_all(identity, pulumi, session, console, yes=yes, unlock=unlock)


def _refuse_members(identity: Identity, session: Session) -> None:
    """Raise RefusedInputError where other stacks are in the fleet whose Gateway this one would take away."""
    url = f"https://gkehub.googleapis.com/v1/projects/{identity.project}/locations/global/memberships"
    try:
        memberships = answer_of(session.request("GET", url, timeout=TIMEOUT)).get("resources") or ()
    except SwitchedOffError:
        return
    except UnansweredError as reason:
        raise RefusedInputError(
            f"{identity.stack} holds the Gateway of its fleet, and the fleet's memberships could not be listed"
            f" ({reason}). ARGS={DESPITE_MEMBERS} destroys it all the same"
        ) from None
    stacks = {str((membership.get("labels") or {}).get(STACK_LABEL, "")) for membership in memberships}
    if members := sorted(stacks - {"", slug(identity.stack)}):
        raise RefusedInputError(refusal(identity.stack, members, "make destroy"))


def _prepare(
    stack: str, changes: Mapping[str, str], pools: Sequence[Pool], presets: Sequence[str], console: Console
) -> None:
    """Lead the cluster out of its fleet, and free KServe's presets. One that is not reached is destroyed all the same.

    `presets` are the namespaces that hold some.
    """

    def report(line: str) -> None:
        console.print(line, markup=False)

    try:
        with gke_stack(stack, changes) as live:
            assert isinstance(live.cluster, Kube)
            if pools:
                leave_fleet(live.cluster, pools, live.pods.address, report, quiet=_QUIET_SECONDS, patience=_PATIENCE)
            free_presets(live.cluster, presets)
    except (LiveStackError, RefusedError, KubeError) as reason:
        effect = "could not leave its fleet, so requests are lost" if pools else "was not looked at"
        report(f"the cluster {effect}: {reason}")


def destroy_all(
    identity: Identity, pulumi: Pulumi, session: Session, console: Console, *, yes: bool, unlock: bool
) -> int:
    """Destroy, remove what is certainly the stack's and in no state, and destroy again what that held."""
    if unlock:
        # Pulumi's own service refuses it where no update runs.
        with suppress(PulumiError):
            pulumi(["cancel", "--yes"])
    adopt_pending_creates(_Recorded(pulumi), lambda line: console.print(line, markup=False))
    destroyed = _destroy(pulumi, yes=yes)
    status = report_leftovers(identity, session, console, remove=True, yes=yes, recorded=_recorded(pulumi))
    if destroyed:
        return status
    if not _destroy(pulumi, yes=yes):
        return FAILED
    return report_leftovers(identity, session, console, remove=False, yes=yes)


def _destroy(pulumi: Pulumi, *, yes: bool) -> bool:
    try:
        pulumi(["destroy", *(["--yes", "--non-interactive"] if yes else [])], output=True)
    except PulumiError:
        return False
    return True


@dataclass(frozen=True)
class _Recorded:
    """The state of the stack, for `pending_creates` and `fleet_exit`."""

    pulumi: Pulumi

    def export(self) -> dict[str, Any]:
        return _state(self.pulumi)

    def restore(self, state: Mapping[str, Any]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "state.json"
            file.touch(mode=0o600)
            file.write_text(json.dumps(state), encoding="utf-8")
            self.pulumi(["stack", "import", "--file", str(file)])

    def refresh(self, urns: Sequence[str]) -> None:
        targets = [word for urn in urns for word in ("--target", urn)]
        with suppress(PulumiError):
            self.pulumi(["refresh", "--yes", "--skip-preview", *targets])


def _state(pulumi: Pulumi) -> dict[str, Any]:
    state: dict[str, Any] = json.loads(pulumi(["stack", "export"]))
    return state


def _recorded(pulumi: Pulumi) -> frozenset[tuple[str, str]]:
    """Type and name of the resources that the state still has: those are Pulumi's to delete."""
    resources = (_state(pulumi).get("deployment") or {}).get("resources") or ()
    return frozenset((str(r["type"]), str(planned_name(r.get("inputs") or {}))) for r in resources)
