"""Runs the steps of an upgrade by the resources that each reaches, with a verification after each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from llm_d_gke.cli.exits import CommandError, RefusedInputError
from llm_d_gke.kserve_presets import free_presets
from llm_d_gke.kube import Kube, KubeError
from llm_d_gke.operations.live_stack.stack import LiveStack
from llm_d_gke.operations.verify.result import Outcome
from llm_d_gke.operations.verify.run import verify
from llm_d_gke.planning.upgrades.step import Step, UpgradePlan
from llm_d_gke.resource_graph import Graph, Recorded
from llm_d_gke.waiting import happens_within


class UpgradeError(RefusedInputError):
    """The command names something that does not exist. The message holds the reason and the correction."""


class StepError(CommandError):
    """A step failed. The message is the engine's or the check's own."""


_PAUSED = "llm-d:paused"
_RELEASE = "llm-d:release"


class Updater(Protocol):
    """Updates a stack where it runs, by the operations that an upgrade needs."""

    def alone(self) -> AbstractContextManager[None]:
        """Hold the stack against other commands, also between two steps."""
        ...

    def update(self, settings: Mapping[str, str], step: Step) -> None:
        """Bring the resources of a step to their new state, or with the last step all. Raises StepError."""
        ...

    def free_presets(self, settings: Mapping[str, str], step: Step) -> None:
        """Take KServe's finalizer off the presets in the namespaces that a step frees. Raises StepError."""
        ...

    def verify(self, settings: Mapping[str, str], *, whole: bool) -> Sequence[str]:
        """Problems of the running stack, one sentence each. `whole` also compares every object with the plan."""
        ...

    def applied_release(self) -> str | None:
        """The release that runs, None where the stack file states it."""
        ...

    def record(self, plan: UpgradePlan) -> None:
        """Remember where an upgrade began, for the way back. A rollback is none: repeated, it goes the same way."""
        ...

    def last_upgrade(self, current: str) -> tuple[str, str] | None:
        """The releases before and after the last upgrade. None where there was none."""
        ...


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How far an upgrade came: the names of finished steps, and the step that stopped it with the reason.

    `unmet`: the step itself ended, and the stack did not serve after it.
    """

    done: tuple[str, ...]
    stopped: Step | None = None
    reason: str = ""
    unmet: bool = False


def run_steps(
    plan: UpgradePlan,
    updater: Updater,
    settings: Mapping[str, str],
    *,
    say: Callable[[str], None],
    after: str | None = None,
    finished: Set[str] = frozenset(),
) -> Ended:
    """Run the steps in order. Stops at the first that fails, and before one that is done by hand.

    `settings` are those of the new release. `after` names the last step that is done already. Steps that
    are `finished` run again, but none that would bring the release before back once it or a later one is finished.
    """
    names = [step.name for step in plan.steps]
    begin = names.index(after) + 1 if after is not None else 0
    done = names[:begin]
    for number, step in enumerate(plan.steps[begin:], begin + 1):
        say(f"step {number} of {len(names)}: {step.title}")
        if _RELEASE in step.settings and not finished.isdisjoint(names[number - 1 :]):
            done.append(step.name)
            continue
        if step.by_hand is not None:
            return Ended(done=tuple(done), stopped=step, reason=f"by hand: {step.by_hand}")
        try:
            act = updater.free_presets if step.frees else updater.update
            act({**settings, **step.settings}, step)
        except StepError as error:
            return Ended(done=tuple(done), stopped=step, reason=str(error))
        # While a stack is stopped for the next step, nothing can answer.
        if step.settings.get(_PAUSED) != "true":
            failures = updater.verify(settings, whole=step is plan.steps[-1])
            if failures:
                return Ended(done=tuple(done), stopped=step, reason="\n".join(failures), unmet=True)
        done.append(step.name)
    return Ended(done=tuple(done))


def refusal(plan: UpgradePlan, problems: Sequence[str]) -> list[str]:
    """Lines about a stack that does not serve before its upgrade, whose own faults would stop the first step."""
    return [
        f"nothing was changed: {plan.stack} does not serve with {plan.before}, so no step could be verified",
        *problems,
        f"first: make diagnose STACK={plan.stack}; after a step that failed, go on with ARGS=--unverified",
    ]


def way_back(plan: UpgradePlan, ended: Ended) -> list[str]:
    """Lines that say how to go on or back after an upgrade stopped."""
    stopped = ended.stopped
    if stopped is None:
        return []
    if stopped.by_hand is not None:
        return [
            f"step {stopped.name} is done by hand: run",
            f"  {stopped.by_hand}",
            f"then go on: make upgrade STACK={plan.stack} TO={plan.after} ARGS='--after {stopped.name}'",
        ]
    steps = {step.name: step for step in plan.steps}
    lines = [*f"stopped in step {stopped.name}: {ended.reason}".splitlines(), ""]
    rollback = f"make rollback STACK={plan.stack}"
    upgrade = f"make upgrade STACK={plan.stack} TO={plan.before if plan.back else plan.after}"
    if ended.unmet:
        upgrade += " ARGS=--unverified"
    lines += ["try again, finished steps change nothing:", f"  {rollback if plan.back else upgrade}"]
    lines.append(f"go back:   {upgrade if plan.back else rollback}")
    lines += [f"  {name}: {steps[name].back}" for name in (stopped.name, *reversed(ended.done))]
    return lines


# Between the steps some objects are still those of the release before: only what clients and load balancer see counts.
BETWEEN = frozenset(
    ("gateway", "routes", "pools", "kserve", "replicas", "address", "models", "chat", "completion", "stream", "health")
)


def failures(live: LiveStack, *, patience: float, whole: bool) -> list[str]:
    """A sentence for each check that fails for `patience` seconds: a controller may still be replacing pods.

    `whole`: all checks, also that every object is as planned.
    """
    sentences: list[str] = []

    def passes() -> bool:
        sentences[:] = _failures(live, patience=patience, whole=whole)
        return not sentences

    happens_within(patience, passes, pause=1)
    return sentences


def _failures(live: LiveStack, *, patience: float, whole: bool) -> list[str]:
    result = verify(
        live, patience=patience, requests=60, headers={}, report=lambda _: None, only=None if whole else BETWEEN
    )
    return [
        f"{check.id}: {check.result.evidence} (next: {check.result.next_command})"
        for check in result.checks
        if check.outcome is Outcome.FAILED
    ]


def free(live: LiveStack, step: Step) -> None:
    """Take KServe's finalizer off the presets in the namespaces that a step frees. Raises StepError."""
    assert isinstance(live.cluster, Kube)
    try:
        for preset in free_presets(live.cluster, step.frees):
            print(f"{preset}: without KServe's finalizer")
    except KubeError as error:
        raise StepError(str(error)) from error


def targets_of(step: Step, graph: Graph, existing: Set[str]) -> list[str]:
    """URNs that a targeted update of the step needs: its components with all children, and what these need.

    A dependency is needed where it does not exist: a targeted update creates nothing else. `graph`
    is that of the stack after the upgrade.
    """
    parts = {(part.type, part.name) for part in step.parts}
    roots = [resource for resource in graph if (resource.type, resource.name) in parts]
    own = {resource.urn for root in roots for resource in (root, *graph.descendants(root))}
    missing = {urn for resource in own for urn in graph.dependencies_of(resource) if urn not in existing}
    return sorted(urn for urn in own | missing if not _is_stack(graph.find(urn)))


def needs_order(graph: Graph, state: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a targeted update has to run one operation at a time. `state`: the resources as the engine keeps them.

    Where several resources depend on one that the program no longer registers, the engine writes them all at once, and
    may end with a state that it refuses to save (pulumi/pulumi v3.259.0, pkg/resource/deploy/step_generator.go).
    """
    registered = {resource.urn for resource in graph}
    removed = {str(resource["urn"]) for resource in state} - registered
    return any(not removed.isdisjoint(_depends_on(resource)) for resource in state if resource["urn"] in registered)


def _depends_on(resource: Mapping[str, Any]) -> Iterator[str]:
    """URNs that must stand before a resource in the engine's state."""
    yield from resource.get("dependencies") or ()
    for urns in (resource.get("propertyDependencies") or {}).values():
        yield from urns or ()
    yield from (str(resource[key]) for key in ("parent", "deletedWith") if resource.get(key))
    yield str(resource.get("provider") or "").rpartition("::")[0]


def _is_stack(resource: Recorded | None) -> bool:
    return resource is not None and resource.type == "pulumi:pulumi:Stack"
