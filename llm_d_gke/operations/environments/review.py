"""A stack for a pull request: written from another stack, with a time to live and a budget."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from llm_d_gke.planning import plan_config
from llm_d_gke.stackfile import NAMESPACE, StackFileError, stack_file
from llm_d_gke.stackfile.assumptions import load_assumed
from llm_d_gke.stackfile.base import BASE, with_base
from llm_d_gke.stackfile.document import parse

PREFIX = "pr-"
# Of the resources, and of the stack file. A label of Google Cloud holds no colon: 2026-11-28t17-30.
_EXPIRES = "expires"
_FORM = "%Y-%m-%dt%H-%M"


class ReviewError(StackFileError):
    """No stack can be written for this pull request."""


def write_review_stack(
    root: Path, number: int, source: str, hours: float, budget: float, now: datetime.datetime
) -> tuple[Path, float]:
    """Write Pulumi.pr-<number>.yaml, and return it with the dollars that it may cost until it expires.

    `hours` is the time to live, `budget` the most dollars for all of it. Raises ReviewError above the budget or without
    a price, and RefusedError for a stack that cannot work; the file is then removed again.
    """
    base = stack_file(root, source)
    own = parse(base).get("config") or {}
    # In whole, not with the source as its base: main, whose program ends the stack, may have another source, or none.
    settings = with_base(
        {
            BASE: str(base.relative_to(root)),
            "labels": {"review": f"{PREFIX}{number}", _EXPIRES: _text(now + datetime.timedelta(hours=hours))},
            "cluster": {"deletionProtection": False},
        },
        root,
    )
    config = {f"{NAMESPACE}:{key}": value for key, value in settings.items()}
    # A base holds no key of other namespaces: they go into the new file.
    config |= {key: value for key, value in own.items() if ":" in key and not key.startswith(f"{NAMESPACE}:")}
    target = root / f"Pulumi.{PREFIX}{number}.yaml"
    target.write_text(yaml.safe_dump({"config": config}, sort_keys=False), encoding="utf-8")
    try:
        return target, _within_budget(root, f"{PREFIX}{number}", hours, budget)
    except Exception:
        target.unlink()
        raise


def expired(files: Iterable[Path], now: datetime.datetime) -> Iterator[str]:
    """Yields the stacks whose time is over. A file without a readable time counts as expired: nothing would end it."""
    for file in sorted(files):
        labels = (parse(file).get("config") or {}).get(f"{NAMESPACE}:labels") or {}
        try:
            end = datetime.datetime.strptime(str(labels.get(_EXPIRES)), _FORM).replace(tzinfo=datetime.UTC)
        except ValueError:
            end = now
        if end <= now:
            yield file.name.removeprefix("Pulumi.").removesuffix(".yaml")


def _within_budget(root: Path, stack: str, hours: float, budget: float) -> float:
    config = load_assumed(stack, root=root)
    plan = plan_config(stack, config)
    hourly = plan.cost.at_most.exact
    if hourly is None:
        raise ReviewError(
            f"what {stack} costs at most is not known, so no budget of ${budget:,.2f} holds it: choose another machine"
            f" or region for it ({NAMESPACE}:location, {NAMESPACE}:accelerator), or raise no stack for this change"
        )
    dollars = hourly * hours
    if dollars > budget:
        raise ReviewError(
            f"{stack} costs up to ${dollars:,.2f} in {hours:g} hours (${hourly:,.2f} an hour with all nodes), and the"
            f" budget is ${budget:,.2f}: fewer nodes (accelerator.nodes.max), fewer hours, or a larger budget"
        )
    return dollars


def _text(moment: datetime.datetime) -> str:
    return moment.astimezone(datetime.UTC).strftime(_FORM)
