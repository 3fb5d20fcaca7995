"""One stack: read its settings, plan it, build it, say what came of it."""

import functools
import os
from collections.abc import Sequence

import pulumi

from llm_d_gke.components.google_provider import IMPORT_VARIABLE, ImportParent
from llm_d_gke.components.messages import log_warning
from llm_d_gke.components.outputs import outputs
from llm_d_gke.components.stack import InferenceStack
from llm_d_gke.operations.report.collect import facts_of
from llm_d_gke.operations.report.terminal import WITHOUT_VERDICT, summary
from llm_d_gke.planning import Finding, RefusedError, plan_raw
from llm_d_gke.planning.findings import located, report
from llm_d_gke.planning.setting_errors.unread_parts import with_own_findings
from llm_d_gke.pulumi_speed import prepare_sdk
from llm_d_gke.stackfile import PROJECT_ROOT, StackFileError, stack_file
from llm_d_gke.stackfile.document import line_of
from llm_d_gke.stackfile.model_files import model_files
from llm_d_gke.stackfile.places import places_of
from llm_d_gke.stackfile.program_config import read
from llm_d_gke.wording import INDENTED_WIDTH, LOGGED_WIDTH, wrapped


def _located(stack: str, findings: Sequence[Finding]) -> Sequence[Finding]:
    """The findings with lines of the stack file and its bases, if it is where the project keeps them."""
    try:
        path = stack_file(PROJECT_ROOT, stack)
    except StackFileError:
        return findings
    return located(findings, functools.partial(line_of, places_of(path, PROJECT_ROOT)))


def main() -> None:
    prepare_sdk()
    try:
        raw = read()
    except StackFileError as fault:
        raise pulumi.RunError(wrapped(with_own_findings(fault), LOGGED_WIDTH)) from None
    try:
        plan = plan_raw(raw.stack, raw.values, raw.encrypted, files=model_files(raw.values))
    except RefusedError as refused:
        # The whole report, without a traceback: the mistake is in the stack file, not in the program.
        raise pulumi.RunError(wrapped(report(_located(raw.stack, refused.findings)), LOGGED_WIDTH)) from None
    if not os.environ.get(WITHOUT_VERDICT):
        for finding in _located(raw.stack, plan.warnings):
            log_warning(finding)
        pulumi.log.info(summary(facts_of(plan.stack, plan, plan.warnings), INDENTED_WIDTH))
    if os.environ.get(IMPORT_VARIABLE) == "provider":
        ImportParent(plan)
        return
    stack = InferenceStack(plan.stack, plan, prefix="")
    for name, value in outputs(plan, stack.address).items():
        pulumi.export(name, value)


main()
