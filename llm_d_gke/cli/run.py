"""Runs commands: errors become sentences and exit statuses.

A command is a function with typer's annotations that returns its exit status. `add_command` registers it, `main` runs
a command line. A `CommandError` is printed, as is a path that cannot be read or written. The `explain` function that
the command was registered with words other errors. An error that it does not know keeps its traceback: it is a defect.
"""

from __future__ import annotations

import errno
import functools
import os
import re
import select
import signal
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from llm_d_gke.cli.exits import CLOSED_PIPE, DONE, FAILED, INTERRUPTED, REFUSED, CommandError
from llm_d_gke.cli.meanings import meaning_of
from llm_d_gke.stackfile import PROJECT_ROOT
from llm_d_gke.stackfile.project import stack_names
from llm_d_gke.wording import wrapped

PROGRAM = "llmd"


@dataclass(frozen=True)
class Failure:
    """The printed text of an error, and the exit status of the command."""

    sentence: str
    status: int = FAILED


Explain = Callable[[Exception], Failure | None]
Command = Callable[..., int]


class _Commands(TyperGroup):
    """Commands that say what a word which is none of them may mean."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        word = args[0]
        if word not in self.commands and not word.startswith("-"):
            meaning = meaning_of(word, PROGRAM, list(self.commands)) or f"{PROGRAM} lists them"
            ctx.fail(f"there is no command {word}: {meaning}")
        return super().resolve_command(ctx, args)


def new_app(summary: str) -> typer.Typer:
    return typer.Typer(
        cls=_Commands,
        help=summary,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"max_content_width": 100},
    )


# What pydantic, which typer asks, says of an option, and what a person reads.
_WORDS = (
    (re.compile(r"Value error, "), ""),
    (re.compile(r"Input should be a valid integer.*"), "must be a whole number"),
    (re.compile(r"Input should be a valid number.*"), "must be a number"),
    (re.compile(r"Input should be greater than or equal to (\S+)"), r"must be \1 or more"),
    (re.compile(r"Input should be less than or equal to (\S+)"), r"must be \1 or less"),
)


class _PlainCommand(TyperCommand):
    """A command whose errors about its options are in plain words, and whose values may begin with a minus sign."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, self._with_values_apart(ctx, args))
        except typer.BadParameter as error:
            if error.param is not None and type(error) is not typer.BadParameter:
                stacks = f"Stacks: {', '.join(stack_names(PROJECT_ROOT))}"
                error.message = stacks if error.param.name == "stack" else getattr(error.param, "help", None) or ""
            for pattern, words in _WORDS:
                error.message = pattern.sub(words, error.message)
            raise

    def _with_values_apart(self, ctx: Any, args: list[str]) -> list[str]:
        """The arguments, with all values behind `--` where one of them is a number below zero.

        A word with a dash, such as `-gpu`, is refused: it would be read as the options -g, -p and -u.
        """
        names = {name for param in self.params for name in param.opts}
        taking = {name for param in self.params if not getattr(param, "is_flag", True) for name in param.opts}
        end = args.index("--") if "--" in args else len(args)
        options: list[str] = []
        values: list[str] = []
        for previous, word in zip(("", *args), args[:end], strict=False):
            if previous not in taking and (_NUMBER.match(word) or not _OPTION.match(word)):
                values.append(word)
                continue
            options.append(word)
            if previous not in taking and _WORD.match(word) and word[:2] not in names and not ctx.resilient_parsing:
                ctx.fail(f"{word} begins with a dash, so it is read as an option, and there is no such option")
        return [*options, "--", *values, *args[end + 1 :]] if any(map(_NUMBER.match, values)) else args


_OPTION = re.compile(r"-.")
# No option begins with a digit, or has one dash and several letters.
_NUMBER = re.compile(r"-\.?\d")
_WORD = re.compile(r"-\w{2}")

# What an interrupted command leaves.
UNCHANGED = "no stack was changed"


def add_command(
    app: typer.Typer, command: Command, explain: Explain, *, panel: str | None = None, interrupted: str = UNCHANGED
) -> None:
    """Register a function under its own name.

    `panel` is the heading in the list of commands. `interrupted` says after Ctrl-C what to do, with the command's
    arguments in braces.
    """
    name = command.__name__.rstrip("_").replace("_", "-")
    app.command(name, cls=_PlainCommand, rich_help_panel=panel)(_guarded(command, explain, interrupted))


def run_app(app: typer.Typer, program: str = PROGRAM, arguments: Sequence[str] | None = None) -> int:
    """Run a command line. Return its exit status."""
    previous_handler = signal.signal(signal.SIGTERM, _raise_interrupt)
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        app(args=None if arguments is None else list(arguments), prog_name=program)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else FAILED
    finally:
        signal.signal(signal.SIGTERM, previous_handler)
    return DONE


def leave(status: int) -> NoReturn:
    """End this process at once: freeing the Pulumi SDKs' hundred thousand objects would take over a second."""
    # A stream that the shell closed (`>&-`) is None.
    if sys.stdout is not None and not _output_is_read():
        _leave_unread(status)
    if sys.stderr is not None:
        sys.stderr.flush()
    os._exit(status)


def _leave_unread(status: int = DONE) -> NoReturn:
    """End this process after its reader ended. make would print `Error 141` below what `head` showed."""
    os._exit(status if "MAKELEVEL" in os.environ else CLOSED_PIPE)


def _raise_interrupt(_number: int, _frame: FrameType | None) -> None:
    """Signal handler: treat a closed terminal as Ctrl-C, so that the engine writes its state."""
    raise KeyboardInterrupt


def _guarded(command: Command, explain: Explain, interrupted: str) -> Callable[..., None]:
    @functools.wraps(command)
    def run(*arguments: Any, **options: Any) -> None:
        try:
            status = command(*arguments, **options)
        except KeyboardInterrupt:
            print(wrapped(f"\ninterrupted: {interrupted.format(**options)}"), file=sys.stderr)
            status = INTERRUPTED
        except SystemExit as ended:
            # rich ends a program whose reader left with status 1.
            if isinstance(ended.__context__, BrokenPipeError):
                _leave_unread()
            raise
        except Exception as error:
            if isinstance(error, BrokenPipeError) and not _output_is_read():
                _leave_unread()
            failure = _known_failure(error, options) or explain(error)
            if failure is None:
                raise
            print(wrapped(failure.sentence), file=sys.stderr)
            status = failure.status
        raise typer.Exit(status)

    return run


def _known_failure(error: Exception, options: Mapping[str, Any]) -> Failure | None:
    """The failure of a command that says itself what is wrong, or that cannot read or write a file.

    `options` are its arguments. The path of `--out` is named as it was given, with what to do.
    """
    if isinstance(error, CommandError):
        return Failure(str(error), error.status)
    if isinstance(error, RecursionError) and _is_of_parser(error):
        return Failure("A file has brackets within each other hundreds of times and cannot be read.", REFUSED)
    # A full disk is not the path's fault.
    if not isinstance(error, OSError) or error.errno == errno.ENOSPC:
        return None
    paths = [Path(name) for name in (error.filename, error.filename2) if isinstance(name, str | os.PathLike)]
    reason = error.strerror or str(error)
    out = options.get("out")
    for path in paths:
        if isinstance(out, Path) and (path == out or path in out.parents or out in path.parents):
            if isinstance(error, FileExistsError | NotADirectoryError):
                reason = "a folder of this path is a file"
            return Failure(f"{out} cannot be written: {reason}. Write to another path with --out.", REFUSED)
        if path in options.values():
            return Failure(f"{path} cannot be used: {reason}. Name another path.", REFUSED)
    if paths and (isinstance(error, PermissionError) or error.errno == errno.EROFS):
        return Failure(f"{paths[0]} cannot be used: {reason}. Give your account access to it.")
    return None


def _is_of_parser(error: Exception) -> bool:
    """Whether an error comes out of the parser of JSON or YAML, so that a file is at fault and not this program."""
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and Path(frames[-1].filename).parent.name in ("json", "yaml")


def _output_is_read() -> bool:
    """Whether the reader of this process' output is still there: `llmd report gpu | head -3` leaves early."""
    try:
        sys.stdout.flush()
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)
    except BrokenPipeError:
        return False
    except (OSError, ValueError):
        return True  # a stream in memory, as in tests
    return not any(event & select.POLLERR for _, event in poll.poll(0))
