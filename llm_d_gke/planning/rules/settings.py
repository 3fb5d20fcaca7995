"""Rules about single settings: spelling, types, ranges and choices."""

from __future__ import annotations

from llm_d_gke.planning.rules.rule import Rule

RULES = (
    Rule(
        "LLMD-MONITORING-OFF",
        summary="A dashboard or alerts are enabled, and monitoring is off.",
        why="Dashboards and alerts read the metrics that monitoring collects.",
        fix="Set `monitoring.enabled: true`, or remove them.",
        basis="project",
    ),
    Rule(
        "LLMD-SETTING-UNKNOWN",
        summary="There is no setting of this name.",
        why="A key that nothing reads changes nothing, and the value its author meant stays the default.",
        fix="Correct the spelling, or move the key to the group named in the message.",
        basis="project",
    ),
    Rule(
        "LLMD-SETTING-MISSING",
        summary="A required setting is missing.",
        why="No default fits every stack.",
        fix="Add it with a value of your own.",
        basis="project",
    ),
    Rule(
        "LLMD-SETTING-CHOICE",
        summary="The value is not one of the choices.",
        why="The setting takes one of a fixed list of values.",
        fix="Use a value of the list.",
        basis="project",
    ),
    Rule(
        "LLMD-SETTING-KIND",
        summary="The group of settings does not say which kind it is.",
        why="The group has several kinds with different settings, and `kind` tells which is meant.",
        fix="Add `kind`.",
        basis="project",
    ),
    Rule(
        "LLMD-SETTING-TYPE",
        summary="The value is of the wrong type.",
        why="A number, a flag, a text, a list and a group of settings are written differently in YAML.",
        fix="Write the value as the message shows.",
        basis="project",
    ),
    Rule(
        "LLMD-SETTING-RANGE",
        summary="The value is too small, too large, too short or too long.",
        why="A value outside of the bounds is refused by Kubernetes, Google Cloud or vLLM.",
        fix="Use a value between the bounds.",
        basis="project",
    ),
    Rule(
        "LLMD-SETTING-FORM",
        summary="The text does not have the form that this setting needs.",
        why="The text becomes a name or a quantity whose form Kubernetes, Google Cloud or the Hub prescribes.",
        fix="Write it in the form that the message describes.",
        source="kubernetes.io/docs/concepts/overview/working-with-objects/names;"
        " cloud.google.com/compute/docs/naming-resources",
    ),
    Rule(
        "LLMD-SETTING-QUOTED",
        severity="warning",
        summary="A number or a flag is in quotes.",
        why="YAML reads a value in quotes as text. It is converted here, but the next reader or tool may not"
        " expect that.",
        fix="Remove the quotes.",
        source="yaml.org/spec/1.2.2, Recommended Schemas",
    ),
    Rule(
        "LLMD-PROVIDER-SETTING",
        summary="A setting of a Pulumi provider contradicts the stack's settings, or nothing reads it.",
        why="The stack creates its own providers, with the project, place and cluster of its `llm-d:` settings.",
        fix="Remove it, or say it where the message shows.",
        source="pulumi.com/docs/iac/concepts/resources/providers (Explicit provider configuration)",
    ),
)
