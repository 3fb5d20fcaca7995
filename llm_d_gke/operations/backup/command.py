"""Implements the command `backup-check`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import zip_longest

from rich.console import Console

from llm_d_gke.cli.exits import DONE, FAILED, NO_CREDENTIALS, REFUSED
from llm_d_gke.operations.backup.contents import certificate_items, left_behind, pin_items, secret_items, weight_items
from llm_d_gke.operations.backup.state import Item, State, backend_url, file_item, key_item, state_item
from llm_d_gke.operations.google_cloud import NoCredentialsError, Session, open_session
from llm_d_gke.operations.report.formatting import money
from llm_d_gke.planning import RefusedError, StackPlan, plan_config
from llm_d_gke.planning.findings import report
from llm_d_gke.settings import StackSettings
from llm_d_gke.stackfile import NAMESPACE, PROJECT_ROOT, StackConfig, load, stack_file
from llm_d_gke.stackfile.assumptions import assume_unset
from llm_d_gke.stackfile.document import parse
from llm_d_gke.wording import WIDTH, wrapped

# Of the column with the states.
_WIDTH = max(len(state.value) for state in State) + 2


def check_backup(stack: str, changes: Mapping[str, str], location: str | None) -> int:
    """Print what has to be kept, and with a location what changes there. Return the exit status."""
    console = Console()
    config = load(PROJECT_ROOT, stack, changes)
    plan, settings = _planned(stack, config)
    session = _session(console)
    items = list(inventory(stack, config, settings, backend_url(), session))
    _print(items, console)
    status = _status(items)
    if location is None:
        return status
    setting = f"{NAMESPACE}:location"
    moved = replace(load(PROJECT_ROOT, stack, {**changes, setting: location}), options={setting: "--location"})
    console.print(f"\nIn {location} instead of {plan.location}:")
    return max(status, _restore(moved, plan, settings, session, console))


def inventory(
    stack: str, config: StackConfig, settings: StackSettings, backend: str | None, session: Session | None
) -> Iterator[Item]:
    """Everything that has to be kept, in the order in which a restore needs it."""
    document = parse(stack_file(PROJECT_ROOT, stack))
    yield file_item(PROJECT_ROOT, stack)
    yield state_item(backend, session)
    yield key_item(stack, document, backend, session)
    yield from secret_items(settings, config.secrets, session)
    yield from certificate_items(settings)
    yield from weight_items(settings, session)
    yield from pin_items(settings)


def _session(console: Console) -> Session | None:
    try:
        return open_session()[0]
    except NoCredentialsError as reason:
        console.print(wrapped(f"{reason} So what is on Google Cloud is only listed."), soft_wrap=True)
        return None


def _planned(stack: str, config: StackConfig) -> tuple[StackPlan, StackSettings]:
    """Plan and settings. Raises RefusedError."""
    assumed = assume_unset(config)
    return plan_config(stack, assumed), StackSettings.model_validate(assumed.settings())


def _print(items: list[Item], console: Console) -> None:
    for item in items:
        place = f"{item.place}; " if item.place else ""
        lines = wrapped(f"{item.what}: {place}{item.evidence}", WIDTH - _WIDTH).splitlines()
        for state, line in zip_longest([item.state.value], lines, fillvalue=""):
            console.print(f"{state:<{_WIDTH}}{line}", markup=False, highlight=False, soft_wrap=True)
        # A command stays on one line, to be copied.
        for line in wrapped(item.action or "", WIDTH - _WIDTH).splitlines():
            console.print(f"{'':<{_WIDTH}}{line}", markup=False, highlight=False, soft_wrap=True)
    counts = {state: sum(item.state is state for item in items) for state in State}
    console.print("\n" + ", ".join(f"{number} {state.value}" for state, number in counts.items()), highlight=False)


def _status(items: list[Item]) -> int:
    states = {item.state for item in items}
    return FAILED if State.MISSING in states else NO_CREDENTIALS if State.ELSEWHERE in states else DONE


def _restore(
    moved: StackConfig, before: StackPlan, settings: StackSettings, session: Session | None, console: Console
) -> int:
    """Plan the stack in another location, and print what that refuses, costs and leaves behind."""
    try:
        after, _ = _planned(before.stack, moved)
    except RefusedError as refused:
        console.print(wrapped(report(refused.findings)), markup=False, highlight=False)
        return REFUSED
    for line in left_behind(settings, after.location, session):
        console.print(wrapped(f"- {line}"), markup=False, highlight=False, soft_wrap=True)
    costs = [money(plan.cost.total("running")) for plan in (before, after)]
    console.print(f"- running costs {costs[1]} an hour there, {costs[0]} here", highlight=False)
    rehearsal = f"make preview STACK={after.stack} ARGS='-c {NAMESPACE}:location={after.location}'"
    # A shell would take a broken command for two.
    console.print(f"- rehearse it:\n  {rehearsal}", highlight=False, soft_wrap=True)
    return DONE
