"""`python -m rehearsal {up,preview,status,down,render,endpoint} STACK [-c KEY=VALUE]...`"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from rehearsal.commands import COMMANDS, Request
from rehearsal.failures import explain


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Exit codes: 0 done, 1 refused or failed (with a sentence why), 130 interrupted."""
    parsed = _parser().parse_args(arguments)
    request = Request(stack=parsed.stack, overrides=dict(parsed.config), out=Path(parsed.out) if parsed.out else None)
    # A terminal that goes away is an interruption too: the engine gets its chance to write its state.
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    try:
        return COMMANDS[parsed.command](request)
    except KeyboardInterrupt:
        print(
            f"\ninterrupted: `make up STACK={parsed.stack}` goes on, `make down STACK={parsed.stack}` clears up",
            file=sys.stderr,
        )
        return 130
    except Exception as error:
        sentence = explain(error)
        if sentence is None:
            raise
        print(f"\n{sentence}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m rehearsal", description="Rehearse a stack on this machine: the same program, no cloud account."
    )
    parser.add_argument("command", choices=sorted(COMMANDS))
    parser.add_argument("stack", help="name of the stack: gpu for Pulumi.gpu.yaml")
    parser.add_argument(
        "-c",
        "--config",
        action="append",
        default=[],
        type=_override,
        metavar="KEY=VALUE",
        help="set one value for this run, in Pulumi's path syntax: llm-d:accelerator.nodes.max=5",
    )
    parser.add_argument("--out", help="folder for render")
    return parser


def _override(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return key, value


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # The SDKs' hundred thousand objects take the interpreter over a second to free, which nobody needs any more.
    os._exit(code)
