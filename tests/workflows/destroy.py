"""`destroy` of the walked workflow: the command's own steps, in the rehearsal's Google Cloud."""

from __future__ import annotations

import functools
import sys

from rich.console import Console

from llm_d_gke.operations.leftovers.command import identify
from llm_d_gke.operations.pulumi_cli import run_pulumi
from llm_d_gke.operations.teardown.command import destroy_all
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.providers.gcp.store import CloudStore
from llm_d_gke.rehearsal.pulumi_engine.configuration import PROJECT
from tests.google_api import GoogleApi

if __name__ == "__main__":
    stack = sys.argv[4]
    session = GoogleApi(CloudStore(StackPaths(stack).cloud))
    identity, pulumi = identify(stack, {}, PROJECT), functools.partial(run_pulumi, stack)
    sys.exit(destroy_all(identity, pulumi, session, Console(), yes=True, unlock="--unlock" in sys.argv))
