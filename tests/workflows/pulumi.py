"""`pulumi` of the walked workflows: Pulumi's own CLI with the words of the step, on the rehearsal's providers.

The program is that of the checkout in the current folder. `login` and `stack select` do nothing: the rehearsal has a
backend of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent import futures
from pathlib import Path

import grpc
from pulumi.runtime.proto import language_pb2_grpc

from llm_d_gke.rehearsal.commands import resume_interrupted
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.pulumi_engine.changes import save_settings
from llm_d_gke.rehearsal.pulumi_engine.configuration import load
from llm_d_gke.rehearsal.pulumi_engine.engine import engine, run_program
from llm_d_gke.rehearsal.pulumi_engine.engine_simulation import write_engine_simulation
from llm_d_gke.rehearsal.pulumi_engine.patches import ProgramServer
from llm_d_gke.rehearsal.toolchain.build import binaries
from llm_d_gke.stackfile import PROJECT_ROOT

_OPERATIONS = ("preview", "up", "refresh", "destroy", "cancel", "export", "import")
_RUNS_PROGRAM = ("preview", "up")
_FILES = ("--plan", "--save-plan")


def _report(text: str) -> None:
    """Lines of the rehearsal. Standard output is Pulumi's, and may be JSON."""
    print(text, file=sys.stderr)


def main(words: list[str]) -> int:
    operation = next((word for word in words if word in _OPERATIONS), None)
    if operation is None:
        print(f"replaced: pulumi {' '.join(words)}")
        return 0
    stack = words[words.index("--stack") + 1]
    for flag in _FILES:
        if flag in words:
            # The engine works in a folder of its own.
            words[words.index(flag) + 1] = str(Path(words[words.index(flag) + 1]).absolute())
    paths = StackPaths(stack)
    configuration = load(PROJECT_ROOT, stack)
    with engine(paths, configuration, _report) as pulumi:
        if operation in _RUNS_PROGRAM:
            resume_interrupted(pulumi)
        write_engine_simulation(paths, configuration)
        server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
        language_pb2_grpc.add_LanguageRuntimeServicer_to_server(ProgramServer(run_program), server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        client = [f"--client=127.0.0.1:{port}", "--exec-kind", "auto.inline"] if operation in _RUNS_PROGRAM else []
        workspace = pulumi.stack.workspace
        command = [str(binaries(["pulumi"], _report)["pulumi"]), *words, *client]
        environment = {**os.environ, **workspace.env_vars}
        done = subprocess.run(command, cwd=workspace.work_dir, env=environment, check=False)
        server.stop(0)
        if operation == "up" and done.returncode == 0:
            save_settings(paths, configuration)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
