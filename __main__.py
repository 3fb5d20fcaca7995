"""One stack: read its settings, plan it, build it, say what came of it."""

import gc

import pulumi

from components.outputs import outputs
from components.stack import InferenceStack
from operations.report.facts import facts_of
from operations.report.terminal import summary
from planning import RefusedError, plan_raw
from stackfile.model_files import model_files
from stackfile.program_config import read


def main() -> None:
    # The SDK keeps every resource alive until the end: collecting would only look at them again and again, and make
    # the time per resource grow with their number.
    gc.disable()
    raw = read()
    try:
        plan = plan_raw(raw.stack, raw.values, raw.encrypted, files=model_files(raw.values))
    except RefusedError as refused:
        # The whole report, without a traceback: the mistake is in the stack file, not in the program.
        raise pulumi.RunError(str(refused)) from None
    for finding in plan.warnings:
        (pulumi.log.warn if finding.acknowledged is None else pulumi.log.info)(str(finding))
    pulumi.log.info(summary(facts_of(plan.stack, plan, plan.warnings)))
    stack = InferenceStack(plan)
    for name, value in outputs(plan, stack.address).items():
        pulumi.export(name, value)


main()
