"""Findings that do not depend on the accelerator or the release, for stacks where one of them is unknown.

Without accelerator, machine type or release there is no plan, and mistakes elsewhere in the file would be reported only
after the next attempt. So the stack is planned with what the finding proposes; or with a stand-in, and the findings
that do not follow from it are kept.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection

from llm_d_gke.catalog import Catalog
from llm_d_gke.planning.alternatives import machine_of
from llm_d_gke.planning.findings import Finding, Findings, Severity, path_of
from llm_d_gke.planning.rules import load_subject
from llm_d_gke.planning.suggest import nearest
from llm_d_gke.settings import StackSettings
from llm_d_gke.settings.accelerator import AcceleratorSettings

_SUBJECTS = ("access", "autoscaling", "gateway", "network", "picker", "routing", "without_effect")
# With accelerator and release, whatever its machines are.
_SUBJECTS_OF_NAMES = (
    *_SUBJECTS,
    *(
        "cluster",
        "engine",
        "engine_features",
        "fleet",
        "kserve",
        "location",
        "models",
        "picker_config",
        "settings",
        "stack",
    ),
)
_OF_MACHINE = (
    "LLMD-BATCH-MEDIA",
    "LLMD-BATCH-SEQUENCES",
    "LLMD-CLAIM-NODES",
    "LLMD-ENGINE-CONFLICT",
    "LLMD-ENGINE-MODEL-FEATURE",
    "LLMD-ENGINE-PARTS",
    "LLMD-EXPERTS-KERNEL",
    "LLMD-KV-BLOCK-RAISED",
    "LLMD-KV-OFFLOAD-MEMORY",
    "LLMD-SPECULATION-PIPELINE",
)
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
    """What else is wrong in a stack whose accelerator, machine type or release is unknown.

    A machine type or a release is read as the one that its finding proposes, which makes a whole plan. Where none is
    proposed, the stack is planned with a stand-in accelerator and release, and what follows from these is left out.
    """
    already_reported = {(finding.id, finding.path) for finding in reported}
    proposed = _as_proposed(settings, catalog, already_reported)
    collected = Findings()
    if proposed is None or judge(proposed, collected) is None:
        settings, judged = _with_stand_ins(proposed or settings, catalog)
        of_stand_ins = Findings()
        judge(settings, of_stand_ins)
        collected = Findings(finding for finding in of_stand_ins if finding.id in judged)
    # A warning about a value that is only proposed is not about the stack.
    wrong = {finding.path for finding in reported if finding.id in (*_OF_NAMES, "LLMD-PER-NODE")}
    return [
        finding
        for finding in collected
        if (finding.id, finding.path) not in already_reported
        and not (finding.severity is Severity.WARNING and finding.path in wrong)
    ]


def _with_stand_ins(settings: StackSettings, catalog: Catalog) -> tuple[StackSettings, frozenset[str]]:
    """Settings that can be planned, and the rules that say the same of the stack's own.

    An accelerator that is known keeps its name and gets its usual machine.
    """
    pools = {"accelerator": settings.accelerator, "prefill_accelerator": settings.prefill_accelerator}
    changes: dict[str, object] = {}
    all_known = settings.release in catalog.releases
    for key, pool in pools.items():
        if pool is not None:
            is_known = pool.type in catalog.accelerators
            all_known = all_known and is_known
            changes[key] = AcceleratorSettings(type=pool.type if is_known else _STAND_IN, nodes=pool.nodes)
    if settings.release not in catalog.releases:
        changes["release"] = StackSettings.model_fields["release"].default
    judged = _rules_of(_SUBJECTS_OF_NAMES) - frozenset(_OF_MACHINE) if all_known else _independent()
    return settings.model_copy(update=changes), judged


def _as_proposed(
    settings: StackSettings, catalog: Catalog, reported: Collection[tuple[str, str]]
) -> StackSettings | None:
    """The settings with the values that findings propose. None if none of them proposes a single value."""
    changes: dict[str, object] = {}
    release = nearest(settings.release, catalog.releases)
    if release is not None and settings.release not in catalog.releases:
        changes["release"] = release
    for key, path in (("accelerator", "accelerator"), ("prefill_accelerator", "prefillAccelerator")):
        pool: AcceleratorSettings | None = getattr(settings, key)
        if pool is None:
            continue
        names = [machine.name for machine in catalog.machines_for(pool.type)]
        if ("LLMD-MACHINE-TYPE", path_of(path, "machineType")) in reported:
            close = nearest(pool.machine_type or "", names) or (names[0] if len(names) == 1 else None)
            changes |= {key: pool.model_copy(update={"machine_type": close})} if close else {}
        elif ("LLMD-PER-NODE", path_of(path, "perNode")) in reported:
            machine = machine_of(catalog, pool.type, pool.per_node or 1) or pool.machine_type
            changes[key] = pool.model_copy(update={"machine_type": machine, "per_node": None})
    return settings.model_copy(update=changes) if changes else None
