"""The whole command line in one value."""

from __future__ import annotations

from functools import partial

import typer

from llm_d_gke.cli.run import UNCHANGED, Command, add_command, new_app
from llm_d_gke.operations.cli import change, choose, environments, judge, watch
from llm_d_gke.rehearsal import cli as rehearsal_cli

# The printed text of an error of any command; None for a defect.
explain_error = rehearsal_cli.explain

# What to do after Ctrl-C, for commands that change something outside of this checkout.
_INTERRUPTED: dict[Command, str] = {
    change.upgrade: "with --plan nothing was changed, else `make upgrade STACK={stack} TO={to}` goes on (finished steps"
    " change nothing), and `make rollback STACK={stack}` goes back",
    change.rollback: "with --plan nothing was changed, else `make rollback STACK={stack}` goes on",
    judge.destroy: "`make destroy STACK={stack}` continues",
    judge.leftovers: "what was removed stays removed, and `make leftovers STACK={stack}` lists the rest",
}

# Commands that change a stack, a cloud project or files: of a refused stack they say that nothing was changed.
_CHANGING: tuple[Command, ...] = (
    *_INTERRUPTED,
    choose.init,
    choose.size,
    choose.adopt_manifests,
    choose.stage,
    environments.review_stack,
    change.import_,
    change.eject,
)


def build_app() -> typer.Typer:
    app = new_app("Plan, judge, rehearse and explain llm-d stacks on GKE. Exit status 2 means: refused.")
    panels: dict[str, tuple[Command, ...]] = {
        "Choose a model and hardware": (choose.init, choose.size, choose.catalog, choose.stage, choose.adopt_manifests),
        "Judge a stack before anything is created": (
            judge.report,
            judge.diff,
            environments.fleet,
            judge.compare,
            judge.preflight,
            judge.explain,
        ),
        "Look at a stack that runs": (
            watch.verify,
            watch.diagnose,
            watch.bench,
            watch.dashboard,
            watch.monitoring_files,
            watch.check_alerts,
        ),
        "Change the release of a stack": (change.upgrade, change.rollback, change.deletions),
        "Keep stacks, and look at what a destroyed one left": (
            environments.review_stack,
            environments.expired_stacks,
            environments.backup_check,
            judge.leftovers,
            judge.destroy,
        ),
        "Take over what exists, or leave with it": (change.import_, change.eject),
        "Hold the memory verdict against your own starts": (judge.logs_check, judge.logs_read),
    }
    for panel, commands in panels.items():
        for command in commands:
            explain = partial(explain_error, reads_only=command not in _CHANGING)
            add_command(app, command, explain, panel=panel, interrupted=_INTERRUPTED.get(command, UNCHANGED))
    app.add_typer(rehearsal_cli.app)
    return app
