"""Implements the command `leftovers`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn
from rich.prompt import Confirm

from llm_d_gke import catalog
from llm_d_gke.cli.exits import DONE, FAILED, NO_CREDENTIALS
from llm_d_gke.operations.google_cloud import NoCredentialsError, Session, UnansweredError, open_session
from llm_d_gke.operations.leftovers.bindings import project_policy
from llm_d_gke.operations.leftovers.google import command, delete, list_all
from llm_d_gke.operations.leftovers.kinds import KINDS, Kind
from llm_d_gke.operations.leftovers.match import Identity, Leftover, identity_of, leftovers
from llm_d_gke.planning.context import STACK_LABEL
from llm_d_gke.planning.names import slug
from llm_d_gke.resource_graph.stack_program import record_stack
from llm_d_gke.stackfile import NAMESPACE
from llm_d_gke.stackfile.assumptions import ASSUMED_PROJECT, load_assumed, project_note, shown_project
from llm_d_gke.wording import wrapped

_HOURS = 730

# Kinds that cost something which the catalog does not know.
_PRICED_BY_USE = frozenset(
    {"instance", "instance group", "unmanaged instance group", "snapshot", "security policy", "secret", "DNS zone"}
    | {"alert", "managed certificate", "certificate map"}
)
# The price of a disk is that of this type; others cost more or less.
_PRICED_DISK = "pd-balanced"


def look_for_leftovers(stack: str, changes: Mapping[str, str], project: str | None, *, remove: bool, yes: bool) -> int:
    """Ask Google Cloud with the credentials of this machine. Return the exit status."""
    console = Console()
    try:
        session, own_project = open_session()
    except NoCredentialsError as reason:
        identity = identify(stack, changes, project)
        console.print(wrapped(f"{reason} So nothing was asked. With them, this would be:"), highlight=False)
        console.print(wrapped(questions(identity)), highlight=False)
        return NO_CREDENTIALS
    identity = identify(stack, changes, project, own_project)
    return report_leftovers(identity, session, console, remove=remove, yes=yes)


def questions(identity: Identity) -> str:
    """What would be listed, and what marks a resource as the stack's."""
    where = f"project {shown_project(identity.project)}"
    marks = [f"the label {STACK_LABEL}={slug(identity.stack)}", "the names that the stack gives"]
    marks += [f"the cluster {identity.cluster}"] if identity.cluster else []
    marks += [f"the network {identity.network}"] if identity.network else []
    policies = {grant.policy for grant in identity.grants} | {project_policy(identity.project)}
    lists = [*(kind.title for kind in KINDS), *sorted(policy.title for policy in policies)]
    note = project_note(identity.project)
    return "\n".join(
        [
            f"  {len(lists)} lists of {where}: {', '.join(lists)}",
            f"  each searched for {', '.join(marks)}",
            *([note] if note else []),
        ]
    )


def identify(stack: str, changes: Mapping[str, str], project: str | None, fallback: str | None = None) -> Identity:
    """The names of a stack file's resources. Raises RefusedError where the stack cannot be planned."""
    chosen = {f"{NAMESPACE}:project": project} if project else {}
    config = load_assumed(stack, {**changes, **chosen})
    declared = str(config.settings()["project"])
    used = fallback if declared == ASSUMED_PROJECT and fallback else declared
    return identity_of(stack, used, record_stack(stack, config))


def report_leftovers(
    identity: Identity,
    session: Session,
    console: Console,
    *,
    remove: bool,
    yes: bool,
    recorded: frozenset[tuple[str, str]] = frozenset(),
) -> int:
    """List the remaining resources, and remove them if `remove` is set. Return the exit status.

    `recorded` are type and name of what Pulumi's state holds, which stays.
    """
    policies = {grant.policy for grant in identity.grants} | {project_policy(identity.project)}
    with Progress(SpinnerColumn(), TextColumn("listing {task.description}"), console=console, transient=True) as bar:
        task = bar.add_task("")
        resources, unanswered = list_all(
            identity.project,
            session,
            lambda title: bar.update(task, description=title),
            region=identity.region or "-",
            policies=policies,
        )
    remaining = leftovers(resources, identity)
    lists = len(KINDS) + len(policies)
    _print(identity, remaining, unanswered, (lists, len(resources)), console)
    if remaining and remove:
        if any(leftover.resource.kind.title == "cluster" for leftover in remaining):
            console.print(
                "The cluster is there: the stack is not destroyed. Run `pulumi destroy` first; nothing removed."
            )
            return FAILED
        certain = [item for item in remaining if item.is_certain and _name_in_state(item) not in recorded]
        failed = _remove(certain, session, console, yes=yes)
        return FAILED if failed or unanswered or any(not leftover.is_certain for leftover in remaining) else DONE
    return FAILED if remaining or unanswered else DONE


def _print(
    identity: Identity,
    remaining: Sequence[Leftover],
    unanswered: Mapping[str, str],
    numbers: tuple[int, int],
    console: Console,
) -> None:
    lists, seen = numbers
    for title, reason in unanswered.items():
        console.print(f"could not list: {title} ({reason})", markup=False, highlight=False)
    if not remaining:
        console.print(
            f"Nothing of stack {identity.stack} is left in project {identity.project}: "
            f"{lists - len(unanswered)} of {lists} lists answered, {seen} resources and roles seen. "
            "Logs and metrics were not looked at.",
            highlight=False,
        )
        return
    for leftover in remaining:
        resource = leftover.resource
        month = monthly(resource.kind, resource.body)
        price = "price not known" if month is None else f"${month:,.2f} a month"
        doubt = "" if leftover.is_certain else " (by its name only: look before you remove it)"
        console.print(
            f"{resource.kind.title} {resource.name}, {resource.location or 'global'}, {price}: "
            f"{leftover.reason}{doubt}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
        console.print(f"  {command(resource, identity.project)}", markup=False, highlight=False, soft_wrap=True)
    monthly_costs = [
        month
        for leftover in remaining
        if (month := monthly(leftover.resource.kind, leftover.resource.body)) is not None
    ]
    console.print(f"{len(remaining)} left, at least ${sum(monthly_costs):,.2f} a month.", highlight=False)


def _name_in_state(leftover: Leftover) -> tuple[str | None, str]:
    return leftover.resource.kind.graph, leftover.resource.name


def monthly(kind: Kind, body: Mapping[str, Any]) -> float | None:
    """Dollars a month by the catalog's list prices. None where it has none; 0 for what Google does not charge for."""
    if kind.title in _PRICED_BY_USE:
        return None
    if kind.price is None:
        return 0.0
    if kind.price == _PRICED_DISK and not str(body.get("type", _PRICED_DISK)).endswith(_PRICED_DISK):
        return None
    price = catalog.load().prices.items[kind.price]
    if price.usd is None:
        return None
    return price.usd * (float(body.get("sizeGb", 0)) if price.unit == "gib-month" else _HOURS)


def _remove(remaining: Sequence[Leftover], session: Session, console: Console, *, yes: bool) -> bool:
    """Remove one after the other. True if one could not be removed."""
    if not remaining or not (yes or Confirm.ask(f"Remove these {len(remaining)}?", console=console, default=False)):
        console.print("Nothing removed.")
        return bool(remaining)
    failed = False
    for leftover in remaining:
        label = f"{leftover.resource.kind.title} {leftover.resource.name}"
        try:
            delete(leftover.resource, session)
            console.print(f"removed {label}", markup=False, highlight=False)
        except UnansweredError as reason:
            failed = True
            console.print(f"could not remove {label}: {reason}", markup=False, highlight=False)
    return failed
