"""Runs the available components of one release. A process of its own imports this module, which it cannot do with
`__main__` of a package.
"""

from __future__ import annotations

import functools
from contextlib import ExitStack
from pathlib import Path

from llm_d_gke import catalog
from llm_d_gke.cli.text import print_step
from llm_d_gke.maintenance.conformance import record
from llm_d_gke.maintenance.conformance.api_server import api_server
from llm_d_gke.maintenance.conformance.rendered import plans_of


def runs_of(name: str, folder: Path | None) -> list[record.Run]:
    """Run the components of a release and return their results. `folder` holds the engines, None for none.

    One API server serves all of them. It starts when the first one needs it.
    """
    release = catalog.load().releases[name]
    with ExitStack() as opened:
        server = functools.cache(lambda: opened.enter_context(api_server(print_step)))
        return [*record.run(release, plans_of(name), server, folder, print_step)]
