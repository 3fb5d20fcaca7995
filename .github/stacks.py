"""Prints the stacks of a checkout as a step's output, for the matrix of the jobs that follow.

Stack files in the project's folder are stacks; those of examples/ are not deployed.
environments/order.txt names the order of environments, one in a line; stacks that it does not name come first, and
`!name` says that a stack is not deployed. A name without a stack file is an error: a renamed stack would come first.
Needs Python's standard library only.
"""

import json
import sys
from pathlib import Path

ORDER = Path("environments", "order.txt")


def stacks() -> list[str]:
    order = ORDER.read_text(encoding="utf-8").split() if ORDER.exists() else []
    names = [file.name.removeprefix("Pulumi.").removesuffix(".yaml") for file in Path().glob("Pulumi.*.yaml")]
    missing = [line for line in order if line.removeprefix("!") not in names]
    if missing:
        sys.exit(
            f"{ORDER} names {', '.join(missing)}, and the project's folder has no such stack file. A stack under"
            " another name would come first in the order: write its name there, or remove the line of a stack that was"
            " destroyed"
        )
    deployed = [name for name in names if f"!{name}" not in order]
    return sorted(deployed, key=lambda name: (order.index(name) if name in order else -1, name))


print(f"stacks={json.dumps(stacks())}")
