"""Implements the command `destroy`: Pulumi's destroy, what a killed update lost, and what only Google Cloud knows."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console
from rich.prompt import Confirm

from llm_d_gke.cli.exits import FAILED, NO_CREDENTIALS
from llm_d_gke.fleet_exit import Pool, exported_pools, leave_fleet
from llm_d_gke.kube import Kube
from llm_d_gke.operations.google_cloud import NoCredentialsError, Session, open_session
from llm_d_gke.operations.leftovers.command import identify, report_leftovers
from llm_d_gke.operations.leftovers.match import Identity, planned_name
from llm_d_gke.operations.live_stack.gke import gke_stack
from llm_d_gke.operations.live_stack.stack import LiveStackError
from llm_d_gke.operations.pulumi_cli import PulumiError, run_pulumi
from llm_d_gke.pending_creates import adopt_pending
from llm_d_gke.planning import RefusedError

# Google's load balancers follow a change within minutes.
_QUIET_SECONDS, _PATIENCE = 120.0, 900.0


class Pulumi(Protocol):
    """Runs Pulumi for the stack. Raises PulumiError."""

    def __call__(self, arguments: Sequence[str], *, output: bool = False) -> str: ...


def destroy(stack: str, changes: Mapping[str, str], project: str | None, *, yes: bool, unlock: bool) -> int:
    """Destroy a stack with the credentials of this machine. Return the exit status."""
    console = Console()
    try:
        session, own_project = open_session()
    except NoCredentialsError as reason:
        console.print(str(reason))
        return NO_CREDENTIALS
    identity = identify(stack, changes, project, own_project)

    def pulumi(arguments: Sequence[str], *, output: bool = False) -> str:
        return run_pulumi(stack, arguments, output=output)

    if pools := exported_pools(_state(pulumi).get("deployment") or {}):
        if not (yes or Confirm.ask(f"Take {stack} out of its fleet, and destroy it?", console=console, default=False)):
            return FAILED
        _leave_fleet(stack, changes, pools, console)
    return destroy_all(identity, pulumi, session, console, yes=yes, unlock=unlock)


def _leave_fleet(stack: str, changes: Mapping[str, str], pools: Sequence[Pool], console: Console) -> None:
    """Lead the cluster out of its fleet. One that is not reached is destroyed all the same."""

    def report(line: str) -> None:
        console.print(line, markup=False)

    try:
        with gke_stack(stack, changes) as live:
            assert isinstance(live.cluster, Kube)
            leave_fleet(live.cluster, pools, live.pods.address, report, quiet=_QUIET_SECONDS, patience=_PATIENCE)
    except (LiveStackError, RefusedError) as reason:
        report(f"the cluster could not leave its fleet, so requests are lost: {reason}")


def destroy_all(
    identity: Identity, pulumi: Pulumi, session: Session, console: Console, *, yes: bool, unlock: bool
) -> int:
    """Destroy, remove what is certainly the stack's and in no state, and destroy again what that held."""
    if unlock:
        # Pulumi's own service refuses it where no update runs.
        with suppress(PulumiError):
            pulumi(["cancel", "--yes"])
    _adopt(pulumi, console)
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


def _adopt(pulumi: Pulumi, console: Console) -> None:
    """Record the resources whose creation a killed update began."""
    exported = _state(pulumi)
    if not (exported.get("deployment") or {}).get("pending_operations"):
        return
    deployment, adopted = adopt_pending(exported["deployment"])
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "state.json"
        file.write_text(json.dumps({**exported, "deployment": deployment}), encoding="utf-8")
        file.chmod(0o600)
        pulumi(["stack", "import", "--file", str(file)])
    if adopted:
        console.print("of a killed update, to be deleted with the others:", *adopted, sep="\n  ", markup=False)
        targets = [word for urn in adopted for word in ("--target", urn)]
        # What cannot be read is deleted by what its arguments say.
        with suppress(PulumiError):
            pulumi(["refresh", "--yes", "--skip-preview", *targets])


def _state(pulumi: Pulumi) -> dict[str, Any]:
    state: dict[str, Any] = json.loads(pulumi(["stack", "export"]))
    return state


def _recorded(pulumi: Pulumi) -> frozenset[tuple[str, str]]:
    """Type and name of the resources that the state still has: those are Pulumi's to delete."""
    resources = (_state(pulumi).get("deployment") or {}).get("resources") or ()
    return frozenset((str(r["type"]), str(planned_name(r.get("inputs") or {}))) for r in resources)
