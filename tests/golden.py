"""Golden previews: everything both stacks ask for, as text under version control.

A change of the program is visible here as a change of resources. Renew the files after an intended one, and read the
difference before committing it:

    python -m tests.golden
"""

from __future__ import annotations

from pathlib import Path

from llm_d_gke.resource_graph.rendering import resources_json
from tests.stacks import STACKS, graph_of

FOLDER = Path(__file__).parent / "golden"


def path_of(stack: str) -> Path:
    return FOLDER / f"{stack}.json"


def rendered(stack: str) -> str:
    """The stack's `resources.json` with the default release and stand-ins for project and token."""
    return resources_json(graph_of(stack))


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for stack in STACKS:
        path_of(stack).write_text(rendered(stack), encoding="utf-8")
        print(path_of(stack))


if __name__ == "__main__":
    main()
