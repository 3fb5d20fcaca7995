"""Runs a Pulumi program in this process, without CLI and cloud, and records its resource graph."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import runpy
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from inspect import isawaitable
from pathlib import Path
from typing import TypeAlias

from pulumi.runtime import Settings, configure, reset_options, run_in_stack, set_all_config

from llm_d_gke.pulumi_speed import prepare_sdk
from llm_d_gke.resource_graph.answers import Answer, plausible
from llm_d_gke.resource_graph.model import STACK_TYPE, Graph
from llm_d_gke.resource_graph.monitor import RecordingEngine, RecordingMonitor, Run, make_urn
from llm_d_gke.resource_graph.values import Secret
from llm_d_gke.stackfile import PROJECT_ROOT

Program: TypeAlias = Callable[[], object] | Path
"""A function that makes resources, or a program's folder (with `__main__.py`) or file, run as the CLI would run it."""

# The language host gives its calls four threads for each parallel operation; a recording answers at once.
THREADS = 8


def record(
    program: Program,
    *,
    project: str = "llm-d",
    stack: str,
    config: Mapping[str, str | Secret] | None = None,
    preview: bool = True,
    answer: Answer | None = None,
) -> Graph:
    """Run a program and return everything it registered.

    `config` holds full keys (`llm-d:project`, `gcp:region`) and values as the engine hands them over: strings, objects
    as JSON, encrypted ones as `Secret`. A preview leaves ids and computed outputs unknown, so code inside `apply()` on
    them does not run; with `preview=False` it runs, with outputs from `answer` (by default `plausible`) laid over the
    echoed inputs. What a program reads (`.get()`) is answered in both.

    Raises what the program raises, and `EngineRefusalError` where the engine would have failed it: a duplicate URN, an
    invoke, a default provider that configuration forbids. Not for use inside a running event loop. Earlier settings of
    the SDK in this context (`set_mocks`) are reset before and after; modules the program imported stay imported.
    """
    secret_keys = [key for key, value in (config or {}).items() if isinstance(value, Secret)]
    texts = {key: value.value if isinstance(value, Secret) else value for key, value in (config or {}).items()}
    run = Run(project=project, stack=stack, preview=preview, config=texts)
    monitor = RecordingMonitor(run, answer or plausible, _root(program))
    engine = RecordingEngine()
    try:
        _run(program, monitor, engine, secret_keys)
    except Exception as error:
        if monitor.refusal is not None and error is not monitor.refusal:
            raise monitor.refusal from error
        raise
    stack_urn = make_urn(stack, project, "", STACK_TYPE, f"{project}-{stack}")
    return Graph(
        project=project,
        stack=stack,
        preview=preview,
        resources=tuple(monitor.recorded[urn] for urn in sorted(monitor.recorded)),
        outputs=monitor.outputs.get(stack_urn, {}),
        component_outputs={urn: monitor.outputs[urn] for urn in sorted(monitor.outputs) if urn != stack_urn},
        messages=tuple(engine.messages),
    )


def _run(program: Program, monitor: RecordingMonitor, engine: RecordingEngine, secret_keys: list[str]) -> None:
    """Run a program against a monitor and an engine. Settings of the SDK are reset before and after."""
    reset_options()
    set_all_config(dict(monitor.run.config), secret_keys)
    configure(
        Settings(
            project=monitor.run.project,
            stack=monitor.run.stack,
            monitor=monitor,
            engine=engine,
            parallel=THREADS,
            dry_run=monitor.run.preview,
            organization="organization",
            root_directory=str(_root(program)),
        )
    )
    try:
        with without_garbage_collection(), _as_the_language_host_runs(program) as main, asyncio.Runner() as runner:
            prepare_sdk()
            runner.get_loop().set_default_executor(ThreadPoolExecutor(THREADS, thread_name_prefix="recording"))
            # The first failure is raised; the SDK's other tasks that fell with it would each print a traceback.
            runner.get_loop().set_exception_handler(lambda _loop, _context: None)
            runner.run(run_in_stack(main))
    finally:
        reset_options()
        set_all_config({}, [])


@contextlib.contextmanager
def without_garbage_collection() -> Iterator[None]:
    """The SDK keeps every resource alive until the end, so each full collection walks all of them in vain.

    With the collector on, the time for one resource doubles between 50 and 2,000 of them; without, it stays the same.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _root(program: Program) -> Path:
    if not isinstance(program, Path):
        return PROJECT_ROOT
    return program.resolve() if program.is_dir() else program.resolve().parent


@contextlib.contextmanager
def _as_the_language_host_runs(program: Program) -> Iterator[Callable[[], Awaitable[None] | None]]:
    """The function to run in the stack. A file or folder runs as `__main__`, in and importing from its own folder."""
    if not isinstance(program, Path):
        function = program

        def call() -> Awaitable[None] | None:
            result = function()
            return result if isawaitable(result) else None

        yield call
        return
    path, root = program.resolve(), str(_root(program))
    imports = list(sys.path)
    sys.path.insert(0, root)
    try:
        with contextlib.chdir(root):

            def main() -> None:
                runpy.run_path(str(path), run_name="__main__")

            yield main
    finally:
        sys.path[:] = imports
