"""One stack: read its settings, plan it, build it, say what came of it."""

import gc
from collections.abc import Sequence

import pulumi

from components.outputs import outputs
from components.stack import InferenceStack
from operations.report.facts import facts_of
from operations.report.terminal import summary
from planning import Finding, RefusedError, plan_raw
from planning.findings import located, report
from stackfile import PROJECT_ROOT, StackFileError, stack_file
from stackfile.document import line_of, lines_of
from stackfile.model_files import model_files
from stackfile.program_config import read


def _located(stack: str, findings: Sequence[Finding]) -> Sequence[Finding]:
    """The findings with lines of the stack file, if it is where the project keeps them."""
    try:
        path = stack_file(PROJECT_ROOT, stack)
    except StackFileError:
        return findings
    lines = lines_of(path)
    return located(findings, lambda setting: line_of(lines, setting), path.name)


def main() -> None:
    # The SDK keeps every resource alive until the end: collecting would only look at them again and again, and make
    # the time per resource grow with their number.
    gc.disable()
    try:
        raw = read()
    except StackFileError as fault:
        raise pulumi.RunError(str(fault)) from None
    try:
        plan = plan_raw(raw.stack, raw.values, raw.encrypted, files=model_files(raw.values))
    except RefusedError as refused:
        # The whole report, without a traceback: the mistake is in the stack file, not in the program.
        raise pulumi.RunError(report(_located(raw.stack, refused.findings))) from None
    for finding in _located(raw.stack, plan.warnings):
        (pulumi.log.warn if finding.acknowledged is None else pulumi.log.info)(str(finding))
    pulumi.log.info(summary(facts_of(plan.stack, plan, plan.warnings)))
    stack = InferenceStack(plan)
    for name, value in outputs(plan, stack.address).items():
        pulumi.export(name, value)


main()
