"""Commands of the rehearsal: `python -m llm_d_gke.rehearsal COMMAND STACK`.

The modules that do the work are imported by the command that needs them: they bring Pulumi's SDKs along.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from llm_d_gke.cli.exits import FAILED, REFUSED
from llm_d_gke.cli.options import Changes, Stack, argument, option, overrides
from llm_d_gke.cli.run import UNCHANGED, Failure, add_command, new_app
from llm_d_gke.rehearsal.engine_choice import EngineChoice

_PANEL = "Rehearse on this machine"

PolicyPacks = Annotated[
    list[Path] | None,
    option(
        "--policy-pack",
        metavar="FOLDER",
        help="Refuse what a policy pack refuses. May be repeated.",
        file_okay=False,
        exists=True,
    ),
]
PolicyConfigs = Annotated[
    list[Path] | None,
    option(
        "--policy-pack-config",
        metavar="FILE",
        help="Parameters of the policy pack, as JSON.",
        dir_okay=False,
        exists=True,
    ),
]


def up(
    stack: Stack,
    config: Changes = None,
    engine: Annotated[
        EngineChoice | None,
        option(
            "--engine",
            help="simulator, or vllm: real vLLM on this machine's processor with a tiny model. By default that of the"
            " stack that runs, else the simulator.",
        ),
    ] = None,
    refresh: Annotated[
        bool,
        typer.Option(
            "--refresh",
            help="Look first at what runs, as pulumi up --refresh does, and restore what was changed by hand.",
        ),
    ] = False,
    policy_pack: PolicyPacks = None,
    policy_pack_config: PolicyConfigs = None,
) -> int:
    """Bring a stack up on this machine, and send it one chat request."""
    from llm_d_gke.rehearsal import commands
    from llm_d_gke.rehearsal.pulumi_engine.policy_plugin import PolicyChoice

    policy = PolicyChoice(policy_pack or (), policy_pack_config or ())
    return commands.up(stack, overrides(config), engine, policy, refresh=refresh)


def preview(
    stack: Stack,
    config: Changes = None,
    diff: Annotated[
        bool, typer.Option("--diff", help="For a stack that is up: every value that differs, not only the first ones.")
    ] = False,
    policy_pack: PolicyPacks = None,
    policy_pack_config: PolicyConfigs = None,
) -> int:
    """Show what `up` would create or change. Exit status 2 if the stack is refused."""
    from llm_d_gke.rehearsal import commands
    from llm_d_gke.rehearsal.pulumi_engine.policy_plugin import PolicyChoice

    policy = PolicyChoice(policy_pack or (), policy_pack_config or ())
    return commands.preview(stack, overrides(config), policy, every_value=diff)


def status(
    stack: Stack,
    differences: Annotated[
        bool, typer.Option("--differences", help="Also list in what the rehearsal differs from GKE.")
    ] = False,
) -> int:
    """Show nodes, pods, Gateway and address of a stack that is up."""
    from llm_d_gke.rehearsal import looks

    return looks.status(stack, differences=differences)


def endpoint(stack: Stack) -> int:
    """Print the address at which a stack answers on this machine."""
    from llm_d_gke.rehearsal import looks

    return looks.endpoint(stack)


def down(
    stack: Stack,
    config: Changes = None,
    despite_members: Annotated[
        bool, typer.Option("--despite-members", help="Also the config cluster of a fleet whose members are up.")
    ] = False,
) -> int:
    """Destroy a stack, and stop everything that was started for it."""
    from llm_d_gke.rehearsal import commands

    return commands.down(stack, overrides(config), despite_members=despite_members)


def render(
    stack: Stack,
    config: Changes = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write to.", file_okay=False)] = Path("rendered"),
) -> int:
    """Write the resource graph and every Kubernetes object as files."""
    from llm_d_gke.rehearsal import commands

    return commands.render(stack, overrides(config), out)


def logs(
    stack: Stack,
    pod: Annotated[str | None, argument(help="Part of the pod's name. By default all pods.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for more, until Ctrl-C.")] = False,
    tail: Annotated[int | None, option("--tail", "-n", min=0, help="Only so many last lines of each log.")] = None,
) -> int:
    """Print the logs of a stack's pods."""
    from llm_d_gke.rehearsal import looks

    return looks.logs(stack, pod, follow=follow, tail=tail)


def why(
    stack: Stack,
    request: Annotated[str | None, argument(help="Id of a request (x-request-id). By default the latest ones.")] = None,
    log: Annotated[
        Path | None,
        option(
            "--log",
            help="A picker's log to read instead, - for standard input: `kubectl logs ... | llmd why chat --log -`.",
            allow_dash=True,
        ),
    ] = None,
    last: Annotated[int, typer.Option("--last", "-n", min=1, help="How many requests.")] = 3,
) -> int:
    """Show why requests went to their replicas: scores of every endpoint. Needs picker.verbosity 4 in the stack."""
    from llm_d_gke.rehearsal import commands

    return commands.why(stack, request, log, last)


def explain(error: Exception, *, reads_only: bool = False) -> Failure | None:
    """The printed text of an error of a command, which may be one that only reads. None for a defect."""
    from llm_d_gke.planning import RefusedError
    from llm_d_gke.planning.findings import report
    from llm_d_gke.planning.setting_errors.unread_parts import with_own_findings
    from llm_d_gke.stackfile import StackFileError
    from llm_d_gke.wording import wrapped

    if isinstance(error, RefusedError):
        consequence = "the stack is refused" if reads_only else "nothing was changed"
        return Failure(wrapped(report(error.findings, consequence)), REFUSED)
    if isinstance(error, StackFileError):
        return Failure(with_own_findings(error), REFUSED)
    # Imports Pulumi's SDK, which cannot be in one environment with Google's client libraries of `preflight`.
    from llm_d_gke.rehearsal.terminal.failures import explain as sentence_of

    sentence = sentence_of(error)
    return None if sentence is None else Failure(sentence, FAILED)


app = new_app("Rehearse a stack on this machine: the same program, without a cloud account.")
_HALF_CHANGED = "`make up STACK={stack}` continues, `make down STACK={stack}` cleans up"
for _command in (up, preview, status, logs, why, endpoint, down, render):
    changes = _command in (up, down)
    left = _HALF_CHANGED if changes else UNCHANGED
    add_command(app, _command, partial(explain, reads_only=not changes), panel=_PANEL, interrupted=left)
