"""The user's own Pulumi, with the user's credentials."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Sequence

from llm_d_gke.cli.exits import CommandError
from llm_d_gke.stackfile import PROJECT_ROOT


class PulumiError(CommandError):
    """Pulumi is missing, or ended with an error."""


def run_pulumi(stack: str, arguments: Sequence[str], *, output: bool = False) -> str:
    """Run `pulumi ARGUMENTS --stack STACK` in the project. Returns what it wrote, unless `output` lets that through."""
    command = ["pulumi", *arguments, "--stack", stack]
    pipe = None if output else subprocess.PIPE
    try:
        done = subprocess.run(
            command,
            cwd=PROJECT_ROOT,
            stdin=None if output else subprocess.DEVNULL,
            stdout=pipe,
            stderr=pipe,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise PulumiError("pulumi is not installed: https://www.pulumi.com/docs/install") from None
    if done.returncode != 0:
        raise PulumiError(f"`{shlex.join(command[:3])} ...` ended with {done.returncode}: {(done.stderr or '')[-400:]}")
    return done.stdout or ""
