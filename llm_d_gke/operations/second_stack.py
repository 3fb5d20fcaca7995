"""What a second stack adds to the time of a program: `python -m llm_d_gke.operations.second_stack`.

The program plans its stacks and registers their resources with the recorder of resource graphs, so that only the
program's own processor time is measured: neither the engine's nor that of the imports, which the first round pays.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

from llm_d_gke.components.stack import InferenceStack
from llm_d_gke.resource_graph import record
from llm_d_gke.stackfile import PROJECT_ROOT, load

ROUNDS = 7
STACK = "multi-model-gpu"


def program(settings: Mapping[str, Any], stacks: int) -> Callable[[], None]:
    """A program with several stacks of the same settings."""

    def run() -> None:
        for number in range(stacks):
            InferenceStack(f"stack-{number}", settings)

    return run


def seconds(settings: Mapping[str, Any], stacks: int) -> float:
    """Processor seconds of one run, without garbage collection, as in the project's own program."""
    gc.collect()
    gc.disable()
    began = time.process_time()
    record(program(settings, stacks), stack="dev")
    duration = time.process_time() - began
    gc.enable()
    return duration


def main() -> None:
    own = {"project": "my-project", "huggingFace": {"existingSecret": "hugging-face"}}
    settings = {**load(PROJECT_ROOT, STACK).settings(), **own}
    for stacks in (1, 2):
        seconds(settings, stacks)
    rounds = [(seconds(settings, 1), seconds(settings, 2)) for _ in range(ROUNDS)]
    first = statistics.median(alone for alone, _ in rounds)
    added = statistics.median(both - alone for alone, both in rounds)
    print("| stack | first stack, median | second one adds | ratio, median | runs |")
    print("|---|---|---|---|---|")
    ratio = statistics.median((both - alone) / alone for alone, both in rounds)
    print(f"| {STACK} | {first:.2f} s | {added:.2f} s | {ratio:.2f} | {ROUNDS} |")


if __name__ == "__main__":
    main()
