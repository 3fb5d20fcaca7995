"""Runs the available components of one release. A process of its own imports this module, which it cannot do with
`__main__` of a package.
"""

from __future__ import annotations

from pathlib import Path

from llm_d_gke import catalog
from llm_d_gke.cli.text import print_step
from llm_d_gke.maintenance.conformance import record
from llm_d_gke.maintenance.conformance.api_server import api_server
from llm_d_gke.maintenance.conformance.rendered import plans_of


def runs_of(name: str, folder: Path | None) -> list[record.Run]:
    """Run the components of a release and return their results. `folder` holds the engines, None for none."""
    release = catalog.load().releases[name]
    return [*record.run(release, plans_of(name), lambda: api_server(print_step), folder, print_step)]
