"""Arguments in `extraArgs` that the planner renders itself, or that break what it has planned around the engine."""

import itertools
import re
from collections.abc import Iterator, Sequence

from llm_d_gke.planning.engine_support.options import SETTINGS, long_form
from llm_d_gke.planning.engine_support.owned import owned_options
from llm_d_gke.planning.findings import without_secrets
from llm_d_gke.planning.served_model import ServedModel
from llm_d_gke.planning.serving.hub_revision import commit_of
from llm_d_gke.planning.setting_errors.values import flow


def check_extra_args(served: ServedModel, rendered: Sequence[str]) -> None:
    """Findings about `extraArgs` that are not meant, or repeat arguments of the planner.

    `rendered` are all arguments of the engine, those of `extraArgs` among them.
    """
    extra = served.settings.extra_args
    if extra and not served.settings.allow_extra_args:
        served.error("LLMD-EXTRA-ARGS-ALLOWED", "extraArgs", value=flow(without_secrets(list(extra), ())))
    planned = list(map(flag_of, rendered))
    for flag in map(flag_of, extra):
        if flag in planned:
            planned.remove(flag)
    rest = {flag for flag in planned if flag}
    for position, argument, flag in _flags(extra):
        owned = owned_options().get(flag)
        if owned is None and (flag not in rest or _repeats(extra[position:], rendered)):
            continue
        served.error(
            "LLMD-EXTRA-ARGS-PLANNED",
            "extraArgs",
            position,
            value=without_secrets(argument, ()),
            rule=owned.why
            if owned is not None
            else "the planner passes this argument to vLLM already, and of two vLLM takes the last one",
            fix=in_settings(served, flag) or "remove it here",
        )


def in_settings(served: ServedModel, option: str) -> str | None:
    """What to set in the stack file instead of an option of the engine. None where no setting stands for it."""
    if (owned := owned_options().get(option)) is not None:
        return owned.instead
    return f"set models[{served.index}].{SETTINGS[option]}, and remove it here" if option in SETTINGS else None


def _repeats(extra: Sequence[str], rendered: Sequence[str]) -> bool:
    """Whether an argument, the first of these, is twice among all of the engine in the same words."""

    def words(arguments: Sequence[str]) -> tuple[str, ...]:
        first, *following = arguments
        values = itertools.takewhile(lambda word: not flag_of(word), following)
        return (flag_of(first), first.partition("=")[2], *values) if first.startswith("-") else ()

    own = words(extra)
    same = [argument == extra[0] and words(rendered[place:]) == own for place, argument in enumerate(rendered)]
    return same.count(True) > 1


def runs_remote_code(extra: Sequence[str]) -> bool:
    """Whether vLLM may run Python files of the model's repository."""
    return "--trust-remote-code" in extra or "--trust_remote_code" in extra


def check_remote_code(served: ServedModel) -> None:
    """A warning about code of the model's repository, by the commit of the weights."""
    if not runs_remote_code(served.settings.extra_args):
        return
    commit = commit_of(served.settings, served.model)
    served.warning(
        "LLMD-REMOTE-CODE",
        "extraArgs",
        case="commit" if commit is not None else "branch",
        value="--trust-remote-code",
        commit=commit,
    )


def _flags(arguments: Sequence[str]) -> Iterator[tuple[int, str, str]]:
    for position, argument in enumerate(arguments):
        flag = flag_of(argument)
        if flag:
            yield position, argument, flag


def flag_of(argument: str) -> str:
    """The flag of an argument in its long form, without its value: `--no-` and underscores are other spellings, and
    `--flag.part` gives a part of the flag's value.

    Empty for values. A number below zero is a value.
    """
    if not argument.startswith("-") or re.fullmatch(r"-[0-9.]+", argument):
        return ""
    name = argument.partition("=")[0].partition(" ")[0]
    name = long_form(name).partition(".")[0]
    return f"--{name.removeprefix('--no-')}" if name.startswith("--no-") else name
