"""A screen shows each step of a resource once, and everything else as the engine prints it."""

from __future__ import annotations

import pytest

from llm_d_gke.rehearsal.terminal.progress import each_step_once

CREATING = " +  kubernetes:apps/v1:Deployment gemma-2b-it-vllm creating"
WAITING = "Waiting for app ReplicaSet to be available (0/1 Pods available)"


def printed(*lines: str) -> list[str]:
    printed_lines: list[str] = []
    printer = each_step_once(printed_lines.append)
    for line in lines:
        printer(line)
    return printed_lines


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([f"{CREATING} (0s)", f"{CREATING} (0s)"], [0]),
        ([f"{CREATING} (1s) {WAITING}", f"{CREATING} (8s) {WAITING}"], [0]),
        ([f"{CREATING} (0s)", f"{CREATING} (0s) {WAITING}", f"{CREATING[:-3]}ed (9s)"], [0, 1, 2]),
        ([f"{CREATING} (1s) (0/2 Pods available)", f"{CREATING} (2s) (1/2 Pods available)"], [0, 1]),
        ([f"\x1b[32m{CREATING}\x1b[0m (0s)", f"{CREATING} (3s)"], [0]),
        ([" -  gcp:compute/network:Network network deleting (0s)"] * 2, [0]),
        (["@ updating....", "@ updating....", "", ""], [0, 1, 2, 3]),
        (["    error: timed out", "    error: timed out"], [0, 1]),
        (["    pulumi:pulumi:Stack llm-d-gpu  warning: LLMD-TLS-NONE  llm-d:gateway.tls.kind = none", ""], [1]),
        (["    pulumi:pulumi:Stack llm-d-gpu running gpu: single-replica, 1 model", ""], [1]),
        (["    pulumi:pulumi:Stack llm-d-gpu  error: Program failed"], [0]),
        (["", "If you want to remove the stack completely, run `pulumi stack rm gpu`."], [0]),
        (["  ~ replicas: 1 => 2", "  ~ replicas: 1 => 2"], [0, 1]),
    ],
)  # fmt: skip
def test_repeated_steps_are_left_out(lines: list[str], expected: list[int]) -> None:
    assert printed(*lines) == [lines[index] for index in expected]


def test_the_line_of_the_stack_has_no_part_of_a_message() -> None:
    creating = " +  pulumi:pulumi:Stack llm-d-gpu creating (0s)"
    assert printed(f"{creating} gpu: single-replica, 1 model", f"{creating} warning: LLMD-TLS-NONE") == [creating]
    create = " +  pulumi:pulumi:Stack llm-d-gpu create"
    assert printed(f"{create} gpu: single-replica, 1 model", f"{create} 1 warning; 2 messages") == [create]


def test_without_steps_the_rest_is_printed() -> None:
    lines: list[str] = []
    printer = each_step_once(lines.append, steps=False)
    for line in (
        "Previewing update (gpu):",
        " ~  kubernetes:apps/v1:Deployment one update [diff: ~spec]",
        "Resources:",
    ):
        printer(line)
    assert lines == ["Previewing update (gpu):", "Resources:"]
