"""Runs commands: errors become sentences and exit statuses.

A command is a function with typer's annotations that returns its exit status. `add_command` registers it, `main` runs
a command line. A `CommandError` is printed, as is an `--out` path that cannot be written. The `explain` function that
the command was registered with words other errors. An error that it does not know keeps its traceback: it is a defect.
"""

from __future__ import annotations

import errno
import functools
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import typer

from llm_d_gke.cli.exits import DONE, FAILED, INTERRUPTED, REFUSED, CommandError
from llm_d_gke.cli.text import wrapped

PROGRAM = "llmd"


@dataclass(frozen=True)
class Failure:
    """The printed text of an error, and the exit status of the command."""

    sentence: str
    status: int = FAILED


Explain = Callable[[Exception], Failure | None]
Command = Callable[..., int]


def new_app(summary: str) -> typer.Typer:
    return typer.Typer(
        help=summary, no_args_is_help=True, pretty_exceptions_enable=False, context_settings={"max_content_width": 100}
    )


def add_command(
    app: typer.Typer, command: Command, explain: Explain, *, panel: str | None = None, changes_stack: bool = False
) -> None:
    """Register a function under its own name.

    `panel` is the heading in the list of commands. `changes_stack`: an interrupted run leaves a half-changed stack.
    """
    name = command.__name__.rstrip("_").replace("_", "-")
    app.command(name, rich_help_panel=panel)(_guarded(command, explain, changes_stack=changes_stack))


def run_command(command: Command, explain: Explain, program: str, arguments: Sequence[str] | None = None) -> int:
    """Run one command as a program. Return its exit status."""
    app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    app.command()(_guarded(command, explain, changes_stack=False))
    return run_app(app, program, arguments)


def run_app(app: typer.Typer, program: str = PROGRAM, arguments: Sequence[str] | None = None) -> int:
    """Run a command line. Return its exit status."""
    previous_handler = signal.signal(signal.SIGTERM, _raise_interrupt)
    try:
        app(args=None if arguments is None else list(arguments), prog_name=program)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else FAILED
    finally:
        signal.signal(signal.SIGTERM, previous_handler)
    return DONE


def leave(status: int) -> NoReturn:
    """End this process at once: freeing the Pulumi SDKs' hundred thousand objects would take over a second."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _raise_interrupt(_number: int, _frame: FrameType | None) -> None:
    """Signal handler: treat a closed terminal as Ctrl-C, so that the engine writes its state."""
    raise KeyboardInterrupt


def _guarded(command: Command, explain: Explain, *, changes_stack: bool) -> Callable[..., None]:
    @functools.wraps(command)
    def run(*arguments: Any, **options: Any) -> None:
        try:
            status = command(*arguments, **options)
        except KeyboardInterrupt:
            print(f"\ninterrupted: {_after_interrupt(options['stack'] if changes_stack else None)}", file=sys.stderr)
            status = INTERRUPTED
        except Exception as error:
            failure = _known_failure(error, options.get("out")) or explain(error)
            if failure is None:
                raise
            print(wrapped(failure.sentence), file=sys.stderr)
            status = failure.status
        raise typer.Exit(status)

    return run


def _known_failure(error: Exception, out: object) -> Failure | None:
    """The failure of a command that says itself what is wrong, or that cannot write to `out`, the path of `--out`."""
    if isinstance(error, CommandError):
        return Failure(str(error), error.status)
    # A full disk is not the path's fault.
    if not isinstance(error, OSError) or not isinstance(out, Path) or error.errno == errno.ENOSPC:
        return None
    for name in (error.filename, error.filename2):
        if isinstance(name, str | os.PathLike):
            path = Path(name)
            if path == out or path in out.parents or out in path.parents:
                blocked = isinstance(error, FileExistsError | NotADirectoryError)
                reason = "a folder of this path is a file" if blocked else error.strerror or str(error)
                return Failure(f"{out} cannot be written: {reason}. Write to another path with --out.", REFUSED)
    return None


def _after_interrupt(stack: object) -> str:
    """Next steps after an interrupted command. `stack` is None if the command changes no stack."""
    if stack is None:
        return "no stack was changed"
    return f"`make up STACK={stack}` continues, `make down STACK={stack}` cleans up"
