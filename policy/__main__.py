"""The policy pack as Pulumi runs it: `pulumi preview --policy-pack policy`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from llmd_policy.exemptions import Exemption, exempted, listing, load
from llmd_policy.resources import Resource
from llmd_policy.rules import RULES, PolicyRule
from pulumi_policy import (
    EnforcementLevel,
    PolicyConfigSchema,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    Secret,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError

EXEMPTIONS = Path(__file__).resolve().parent / "exemptions.yaml"
UNKNOWN = "[unknown]"

# Inputs by URN, as the engine hands each resource over before it is created.
_INPUTS: dict[str, Any] = {}


def plain(value: Any) -> Any:
    """A property as plain data.

    In a preview, a look at a value that is not known yet raises, and Pulumi then skips the whole policy: a new cluster
    would be checked for nothing. Unknown values stand as a text instead. Numbers arrive as fractions.
    """
    if isinstance(value, Secret):
        return plain(value.value)
    if isinstance(value, Mapping):
        return {str(key): _resolved(value, key) for key in value}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_resolved(value, index) for index in range(len(value))]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _resolved(holder: Any, key: Any) -> Any:
    try:
        return plain(holder[key])
    except UnknownValueError:
        return UNKNOWN


def _policy(rule: PolicyRule, exemptions: tuple[Exemption, ...]) -> StackValidationPolicy:
    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        resources = [
            Resource(
                urn=resource.urn,
                type=resource.resource_type,
                name=resource.name,
                # In the preview of a new cluster nothing is known of what its provider will make, inputs included.
                properties=plain(resource.props) or _INPUTS.get(resource.urn, {}),
            )
            for resource in args.resources
        ]
        parameters: dict[str, Any] = {**rule.parameters, **plain(args.get_config())}
        violations = rule.check(resources, parameters)
        open_, _ = exempted(rule.id, violations, exemptions, datetime.now(UTC).date())
        for violation in open_:
            report(violation.message, violation.urn)

    return StackValidationPolicy(
        name=rule.id,
        description=rule.summary,
        validate=validate,
        enforcement_level=EnforcementLevel.MANDATORY,
        config_schema=PolicyConfigSchema(properties=dict(rule.schema)) if rule.schema else None,
    )


def _inputs() -> ResourceValidationPolicy:
    """Reports nothing: it keeps the inputs, because the rules look at all resources together."""

    def validate(args: ResourceValidationArgs, _: ReportViolation) -> None:
        _INPUTS[args.urn] = plain(args.props)

    return ResourceValidationPolicy(
        name="inputs",
        description="Keeps the inputs of each resource for the other rules.",
        validate=validate,
        enforcement_level=EnforcementLevel.ADVISORY,
    )


def _listing(exemptions: tuple[Exemption, ...]) -> StackValidationPolicy:
    """Exemptions are seen in every preview, and so are those whose end has passed."""

    def validate(_: StackValidationArgs, report: ReportViolation) -> None:
        for line in listing(exemptions, datetime.now(UTC).date()):
            report(line)

    return StackValidationPolicy(
        name="exemptions",
        description="Exemptions from the other rules, each with its reason and its last day.",
        validate=validate,
        enforcement_level=EnforcementLevel.ADVISORY,
    )


_EXEMPTIONS = load(EXEMPTIONS)
PolicyPack(
    name="llm-d",
    enforcement_level=EnforcementLevel.MANDATORY,
    policies=[_inputs(), *(_policy(rule, _EXEMPTIONS) for rule in RULES), _listing(_EXEMPTIONS)],
)
