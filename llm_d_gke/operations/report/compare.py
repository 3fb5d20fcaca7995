"""Compares the verdicts of two checkouts: `python -m llm_d_gke compare BEFORE AFTER`."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from llm_d_gke.cli.exits import DONE, REFUSED
from llm_d_gke.cli.markdown import table
from llm_d_gke.operations.report import formatting
from llm_d_gke.planning.plan.estimates import Total
from llm_d_gke.settings.leaves import aligned_paths
from llm_d_gke.stackfile import stack_names

Facts = Mapping[str, Any]

# Characters. GitHub refuses a comment above 65,536; line ends, lone headings and unchanged stacks are not counted.
_LONGEST = 50_000


def compare(before: Mapping[str, Facts], after: Mapping[str, Facts]) -> str:
    """Both sides are `facts.StackFacts.as_json()` by stack name. Keys missing from the older side are skipped.

    Where the text would be too long for a comment, refused stacks come first, and the last ones are headings alone.
    """
    lines = ["## Verdict"]
    same = []
    length = 0
    stacks = dict.fromkeys((*after, *before))
    sections = {stack: list(_stack(stack, before.get(stack), after.get(stack))) for stack in stacks}
    if sum(len(line) for changed in sections.values() for line in changed) > _LONGEST:
        lines += ["", "Stacks with a heading alone have too much for one comment: `make report STACK=...` has it."]
        sections = dict(sorted(sections.items(), key=lambda item: not after.get(item[0], {}).get("refused")))
    for stack, changed in sections.items():
        if changed:
            length += sum(map(len, changed))
            lines += ["", *(changed if length <= _LONGEST else changed[:1])]
        else:
            same.append(f"`{stack}`")
    if same:
        lines += ["", f"Unchanged: {', '.join(same)}."]
    return "\n".join(lines) + "\n"


def compare_stacks(title: str, before: Facts, after: Facts) -> list[str]:
    """Lines of Markdown about two stacks, each as `facts.StackFacts.as_json()`. Empty where nothing differs."""
    return list(_stack(title, before, after))


def _stack(stack: str, before: Facts | None, after: Facts | None) -> Iterator[str]:
    """Nothing where the change makes no difference."""
    if after is None:
        yield f"### `{stack}`: removed"
        cost = _figures(before).get("USD a month, running", ("an unknown amount", None))[0]
        yield from (
            "",
            f"A merge destroys nothing: where this stack is up, it goes on and costs {cost} a month while it serves."
            " Destroy it first (workflow `destroy`, or `make destroy`), which reads the stack file. A renamed file is"
            " another stack.",
        )
        return
    if after.get("unreadable"):
        yield from (f"### `{stack}`: refused", "", "```text", *after["unreadable"].strip().splitlines(), "```")
        return
    rows = [row for row in _rows(before, after) if before is None or row[1] != row[2]]
    new, removed = _findings(after, before), _findings(before, after)
    acknowledged, warned = _acknowledged(after, before), _acknowledged(before, after)
    changed = any((rows, new, removed, acknowledged, warned, list(_settings(before, after))))
    if before is not None and not changed and not after.get("refused"):
        return
    yield f"### `{stack}`: {_headline(before, after)}"
    if rows:
        yield ""
        head = ("", "before", "after", "")
        yield from table(head, rows, right=(1, 2, 3))
    settings = list(_settings(before, after))
    if settings:
        yield from ("", "Changed settings:", "", *settings)
    # A refused stack shows all its errors, also those that it had before.
    errors = [finding for finding in after["findings"] if finding["severity"] == "error" and finding not in new]
    for title, listed_findings in (
        ("New findings", new),
        ("Errors as before", errors),
        ("Acknowledged now", acknowledged),
        ("No longer acknowledged", _counterparts(warned, after)),
        ("Gone", removed),
    ):
        if listed_findings:
            yield from ("", f"{title}:", "")
            yield from (_line(finding) for finding in listed_findings)


def _line(finding: Mapping[str, str | None]) -> str:
    acknowledged = finding.get("acknowledged")
    severity = finding["severity"] if acknowledged is None else "acknowledged"
    # Older programs did not write the rule's id.
    rule_id = f" ({finding['id']})" if finding.get("id") else ""
    reason = "" if acknowledged is None else f"<br>Acknowledged: {acknowledged}"
    place = f" ({finding['place']})" if finding.get("place") else ""
    where = f"`{finding['path']} = {finding['value']}`"
    return f"- **{severity}** {where}{rule_id}: {finding['rule']}{place}<br>*{finding['fix']}*{reason}"


_EMPTY = {"value": "[]"}


def _settings(before: Facts | None, after: Facts) -> Iterator[str]:
    """Changed settings, and what each replaces in the same stack. Nothing if one side does not list its settings."""
    old = {setting["path"]: setting for setting in (before or {}).get("settings", ())}
    new = {setting["path"]: setting for setting in after.get("settings", ())}
    if not old or not new:
        return
    one_stack = before is None or before.get("stack") == after.get("stack")
    paths = aligned_paths(*({path: setting["value"] for path, setting in side.items()} for side in (old, new)))
    old = {paths[path]: setting for path, setting in old.items()}
    for path in dict.fromkeys((*new, *old)):
        was, now = old.get(path), new.get(path)
        # Of a group or an element that only one has, defaults are left out. Older programs did not write what is one.
        if (was is None or now is None) and (now or was or _EMPTY).get("default", False):
            continue
        # A list of groups is a setting while it is empty, and its elements' settings otherwise.
        if (was or _EMPTY)["value"] != (now or _EMPTY)["value"]:
            values = " → ".join("(none)" if setting is None else f"`{setting['value']}`" for setting in (was, now))
            replaced = (now or was or {}).get("replaces", ()) if one_stack else ()
            yield f"- `{(now or was or _EMPTY).get('path', path)}`: {values}" + (
                f" **replaces {', '.join(replaced)}**" if replaced else ""
            )


def _headline(before: Facts | None, after: Facts) -> str:
    now = _state(after)
    if before is None:
        return f"new, {now}"
    was = _state(before)
    return now if was == now else f"{was} → {now}"


def _state(facts: Facts) -> str:
    if facts.get("refused"):
        return "refused"
    statuses = {server["memory"]["status"] for _, server in _servers(facts) if server.get("memory")}
    return "marginal" if "marginal" in statuses else "accepted"


def _rows(before: Facts | None, after: Facts) -> Iterator[tuple[str, str, str, str]]:
    old, new = _figures(before), _figures(after)
    for name in dict.fromkeys((*new, *old)):
        (was, number), (now, other) = old.get(name, ("-", None)), new.get(name, ("-", None))
        yield name, was, now, _difference(number, other)


def _difference(before: float | None, after: float | None) -> str:
    if before is None or after is None or before == after:
        return ""
    return f"{after - before:+,.2f}" if before == 0 else f"{(after - before) / before:+.0%}"


def _figures(facts: Facts | None) -> dict[str, tuple[str, float | None]]:
    """Every figure by name: as people read it, and as a number where a difference makes sense."""
    figures: dict[str, tuple[str, float | None]] = {}
    plan = (facts or {}).get("plan")
    if facts is None or plan is None:
        return figures
    for model, server in _servers(facts):
        name = model["name"] if server.get("role", "both") == "both" else f"{model['name']}, {server['role']}"
        figures[f"{name}: replicas"] = (f"{server['replicas']} x ({server['hardware']})", None)
        memory = server.get("memory")
        if memory is not None:
            figures[f"{name}: memory"] = (
                f"{formatting.VERDICTS[memory['status']]}, {memory['margin_gib']:+.2f} GiB",
                None,
            )
            figures[f"{name}: KV cache of a replica"] = (
                f"{formatting.tokens(memory['kv_tokens'])} tokens",
                memory["kv_tokens"],
            )
    for model in plan["models"]:
        capacity = model.get("capacity")
        if capacity is not None:
            speed = capacity["at_load"]
            rate = None if speed is None else speed["requests_per_second"]
            rate_text = "not served" if rate is None else formatting.rate(rate)
            figures[f"{model['name']}: requests/s"] = (f"{rate_text} ({capacity['basis']})", rate)
            for stage in capacity.get("stages", ()):
                highest = stage["requests_per_second"]
                figures[f"{model['name']}, {stage['role']}: requests/s at most"] = (formatting.rate(highest), highest)
            first = None if speed is None else speed["time_to_first_token"]
            figures[f"{model['name']}: first token"] = ("-" if first is None else formatting.seconds(first), first)
    cost = plan["cost"]
    for when in ("running", "idle"):
        figures[f"USD a month, {when}"] = _money(cost["monthly"][when])
    # Older programs did not write it.
    if "at_most_monthly" in cost:
        figures["USD a month, every pool at its largest"] = _money(cost["at_most_monthly"])
    for name, amount in cost["per_million"].items():
        if name != "tokens":
            figures[f"USD for a million {name}"] = _money(amount)
    return figures


def _money(amount: Mapping[str, Any]) -> tuple[str, float | None]:
    sum_ = Total(usd=amount["usd"], unknown=tuple(amount["unknown"]))
    text = formatting.money(sum_)
    return text, None if text == "unknown" else sum_.usd


def _servers(facts: Facts) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    for model in (facts.get("plan") or {}).get("models", ()):
        for server in model["servers"]:
            yield model, server


def _findings(facts: Facts | None, other: Facts | None) -> list[Mapping[str, Any]]:
    """Findings of only one of the two plans."""
    others = {_identity(finding) for finding in _all_findings(other)}
    return [finding for finding in _all_findings(facts) if _identity(finding) not in others]


def _acknowledged(facts: Facts | None, other: Facts | None) -> list[Mapping[str, Any]]:
    """Findings of both sides that only this side acknowledges."""
    open_ones = {_identity(finding) for finding in _all_findings(other) if finding.get("acknowledged") is None}
    return [
        finding
        for finding in _all_findings(facts)
        if finding.get("acknowledged") is not None and _identity(finding) in open_ones
    ]


def _counterparts(findings: Sequence[Mapping[str, Any]], facts: Facts) -> list[Mapping[str, Any]]:
    """Findings of `facts` that also occur in `findings`."""
    identities = {_identity(finding) for finding in findings}
    return [finding for finding in _all_findings(facts) if _identity(finding) in identities]


def _all_findings(facts: Facts | None) -> Sequence[Mapping[str, Any]]:
    findings: Sequence[Mapping[str, Any]] = () if facts is None else facts["findings"]
    return findings


def _identity(finding: Mapping[str, Any]) -> tuple[Any, ...]:
    """What makes findings of two plans the same one.

    Not its line in the stack file, not the reason of an acknowledgment, and not its id, which older programs did not
    write.
    """
    return tuple(finding[name] for name in ("severity", "path", "value", "rule", "fix"))


# Reports of all stacks in one process: most of the time of a single one is the start of the program.
# A file that cannot be read has no report: what was printed of it stands in its place.
_REPORTS = """
import contextlib, io, json, pathlib, sys
from llm_d_gke.cli.run import leave, run_app
from llm_d_gke.operations.cli.app import build_app

folder, *stacks = sys.argv[1:]
for stack in stacks:
    file, printed = pathlib.Path(folder, f"{stack}.json"), io.StringIO()
    with contextlib.redirect_stderr(printed):
        status = run_app(build_app(), arguments=["report", stack, "--out", str(file)])
    sys.stderr.write(printed.getvalue())
    if status not in (0, 2):
        leave(status)
    if not file.exists():
        unreadable = {"stack": stack, "refused": True, "unreadable": printed.getvalue(), "findings": [], "plan": None}
        file.write_text(json.dumps(unreadable), encoding="utf-8")
leave(0)
"""


def plan_all(checkout: Path) -> dict[str, Facts]:
    """Facts of every stack of a checkout, by its own program. Empty where that program writes no reports yet."""
    stacks = stack_names(checkout)
    with tempfile.TemporaryDirectory() as folder:
        if (checkout / "llm_d_gke/__main__.py").exists():
            commands = [["-c", _REPORTS, folder, *stacks]]
        elif (checkout / "operations/report").exists():  # from before the packages had one name
            commands = [["-m", "operations.report", stack, "--out", f"{folder}/{stack}.json"] for stack in stacks]
        else:
            return {}
        for command in commands:
            done = subprocess.run([sys.executable, *command], cwd=checkout, check=False, stdout=subprocess.DEVNULL)
            # The status of a refused stack, which has a report as well.
            if done.returncode not in (DONE, REFUSED):
                done.check_returncode()
        return {stack: json.loads((Path(folder) / f"{stack}.json").read_text(encoding="utf-8")) for stack in stacks}
