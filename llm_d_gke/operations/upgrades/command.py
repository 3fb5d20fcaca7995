"""Implements the commands `upgrade`, `rollback` and `deletions`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from llm_d_gke import catalog
from llm_d_gke.cli.exits import DONE, FAILED, REFUSED
from llm_d_gke.operations.choices import Target
from llm_d_gke.operations.live_stack.find import open_stack, target_of
from llm_d_gke.operations.live_stack.rehearsed import NotRunningError, is_rehearsed
from llm_d_gke.operations.report.terminal import WITHOUT_VERDICT
from llm_d_gke.operations.upgrades.run import Updater, UpgradeError, refusal, run_steps, way_back
from llm_d_gke.operations.upgrades.running import finished_steps
from llm_d_gke.operations.upgrades.show import plan_text
from llm_d_gke.planning import StackPlan, plan_config
from llm_d_gke.planning.deletions import refuse_losses, steps_of_preview
from llm_d_gke.planning.findings import Severity, labeled
from llm_d_gke.planning.suggest import nearest
from llm_d_gke.planning.upgrades.planner import plan_upgrade
from llm_d_gke.planning.upgrades.step import UpgradePlan
from llm_d_gke.settings import StackSettings
from llm_d_gke.stackfile import NAMESPACE, PROJECT_ROOT, stack_file
from llm_d_gke.stackfile.assumptions import load_assumed
from llm_d_gke.wording import wrapped

_RELEASE = f"{NAMESPACE}:release"


@dataclass(frozen=True, kw_only=True)
class Run:
    """Where the steps run, None: where the stack is up, and the step after which they go on."""

    target: Target | None
    only_plan: bool = False
    after: str | None = None


def upgrade(stack: str, to: str, changes: Mapping[str, str], run: Run, *, unverified: bool = False) -> int:
    """Print the steps to another release, and run them where the stack runs. Return the exit status.

    A stack that does not serve is not changed, unless `unverified` or `after` say that an upgrade is under way.
    """
    _check_release(to, stack)
    if _RELEASE in changes:
        raise UpgradeError(
            f"-c {_RELEASE}={changes[_RELEASE]} has no effect: the upgrade leads to {to}, from the release that runs"
            " or that the stack file has"
        )
    target = run.target or ("rehearsal" if is_rehearsed(stack) else None)
    # On GKE the stack file states it.
    begin = (_updater(stack, target).applied_release() if target is not None else None) or release_of(stack)
    plan = planned(stack, begin, to, changes)
    serving = None if unverified or run.after is not None else {_RELEASE: begin}
    return _show_and_run(plan, stack, {**changes, _RELEASE: to}, replace(run, target=target), serving)


def rollback(stack: str, changes: Mapping[str, str], run: Run) -> int:
    """Go back to the release before the last upgrade, also where that stopped in the middle. Return the exit status.

    A second time goes on where the first one stopped, and changes nothing where it ended.
    """
    target = run.target or target_of(stack)
    releases = _updater(stack, target).last_upgrade(release_of(stack))
    if releases is None:
        raise UpgradeError(
            f"no upgrade of stack {stack} is recorded: name the release, make upgrade STACK={stack} TO=..."
        )
    before, current = releases
    # The stack file gets the release at the very end. On GKE only the steps' previews tell how far they came.
    if _updater(stack, target).applied_release() == release_of(stack) == before:
        print(wrapped(f"{stack} is back on {before} already: nothing was changed. make verify STACK={stack} checks it"))
        return DONE
    plan = replace(planned(stack, current, before, changes), back=True)
    return _show_and_run(plan, stack, {**changes, _RELEASE: before}, replace(run, target=target))


def _show_and_run(
    plan: UpgradePlan, stack: str, settings: Mapping[str, str], run: Run, serving: Mapping[str, str] | None = None
) -> int:
    """Print a plan, and run it where the stack runs. `settings` are those of the release after it.

    With `serving` the stack has to serve before, with these settings.
    """
    finished: frozenset[str] = frozenset()
    target = run.target
    if target is not None:
        with open_stack(stack, settings, target) as live:
            finished = finished_steps(plan, live.plan, live.cluster)
    print(plan_text(plan, running=finished), flush=True)
    if any(finding.severity is Severity.ERROR for finding in plan.findings):
        return REFUSED
    if run.only_plan:
        return DONE
    if target is None:
        print()
        raise NotRunningError(stack, "--on gke runs these steps, --plan only prints them")
    if serving is not None and plan.steps and not finished:
        problems = _updater(stack, target).verify(serving, whole=False)
        if problems:
            print("\n".join(["", *map(wrapped, refusal(plan, problems))]))
            return FAILED
    return _run_steps(plan, stack, settings, target, run.after, finished)


def planned(stack: str, before: str, to: str, changes: Mapping[str, str]) -> UpgradePlan:
    """The upgrade plan of a stack between two releases. Raises RefusedError if the stack cannot use one of them.

    `changes` hold for the stack after the upgrade only: a GKE version, a larger pool.
    """
    releases = catalog.load().releases
    return plan_upgrade(
        _plan(stack, {_RELEASE: before}, "that runs"),
        _plan(stack, {**changes, _RELEASE: to}, "TO"),
        releases[before],
        releases[to],
    )


def release_of(stack: str) -> str:
    """The release in the stack file, or the default of the settings."""
    return StackSettings.model_validate(load_assumed(stack).settings()).release


def _plan(stack: str, changes: Mapping[str, str], given_by: str) -> StackPlan:
    """A plan with another release. `given_by` says in a finding whose release it is."""
    return plan_config(stack, replace(load_assumed(stack, changes), options={_RELEASE: given_by}))


def _check_release(name: str, stack: str) -> None:
    releases = catalog.load().releases
    if name not in releases:
        current = release_of(stack)
        close = nearest(name, [other for other in releases if other != current])
        hint = f"did you mean {close}?" if close else f"the catalog has {', '.join(releases)}"
        raise UpgradeError(f"no release is named {name}: {hint}")


def _run_steps(
    plan: UpgradePlan,
    stack: str,
    settings: Mapping[str, str],
    target: Target,
    after: str | None,
    finished: frozenset[str],
) -> int:
    names = [step.name for step in plan.steps]
    if after is not None and after not in names:
        raise UpgradeError(f"no step is named {after}; the steps are {', '.join(names)}")
    running = _updater(stack, target)
    running.record(plan)
    os.environ[WITHOUT_VERDICT] = "1"
    print()
    with running.alone():
        ended = run_steps(
            plan, running, settings, say=lambda text: print(text, flush=True), after=after, finished=finished
        )
    if ended.stopped is not None:
        # Commands are indented and stay on one line, to be copied.
        lines = [line if line.startswith("  ") else wrapped(line) for line in way_back(plan, ended)]
        print("\n".join(["", *lines]))
        return FAILED
    file = stack_file(PROJECT_ROOT, stack)
    write_release(file, plan.after)
    print(f"\n{stack} runs {plan.after}, and {file.name} says so")
    return DONE


def _updater(stack: str, target: Target) -> Updater:
    # Either brings its SDK or its client along.
    if target == "rehearsal":
        from llm_d_gke.operations.upgrades.rehearsed import Rehearsed

        return Rehearsed(stack)
    from llm_d_gke.operations.upgrades.gke import OnGke

    return OnGke(stack)


def write_release(file: Path, release: str) -> None:
    """Set `llm-d:release` in a stack file. Comments and order stay. Raises UpgradeError where there is no `config:`."""
    text = file.read_text(encoding="utf-8")
    changed = "".join(_lines(text.splitlines(keepends=True), release))
    if (yaml.safe_load(changed).get("config") or {}).get(_RELEASE) != release:
        raise UpgradeError(
            f"{file.name} is not written in block style: set {_RELEASE}: {release} under config yourself"
        )
    if changed != text:
        file.write_text(changed, encoding="utf-8")


def _lines(lines: list[str], release: str) -> list[str]:
    for number, line in enumerate(lines):
        start = line.lstrip()
        if start.startswith(f"{_RELEASE}:"):
            comment = f"  #{line.partition('#')[2].rstrip()}" if "#" in line else ""
            return [
                *lines[:number],
                f"{line[: len(line) - len(start)]}{_RELEASE}: {release}{comment}\n",
                *lines[number + 1 :],
            ]
    for number, line in enumerate(lines):
        if line.rstrip() == "config:":
            return [*lines[: number + 1], f"  {_RELEASE}: {release}\n", *lines[number + 1 :]]
    return lines


def judge_preview(stack: str, file: Path, changes: Mapping[str, str]) -> int:
    """Judge the output of `pulumi preview --json`. Raises RefusedError for a deletion that loses data."""
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
        # A warning may stand before the document.
        begin = 0 if text.startswith("{") else text.find("\n{") + 1
        document = json.loads(text[begin:])
        steps = steps_of_preview(document)
    except (ValueError, AttributeError, TypeError, KeyError):
        raise UpgradeError(f"{file} is not the output of `pulumi preview --json`") from None
    settings = StackSettings.model_validate(load_assumed(stack, changes).settings())
    findings = refuse_losses(steps, catalog.load(), settings)
    for finding in findings:
        print(wrapped(labeled(finding)))
    if not any(finding.acknowledged for finding in findings):
        print(f"{len(steps)} steps: no kind, no volume claim and no data is deleted")
    return DONE
