"""Implements the command `verify`: the results as a table, as JSON, or as JUnit XML."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from xml.etree import ElementTree

from llm_d_gke.cli.exits import DONE, UNMET
from llm_d_gke.operations.choices import OutputFormat, Target
from llm_d_gke.operations.live_stack.find import open_stack
from llm_d_gke.operations.verify.result import Checked, Outcome, Verification
from llm_d_gke.operations.verify.run import verify
from llm_d_gke.wording import WIDTH, count, wrapped

# Seconds. Google's load balancers take about three minutes to learn their first backends, the rehearsed one a second.
_PATIENCE = {"gke": 180.0, "rehearsal": 15.0}


def run_verify(
    stack: str,
    changes: Mapping[str, str],
    *,
    target: Target | None,
    output: OutputFormat,
    requests: int,
    headers: Mapping[str, str],
) -> int:
    """Check a running stack and print the results. Exit status 2 if a check failed."""

    def report(check: Checked) -> None:
        if output == "table":
            print(line(check), flush=True)

    with open_stack(stack, changes, target) as live:
        if output == "table":
            print(f"verify {live.looked_at}\n", flush=True)
        result = verify(live, patience=_PATIENCE[live.target], requests=requests, headers=headers, report=report)
    if output == "table":
        print(f"\n{summary(result)}")
    else:
        print(as_json(result) if output == "json" else as_junit(result))
    return UNMET if result.failed else DONE


_MARKS = {Outcome.PASSED: "ok     ", Outcome.FAILED: "FAILED ", Outcome.SKIPPED: "skipped"}
_NAME_WIDTH = 16


def line(check: Checked) -> str:
    """One check for a terminal: mark, id, evidence; where it failed also the criterion and the next command."""
    start = f"{_MARKS[check.outcome]} {check.id:<{_NAME_WIDTH}} "
    text = textwrap.fill(
        f"{start}{check.result.evidence}", WIDTH, subsequent_indent=" " * len(start), break_on_hyphens=False
    )
    if check.outcome is Outcome.FAILED:
        text += "\n" + wrapped(f"          promised: {check.summary}")
        if check.result.next_command:
            text += f"\n          next: {check.result.next_command}"
    return text


def summary(verification: Verification) -> str:
    passed, failed, skipped = (verification.count(outcome) for outcome in Outcome)
    text = f"{count(passed, 'check')} passed, {failed} failed, {skipped} skipped in {verification.seconds:.0f} s"
    return f"{text}\nlooked at {verification.looked_at}"


def as_json(verification: Verification) -> str:
    return json.dumps(
        {
            "stack": verification.stack,
            "lookedAt": verification.looked_at,
            "seconds": round(verification.seconds, 2),
            "failed": verification.failed,
            "checks": [
                {
                    "id": check.id,
                    "criterion": check.summary,
                    "outcome": str(check.outcome),
                    "evidence": check.result.evidence,
                    "next": check.result.next_command,
                    "seconds": round(check.seconds, 3),
                }
                for check in verification.checks
            ],
        },
        indent=1,
    )


def as_junit(verification: Verification) -> str:
    """JUnit XML, as CI systems show it. A skipped check is a skipped test, with its reason."""
    suite = ElementTree.Element(
        "testsuite",
        name=f"verify {verification.stack}",
        tests=str(len(verification.checks)),
        failures=str(verification.count(Outcome.FAILED)),
        skipped=str(verification.count(Outcome.SKIPPED)),
        errors="0",
        time=f"{verification.seconds:.3f}",
    )
    properties = ElementTree.SubElement(suite, "properties")
    ElementTree.SubElement(properties, "property", name="looked at", value=_legal(verification.looked_at))
    for check in verification.checks:
        case = ElementTree.SubElement(
            suite, "testcase", classname=verification.stack, name=check.id, time=f"{check.seconds:.3f}"
        )
        evidence = _legal(check.result.evidence)
        if check.outcome is Outcome.FAILED:
            failure = ElementTree.SubElement(case, "failure", message=_legal(check.summary))
            failure.text = f"{evidence}\nnext: {check.result.next_command}" if check.result.next_command else evidence
        elif check.outcome is Outcome.SKIPPED:
            ElementTree.SubElement(case, "skipped", message=evidence)
        else:
            ElementTree.SubElement(case, "system-out").text = evidence
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True)


def _legal(text: str) -> str:
    """The text without characters that XML cannot hold, such as the colors of a log."""
    return "".join(char if char in "\t\n" or ord(char) >= 0x20 else " " for char in text)
