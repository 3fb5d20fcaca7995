"""Commands that look at a rehearsed stack. They do without the SDK of Pulumi, whose import takes half a second."""

from __future__ import annotations

import sys

from llm_d_gke.rehearsal.cluster_client import client
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.terminal.pod_logs import print_logs
from llm_d_gke.rehearsal.terminal.status import host_note, print_status, reachable
from llm_d_gke.stackfile import PROJECT_ROOT, stack_file


def status(stack: str, *, differences: bool = False) -> int:
    check_name(stack)
    print_status(StackPaths(stack), differences=differences)
    return 0


def logs(stack: str, pod: str | None, *, follow: bool, tail: int | None = None) -> int:
    print_logs(StackPaths(stack), pod, follow=follow, tail=tail)
    return 0


def endpoint(stack: str) -> int:
    check_name(stack)
    paths = StackPaths(stack)
    print(reachable(paths))
    with client(paths) as kube:
        if note := host_note(kube):
            print(note, file=sys.stderr)
    return 0


def check_name(stack: str) -> None:
    """Raise StackFileError for a name that neither a stack file nor a rehearsed stack has."""
    if not StackPaths(stack).home.exists():
        stack_file(PROJECT_ROOT, stack)
