"""Opens a running stack: the one rehearsed on this machine, otherwise the one on GKE."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import AbstractContextManager

from llm_d_gke.operations.live_stack.gke import gke_stack
from llm_d_gke.operations.live_stack.rehearsed import is_rehearsed, rehearsed_stack
from llm_d_gke.operations.live_stack.stack import LiveStack, LiveStackError, Place
from llm_d_gke.stackfile import PROJECT_ROOT, stack_file


def open_stack(
    stack: str, overrides: Mapping[str, str], place: Place | None = None
) -> AbstractContextManager[LiveStack]:
    """The stack at `place`; by default the rehearsed one if it is up here, otherwise the one on GKE.

    Raises LiveStackError, and StackFileError for a name that no stack has.
    """
    if not is_rehearsed(stack):
        stack_file(PROJECT_ROOT, stack)
    if place == "rehearsal" or (place is None and is_rehearsed(stack)):
        return rehearsed_stack(stack, overrides)
    if place is None and shutil.which("pulumi") is None:
        raise LiveStackError(
            f"stack {stack} is not up on this machine: make up STACK={stack}. Stacks on GKE are found by pulumi, which"
            " is not installed: https://www.pulumi.com/docs/install"
        )
    return gke_stack(stack, overrides)
