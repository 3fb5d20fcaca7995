"""Opens a running stack: the one rehearsed on this machine, otherwise the one on GKE."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import AbstractContextManager

from llm_d_gke.operations.choices import Target
from llm_d_gke.operations.live_stack.gke import gke_stack
from llm_d_gke.operations.live_stack.rehearsed import NotRunningError, is_rehearsed, rehearsed_stack
from llm_d_gke.operations.live_stack.stack import LiveStack
from llm_d_gke.stackfile import PROJECT_ROOT, stack_file


def open_stack(
    stack: str, overrides: Mapping[str, str], target: Target | None = None
) -> AbstractContextManager[LiveStack]:
    """The stack on `target`; by default the rehearsed one if it is up here, otherwise the one on GKE.

    Raises LiveStackError, and StackFileError for a name that no stack has.
    """
    if (target or target_of(stack)) == "rehearsal":
        return rehearsed_stack(stack, overrides)
    return gke_stack(stack, overrides)


def target_of(stack: str) -> Target:
    """Where a stack is: rehearsed if it is up on this machine, otherwise on GKE. Raises as `open_stack` does."""
    if is_rehearsed(stack):
        return "rehearsal"
    stack_file(PROJECT_ROOT, stack)
    if shutil.which("pulumi") is None:
        raise NotRunningError(
            stack, "stacks are found by pulumi, which is not installed: https://www.pulumi.com/docs/install"
        )
    return "gke"
