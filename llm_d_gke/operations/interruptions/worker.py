"""One engine operation, `prepare`, `up` or `destroy`: arguments are its name, stack, folder, and PATH=VALUE.

Unlike `make down`, a failed destroy is not followed by the removal of all processes and files: what it leaves is what
the test is about. `prepare` creates the cluster and network that the stack file names as existing, and nothing else.
"""

from __future__ import annotations

import sys
from pathlib import Path

from llm_d_gke.planning import plan_raw
from llm_d_gke.rehearsal.commands import resume_interrupted, show
from llm_d_gke.rehearsal.engine_choice import EngineChoice
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.providers.gcp.existing import create_existing
from llm_d_gke.rehearsal.pulumi_engine.configuration import load
from llm_d_gke.rehearsal.pulumi_engine.engine import engine
from llm_d_gke.rehearsal.pulumi_engine.engine_simulation import write_engine_simulation
from llm_d_gke.rehearsal.pulumi_engine.needed_programs import needed_programs
from llm_d_gke.rehearsal.toolchain.build import binaries
from llm_d_gke.stackfile import PROJECT_ROOT
from llm_d_gke.stackfile.model_files import model_files

# Printed when the engine starts its operation.
BEGUN = "the engine begins"


def main(operation: str, stack: str, root: Path, changes: list[str]) -> None:
    paths = StackPaths(stack, root)
    configuration = load(PROJECT_ROOT, stack, dict(change.split("=", 1) for change in changes))
    values = configuration.settings()
    plan = plan_raw(stack, values, configuration.encrypted(), files=model_files(values))
    binaries(needed_programs(plan, EngineChoice.SIMULATOR), show)
    with engine(paths, configuration, show) as pulumi:
        resume_interrupted(pulumi, destroying=operation == "destroy")
        create_existing(paths, plan.project, plan.network, plan.cluster, show)
        write_engine_simulation(paths, configuration)
        show(BEGUN)
        if operation == "prepare":
            return
        if operation == "up":
            pulumi.stack.up(on_output=show, on_error=show, color="never", suppress_outputs=True)
        else:
            pulumi.stack.destroy(on_output=show, on_error=show, color="never")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4:])
