"""Findings that do not depend on the accelerator or the release, for stacks where one of them is unknown.

Without accelerator, machine type or release there is no plan, and mistakes elsewhere in the file would be reported only
after the next attempt. So the stack is planned with a stand-in, and the findings that do not follow from it are kept.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection

from llm_d_gke.catalog import Catalog
from llm_d_gke.planning.context import Findings
from llm_d_gke.planning.findings import Finding
from llm_d_gke.planning.rules import load_subject
from llm_d_gke.settings import StackSettings
from llm_d_gke.settings.accelerator import AcceleratorSettings

_SUBJECTS = ("access", "autoscaling", "gateway", "network", "picker", "routing", "without_effect")
_SUBJECTS_WITHOUT_MODELS = ("access", "gateway", "network")
_OF_MODELS = (
    "LLMD-CONTEXT-LENGTH",
    "LLMD-ENV-ALLOWED",
    "LLMD-ENV-API-KEY",
    "LLMD-ENV-SECRET",
    "LLMD-EXTRA-ARGS-ALLOWED",
    "LLMD-GATED-TOKEN",
    "LLMD-LOAD-LENGTH",
    "LLMD-LOAD-ONE-MEASURE",
    "LLMD-MODEL-CASE",
    "LLMD-MODEL-FORMAT",
    "LLMD-MODEL-KIND",
    "LLMD-MODEL-ORGANIZATION",
    "LLMD-MODEL-UNKNOWN",
    "LLMD-SPLIT-NAME",
    "LLMD-SPLIT-ZERO",
)
# Sizes of pools and nodes are the stand-in's.
_OF_HARDWARE = ("LLMD-CIDR-NODES", "LLMD-ADDON-ROOM", "LLMD-PICKER-RELEASE")
# Findings about the file's own accelerator or release, which stand-ins for other settings do not change.
_OF_NAMES = ("LLMD-ACCELERATOR-UNKNOWN", "LLMD-MACHINE-TYPE", "LLMD-NODES-MIN-MAX", "LLMD-RELEASE-UNKNOWN")
_STAND_IN = "nvidia-l4"

Judge = Callable[[StackSettings, Findings], object]


def is_independent(finding: Finding, stand_ins: Collection[str]) -> bool:
    """Whether a finding does not follow from values that stand in for required settings of these names."""
    if not stand_ins:
        return True
    independent = _rules_of(_SUBJECTS_WITHOUT_MODELS) if "models" in stand_ins else _independent()
    return finding.id in independent or finding.id in _OF_NAMES


def _independent() -> frozenset[str]:
    return _rules_of(_SUBJECTS) | frozenset(_OF_MODELS)


@functools.cache
def _rules_of(subjects: tuple[str, ...]) -> frozenset[str]:
    """Ids of the rules of subjects, less those that follow from the hardware."""
    return frozenset(rule_id for subject in subjects for rule_id in load_subject(subject).rules) - set(_OF_HARDWARE)


def independent_findings(settings: StackSettings, catalog: Catalog, reported: Findings, judge: Judge) -> list[Finding]:
    """Findings of the plan with a stand-in accelerator and release, without those that follow from the stand-ins."""
    accelerator = AcceleratorSettings(type=_STAND_IN, nodes=settings.accelerator.nodes)
    changes: dict[str, object] = {"accelerator": accelerator}
    if settings.prefill_accelerator is not None:
        changes["prefill_accelerator"] = accelerator
    if settings.release not in catalog.releases:
        changes["release"] = StackSettings.model_fields["release"].default
    collected = Findings()
    judge(settings.model_copy(update=changes), collected)
    already_reported = {(finding.id, finding.path) for finding in reported}
    return [
        finding
        for finding in collected
        if finding.id in _independent() and (finding.id, finding.path) not in already_reported
    ]
