"""The real Pulumi engine running this project's program, with Pulumi's Kubernetes provider and a simulated gcp one."""

from __future__ import annotations

import contextlib
import json
import os
import runpy
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import yaml
from pulumi import automation as auto
from pulumi.automation._stack import StackInitMode
from semver import VersionInfo

from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.nested import plain, value_at
from llm_d_gke.rehearsal.charts import registry
from llm_d_gke.rehearsal.paths import StackPaths, record_difference
from llm_d_gke.rehearsal.providers.base import serve
from llm_d_gke.rehearsal.providers.gcp import GcpProvider
from llm_d_gke.rehearsal.pulumi_engine.interruption import EngineCommand, read_state, state_files
from llm_d_gke.rehearsal.pulumi_engine.kubernetes_plugin import PROXY_VARIABLE, end_orphans, install_plugin
from llm_d_gke.rehearsal.pulumi_engine.one_command import only_command
from llm_d_gke.rehearsal.pulumi_engine.patches import patched_language_server
from llm_d_gke.rehearsal.toolchain.build import binaries
from llm_d_gke.rehearsal.toolchain.targets import cache_of, pinned
from llm_d_gke.stackfile import PROJECT_ROOT, StackConfig, put, segments

Report = Callable[[str], None]

# Protects substituted values only. A constant keeps the state readable from one command to the next.
_PASSPHRASE = "rehearsal"  # noqa: S105 - protects substituted values only

_MODULE: Final = "github.com/pulumi/pulumi/pkg/v3"


@dataclass(frozen=True)
class Engine:
    """One stack of the file backend, ready for preview, up and destroy."""

    stack: auto.Stack
    paths: StackPaths


class StateStack(auto.Stack):
    """A stack whose outputs are read from its state file.

    The Automation API starts the engine three times after an update and once after a destroy: for the outputs with and
    without secrets, and for a summary that nothing here uses. No output of the program is secret.
    """

    def __init__(self, paths: StackPaths, workspace: auto.Workspace) -> None:
        self._paths = paths
        super().__init__(paths.stack, workspace, StackInitMode("select" if state_files(paths) else "create"))

    def outputs(self) -> auto.OutputMap:
        resources = read_state(self._paths).get("resources") or []
        values = next((item.get("outputs") or {} for item in resources if item["type"] == "pulumi:pulumi:Stack"), {})
        return {name: auto.OutputValue(value=value, secret=False) for name, value in values.items()}

    def info(self, _show_secrets: bool | None = None) -> auto.UpdateSummary:
        began = datetime.now(UTC)
        return auto.UpdateSummary(kind="", start_time=began, message="", environment={}, config={}, result="succeeded")


@contextlib.contextmanager
def engine(paths: StackPaths, configuration: StackConfig, report: Report) -> Iterator[Engine]:
    """Yield an engine with both providers. The simulated one and the charts are served until the context ends.

    Raises BusyError where another command works on the stack.
    """
    with only_command(paths), _engine(paths, configuration, report) as pulumi:
        yield pulumi


@contextlib.contextmanager
def _engine(paths: StackPaths, configuration: StackConfig, report: Report) -> Iterator[Engine]:
    executable = binaries(["pulumi"], report)["pulumi"]
    paths.backend.mkdir(parents=True, exist_ok=True)
    paths.temporary.mkdir(exist_ok=True)
    for difference in configuration.notes:
        record_difference(paths, difference)
    end_orphans(paths)
    # Selecting a stack already reads it.
    restore_state(paths.backend, paths.stack)
    install_plugin(paths, executable, report)
    with (
        _own_temporary_files(paths),
        patched_language_server(),
        serve(GcpProvider(paths, report)) as cloud,
        registry.serve(paths, report) as charts,
    ):
        os.environ["PATH"] = f"{executable.parent}{os.pathsep}{os.environ.get('PATH', '')}"
        environment = {
            "PULUMI_BACKEND_URL": paths.backend.as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": _PASSPHRASE,
            "PULUMI_HOME": str(paths.pulumi_home),
            "TMPDIR": str(paths.temporary),
            "PULUMI_DEBUG_PROVIDERS": f"gcp:{cloud}",
            # A provider on PATH would be used instead of the stack's.
            "PULUMI_IGNORE_AMBIENT_PLUGINS": "true",
            PROXY_VARIABLE: charts,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_AUTOMATION_API_SKIP_VERSION_CHECK": "true",
            # Each start of the engine builds tables for a while, and ends before their garbage needs the memory.
            "GOGC": "400",
        }
        if paths.unfinished.exists():
            # An interrupted create can leave an object that the state does not have. The provider refuses to create it
            # again since 4.29.0; before, as in the Go module's snapshot, it applied it, and conflicted with the fields'
            # owner of another name (pulumi-kubernetes, provider/pkg/await/await.go).
            environment |= {"PULUMI_K8S_UPSERT_EXISTING_OBJECTS": "true", "PULUMI_K8S_ENABLE_PATCH_FORCE": "true"}
        yield Engine(_stack(paths, configuration, environment, _version(executable)), paths)


@contextlib.contextmanager
def _own_temporary_files(paths: StackPaths) -> Iterator[None]:
    """Keep this process's temporary files in the stack's folder: the Automation API leaves one when it is killed."""
    before, tempfile.tempdir = tempfile.tempdir, str(paths.temporary)
    try:
        yield
    finally:
        tempfile.tempdir = before


def _version(executable: Path) -> VersionInfo | None:
    """The version of the engine that was built here. None for another one, which is asked: a start of the engine."""
    built = executable.is_relative_to(cache_of("engine"))
    return VersionInfo.parse(pinned("engine", _MODULE).removeprefix("v")) if built else None


class SelectedWorkspace(auto.LocalWorkspace):
    """A workspace whose commands all name their stack, so that none starts the engine to select it."""

    def select_stack(self, stack_name: str) -> None:
        pass


def _stack(
    paths: StackPaths, configuration: StackConfig, environment: dict[str, str], version: VersionInfo | None
) -> auto.Stack:
    """The stack in a copy of the project's YAML: initializing one writes a salt into its file.

    Secrets that stay the same stay encrypted as they are, with the same salt.
    """
    prepared = paths.project / "digest"
    digests = [configuration.digest(), sha256(json.dumps(configuration.secrets, sort_keys=True).encode()).hexdigest()]
    before = prepared.read_text(encoding="utf-8").split() if prepared.exists() else []
    fresh, same_secrets = before != digests, before[1:] == digests[1:]
    settings = paths.project / f"Pulumi.{paths.stack}.yaml"
    if fresh:
        written = read_yaml(settings) if settings.exists() else {}
        prepared.unlink(missing_ok=True)
        paths.project.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT_ROOT / "Pulumi.yaml", paths.project)
        document: dict[str, Any] = {"config": plain(configuration.values)}
        if salt := written.get("encryptionsalt"):
            document["encryptionsalt"] = salt
        for path in configuration.secrets if same_secrets else ():
            put(document["config"], path, value_at(written["config"], *segments(path)))
        settings.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    workspace = SelectedWorkspace(
        work_dir=str(paths.project),
        env_vars=environment,
        program=run_program,
        pulumi_home=environment["PULUMI_HOME"],
        pulumi_command=EngineCommand(version),
    )
    stack = StateStack(paths, workspace)
    if fresh:
        secrets = {path: auto.ConfigValue(value, secret=True) for path, value in configuration.secrets.items()}
        if secrets and not same_secrets:
            stack.set_all_config(secrets, path=True)
        prepared.write_text("\n".join(digests), encoding="utf-8")
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


def restore_state(backend: Path, stack: str) -> None:
    """Make the state of a stack readable again after a kill in the middle of a write.

    Its checkpoint is replaced by the one before, which Pulumi keeps beside it. Resources created in between are in no
    recorded state, as after any kill.

    Attributes of a file are written in place beside it (`setAttrs` of gocloud.dev/blob/fileblob), and a file whose
    attributes are cut short cannot be read ("failed to load checkpoint: EOF"). Without any it can.
    """
    for attributes in backend.rglob("*.attrs"):
        if not _is_json(attributes):
            attributes.unlink(missing_ok=True)
    checkpoint = backend / ".pulumi" / "stacks" / "llm-d" / f"{stack}.json"
    before = checkpoint.with_name(f"{checkpoint.name}.bak")
    if checkpoint.exists() and not _is_json(checkpoint) and before.exists() and _is_json(before):
        shutil.copy2(before, checkpoint)


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return False
    return True
