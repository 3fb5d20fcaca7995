"""`leftovers` of the walked workflow: the command's own search, in the rehearsal's Google Cloud."""

from __future__ import annotations

import sys

from rich.console import Console

from llm_d_gke.operations.leftovers.command import identify, report_leftovers
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.providers.gcp.store import CloudStore
from llm_d_gke.rehearsal.pulumi_engine.configuration import PROJECT
from tests.google_api import GoogleApi

if __name__ == "__main__":
    stack = sys.argv[1]
    session = GoogleApi(CloudStore(StackPaths(stack).cloud))
    sys.exit(report_leftovers(identify(stack, {}, PROJECT), session, Console(), remove=False, yes=False))
