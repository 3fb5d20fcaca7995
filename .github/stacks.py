"""Prints the stacks of a checkout as a step's output, for the matrix of the jobs that follow.

Stack files in the project's folder are stacks; those of examples/ are not deployed.
environments/order.txt names the order of environments; stacks that it does not name come first. Needs Python's standard
library only.
"""

import json
from pathlib import Path

ORDER = Path("environments", "order.txt")


def stacks() -> list[str]:
    order = ORDER.read_text(encoding="utf-8").split() if ORDER.exists() else []
    names = [file.name.removeprefix("Pulumi.").removesuffix(".yaml") for file in Path().glob("Pulumi.*.yaml")]
    return sorted(names, key=lambda name: (order.index(name) if name in order else -1, name))


print(f"stacks={json.dumps(stacks())}")
