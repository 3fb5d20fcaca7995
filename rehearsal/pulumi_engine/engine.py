"""The real Pulumi engine on the real program, with providers that are served from this process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import runpy
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import yaml
from pulumi import automation as auto
from pulumi.automation import _stack as automation
from pulumi.automation._server import LanguageServer
from pulumi.runtime.proto import language_pb2

from rehearsal.differences import record_difference
from rehearsal.paths import StackPaths
from rehearsal.providers.base import serve
from rehearsal.providers.gcp import GcpProvider
from rehearsal.providers.kubernetes import KubernetesProvider
from rehearsal.toolchain.build import binaries
from stackfile import PROJECT_ROOT, StackConfig

Report = Callable[[str], None]

# Protects stand-in values only; a constant keeps the state readable from one command to the next.
_PASSPHRASE = "rehearsal"  # noqa: S105 - protects stand-in values only


class ProgramServer(LanguageServer):
    """Pulumi's server for programs of this process, as the real language host is.

    Pulumi's own tells an error twice, where the host bails out after one. And when the engine goes away under a
    program, it stops the program's loop, and forgets all tasks behind the first that fails while it is canceled: the
    garbage collector would end them, outside any loop, and complain of what they still await.
    """

    _stopped: asyncio.AbstractEventLoop | None = None

    def _exception_handler(self, loop, context):  # type: ignore[no-untyped-def]
        self._stopped = loop
        super()._exception_handler(loop, context)  # type: ignore[no-untyped-call]

    def Run(self, request, context):  # type: ignore[no-untyped-def]  # noqa: N802 - gRPC's name
        try:
            result = super().Run(request, context)  # type: ignore[no-untyped-call]
        except grpc.RpcError:
            # What stopped the loop, or what came of it: the engine has told its own story.
            return language_pb2.RunResponse(bail=True)
        finally:
            if self._stopped is not None and not self._stopped.is_closed():
                _end(self._stopped)
        return language_pb2.RunResponse(bail=True) if result.error else result


def _end(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel what is left in a loop, wait for it, and close the loop."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    loop.run_until_complete(_settled(tasks))
    loop.close()


async def _settled(tasks: Iterable[asyncio.Task[object]]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)


automation.LanguageServer = ProgramServer  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Engine:
    """One stack of the file backend, ready for preview, up and destroy."""

    stack: auto.Stack
    paths: StackPaths

    def outputs(self) -> dict[str, object]:
        return {name: output.value for name, output in self.stack.outputs().items()}


@contextlib.contextmanager
def engine(paths: StackPaths, configuration: StackConfig, report: Report) -> Iterator[Engine]:
    """An engine attached to both stand-ins. They live as long as the context."""
    executable = binaries(["pulumi"], report)["pulumi"]
    paths.home.mkdir(parents=True, exist_ok=True)
    paths.backend.mkdir(parents=True, exist_ok=True)
    for difference in configuration.notes:
        record_difference(paths, difference)
    with serve(GcpProvider(paths, report)) as cloud, serve(KubernetesProvider(paths, report)) as cluster:
        os.environ["PATH"] = f"{executable.parent}{os.pathsep}{os.environ.get('PATH', '')}"
        environment = {
            "PULUMI_BACKEND_URL": paths.backend.as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": _PASSPHRASE,
            "PULUMI_HOME": str(paths.base / "pulumi"),
            "PULUMI_DEBUG_PROVIDERS": f"gcp:{cloud.port},kubernetes:{cluster.port}",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_AUTOMATION_API_SKIP_VERSION_CHECK": "true",
        }
        yield Engine(_stack(paths, configuration, environment), paths)


def _stack(paths: StackPaths, configuration: StackConfig, environment: dict[str, str]) -> auto.Stack:
    """The stack in a copy of the project's YAML: initializing one writes a salt into its file."""
    prepared = paths.project / "digest"
    digest = configuration.digest()
    fresh = not prepared.exists() or prepared.read_text(encoding="utf-8") != digest
    settings = paths.project / f"Pulumi.{paths.stack}.yaml"
    salt = yaml.safe_load(settings.read_text(encoding="utf-8")).get("encryptionsalt") if settings.exists() else None
    if fresh:
        prepared.unlink(missing_ok=True)
        paths.project.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT_ROOT / "Pulumi.yaml", paths.project)
        document = {"config": dict(configuration.values)} | ({"encryptionsalt": salt} if salt else {})
        settings.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    workspace = auto.LocalWorkspace(
        work_dir=str(paths.project), env_vars=environment, program=run_program, pulumi_home=environment["PULUMI_HOME"]
    )
    stack = auto.Stack.create_or_select(paths.stack, workspace)
    if fresh:
        secrets = {path: auto.ConfigValue(value, secret=True) for path, value in configuration.secrets.items()}
        if secrets:
            stack.set_all_config(secrets, path=True)
        prepared.write_text(digest, encoding="utf-8")
    return stack


def run_program() -> None:
    """The program as the language host would run it: `__main__.py`, from the project's folder."""
    before = Path.cwd()
    os.chdir(PROJECT_ROOT)
    if str(PROJECT_ROOT) not in sys.path:
        sys.path.insert(0, str(PROJECT_ROOT))
    try:
        runpy.run_path(str(PROJECT_ROOT / "__main__.py"), run_name="__main__")
    finally:
        os.chdir(before)
