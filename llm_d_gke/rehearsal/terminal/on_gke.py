"""What a command for a rehearsed stack says where the stack is not up: the commands that do the same on GKE."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from llm_d_gke.planning import RefusedError, StackPlan, plan_config
from llm_d_gke.planning.findings import Severity
from llm_d_gke.rehearsal.errors import NotUpError, not_up
from llm_d_gke.stackfile.assumptions import load_assumed, project_note, shown_project


def not_up_here(stack: str, commands: Callable[[StackPlan], Iterable[str]]) -> NotUpError:
    """The error, with `commands` for the cluster on GKE, which only a stack file that is not refused can name."""
    try:
        plan = plan_config(stack, load_assumed(stack))
    except RefusedError as refused:
        errors = [finding.id for finding in refused.findings if finding.severity is Severity.ERROR]
        return NotUpError(
            f"stack {stack} is not up on this machine, and its stack file is refused as it is"
            f" ({', '.join(dict.fromkeys(errors))}): make report STACK={stack} says what to correct before make up"
        )
    lines = [f"  {command}" for command in (plan.get_credentials, *commands(plan))]
    note = project_note(plan.project)
    return NotUpError(shown_project("\n".join([not_up(stack), "On GKE:", *lines, *([note] if note else [])])))
