"""URNs of stacks as they are in states that exist. A renamed logical name or token would replace the resource.

The file is renewed only when a resource is added or removed on purpose:

    python -m tests.library.recorded_urns
"""

from __future__ import annotations

from pathlib import Path

from tests.stacks import graph_of

FILE = Path(__file__).with_name("urns.txt")
# Stacks that together have every component.
STACKS = (
    "autoscaled-gpu",
    "disaggregated-gpu",
    "gpu",
    "kserve-istio-single-replica-gpu",
    "kserve-mixture-of-experts-wide-gpu",
    "multi-model-gpu",
    "tpu",
)


def current() -> str:
    """The URNs of the stacks as the program has them now, one a line."""
    return "".join(f"{resource.urn}\n" for stack in STACKS for resource in graph_of(stack))


if __name__ == "__main__":
    FILE.write_text(current(), encoding="utf-8")
