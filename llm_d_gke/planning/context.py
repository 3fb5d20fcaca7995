"""The context of a plan: facts that most planners need, resolved once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from llm_d_gke.catalog import Catalog
from llm_d_gke.catalog.pickers import Picker
from llm_d_gke.catalog.release import EngineImage, Release
from llm_d_gke.catalog.schema import Accelerator, MachineType, region_of
from llm_d_gke.planning import names
from llm_d_gke.planning.alternatives import machine_of
from llm_d_gke.planning.findings import Findings, setting_value
from llm_d_gke.planning.fix_words import fix_words
from llm_d_gke.planning.hardware_names import accelerator_meant, machine_for_topology
from llm_d_gke.planning.suggest import did_you_mean, nearest_place
from llm_d_gke.planning.zones import nearest_zones
from llm_d_gke.settings import StackSettings

DEFAULT_NAMESPACE = "llm-d-inference-scheduling"

# Kubernetes label of a stack's own nodes, with its name. Stacks may share a cluster.
STACK_NODES = "llm-d.ai/stack"

# GKE's label and taint of the nodes of a ComputeClass, with its name.
COMPUTE_CLASS_LABEL = "cloud.google.com/compute-class"

# Label of a stack's own resources in Google Cloud, with its name.
STACK_LABEL = "llm-d-stack"

Role = Literal["both", "decode", "prefill"]


@dataclass(frozen=True, kw_only=True)
class PlanContext:
    """The facts and settings that all planners of one stack read.

    `zones` are those of the accelerator pool; `per_node` counts accelerators on one of its nodes; `chips` those of a
    whole slice, which is one node except on multi-host TPU topologies (`hosts` above 1). `role` is what the model
    servers here do.
    """

    stack: str
    settings: StackSettings
    catalog: Catalog
    findings: Findings
    region: str
    zones: tuple[str, ...]
    accelerator: Accelerator
    machine: MachineType
    per_node: int
    topology: str | None
    hosts: int
    chips: int
    release: Release
    transfers_kv_cache: bool
    role: Role = "both"
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def engine_image(self) -> EngineImage:
        """The release's own engine image for this accelerator and pattern."""
        image = self.release.engine.image_for(self.accelerator, disaggregated=self.transfers_kv_cache)
        # resolve_context makes no context without one.
        assert image is not None
        return image

    @property
    def namespace(self) -> str:
        """The Kubernetes namespace, as set. Stacks may share an existing cluster: the default then names the stack."""
        settings = self.settings
        suffix = self.stack if settings.cluster.existing is not None else ""
        return settings.namespace.name or names.join(DEFAULT_NAMESPACE, suffix)

    @property
    def autopilot(self) -> bool:
        """Whether GKE creates all nodes, so that the stack has no node pools."""
        return self.settings.cluster.mode == "autopilot"

    @property
    def own_nodes(self) -> Mapping[str, str]:
        """The label of the stack's nodes, and what its pods select: neither runs on another stack's nodes.

        Autopilot decides which pods share a node.
        """
        return {} if self.autopilot else {STACK_NODES: names.slug(self.stack)}

    @property
    def compute_class(self) -> str | None:
        """The name of the site's ComputeClass, which is cluster-wide. None where it has a node pool."""
        if self.settings.accelerator.compute_class is None:
            return None
        role = "" if self.role == "both" else self.role
        return names.join(self.stack, self.accelerator.name.removeprefix("nvidia-"), role)

    @property
    def picker(self) -> Picker:
        """The release's endpoint picker, with all its plugins."""
        return self.catalog.pickers[self.release.picker.build]

    def error(self, rule_id: str, /, *path: str | int, **texts: Any) -> None:
        """Report an error at a setting: `add_finding` where it is certain that the stack cannot work."""
        self.add_finding(rule_id, *path, certain=True, **texts)

    def warning(self, rule_id: str, /, *path: str | int, **texts: Any) -> None:
        """Report a warning at a setting."""
        self.add_finding(rule_id, *path, certain=False, **texts)

    def add_finding(self, rule_id: str, /, *path: str | int, certain: bool, **texts: Any) -> None:
        """Report an error or a warning to `findings`, with `facts` for its texts.

        Unless `value` is given, it is the setting's own.
        """
        if "value" not in texts:
            texts["value"] = setting_value(self.settings, *path)
        (self.findings.error if certain else self.findings.warning)(rule_id, *path, **(self.facts | texts))

    @property
    def facts(self) -> dict[str, Any]:
        """What the text of any rule may name, without being given it."""
        return {
            "accelerator": self.accelerator.title,
            "hosts": self.hosts,
            "machine": self.machine.name,
            "per_node": self.per_node,
            "picker": self.picker.title,
            "region": self.region,
            "release": self.release.name,
            "topology": self.topology,
            **fix_words(self.settings),
        }


def resolve_context(
    stack: str, settings: StackSettings, catalog: Catalog, findings: Findings, *, transfers_kv_cache: bool
) -> PlanContext | None:
    """Look up accelerator, machine type, zones and release of a stack.

    `transfers_kv_cache` is the pattern's property of this name. It selects the engine image, because some releases have
    another one with a KV connector. Returns None, with findings, if one of them is unknown.
    """
    release = _release(settings, catalog, findings)
    accelerator = _accelerator(settings, catalog, findings)
    if accelerator is None:
        return None
    # Each is checked where an earlier one is wrong, too, so that one report has all of it.
    machine = _machine(settings, catalog, accelerator, findings)
    has_image = release is not None and _has_image(
        release, accelerator, settings, catalog, findings, transfers_kv_cache=transfers_kv_cache
    )
    shape = _node_shape(settings, machine, accelerator, catalog, findings) if machine is not None else None
    zones = _zones(settings, accelerator, findings)
    if release is None or machine is None or shape is None or not has_image:
        return None
    per_node, topology, hosts = shape
    return PlanContext(
        stack=stack,
        settings=settings,
        catalog=catalog,
        findings=findings,
        region=region_of(settings.location),
        zones=zones,
        accelerator=accelerator,
        machine=machine,
        per_node=per_node,
        topology=topology,
        hosts=hosts,
        chips=per_node * hosts,
        release=release,
        transfers_kv_cache=transfers_kv_cache,
        labels=dict(settings.labels) | {STACK_LABEL: names.slug(stack)},
    )


def _release(settings: StackSettings, catalog: Catalog, findings: Findings) -> Release | None:
    release = catalog.releases.get(settings.release)
    if release is None:
        findings.error(
            "LLMD-RELEASE-UNKNOWN",
            "release",
            value=settings.release,
            fix=did_you_mean(settings.release, list(catalog.releases)),
        )
        return None
    return _with_picker(release, settings, catalog, findings)


def _accelerator(settings: StackSettings, catalog: Catalog, findings: Findings) -> Accelerator | None:
    type_ = settings.accelerator.type
    accelerator = catalog.accelerators.get(type_)
    if accelerator is None:
        findings.error(
            "LLMD-ACCELERATOR-UNKNOWN", "accelerator.type", value=type_, fix=accelerator_meant(type_, catalog)
        )
    return accelerator


def _has_image(
    release: Release,
    accelerator: Accelerator,
    settings: StackSettings,
    catalog: Catalog,
    findings: Findings,
    *,
    transfers_kv_cache: bool,
) -> bool:
    """Whether the release has an engine image for the accelerator and the pattern; an error where it has none."""
    if release.engine.image_for(accelerator, disaggregated=transfers_kv_cache) is None:
        releases = [
            other.name
            for other in catalog.releases.values()
            if other.engine.image_for(accelerator, disaggregated=transfers_kv_cache) is not None
        ]
        findings.error(
            "LLMD-RELEASE-ACCELERATOR",
            "release",
            value=settings.release,
            accelerator=accelerator.title,
            releases=", ".join(releases),
        )
        return False
    return True


def _with_picker(release: Release, settings: StackSettings, catalog: Catalog, findings: Findings) -> Release:
    """The release, with the picker of the one that `picker.release` names."""
    name = settings.picker.release
    if name is None or name == release.name:
        return release
    other = catalog.releases.get(name)
    if other is None:
        findings.error(
            "LLMD-PICKER-RELEASE-UNKNOWN", "picker.release", value=name, fix=did_you_mean(name, list(catalog.releases))
        )
        return release
    findings.warning(
        "LLMD-PICKER-RELEASE",
        "picker.release",
        value=name,
        picker=other.picker.version,
        release=release.name,
        own_picker=release.picker.version,
    )
    return release.with_picker_of(other)


def _machine(
    settings: StackSettings, catalog: Catalog, accelerator: Accelerator, findings: Findings
) -> MachineType | None:
    fitting = catalog.machines_for(accelerator.name)
    names = [machine.name for machine in fitting]
    machine_type = settings.accelerator.machine_type
    if machine_type is None:
        topology = settings.accelerator.topology or ""
        # The one host of a topology, which another machine type would be part of; else the host of its slices.
        slices = [machine for machine in fitting if topology in machine.topologies]
        fewest = min(slices, key=lambda machine: machine.topologies[topology], default=None)
        return fewest or catalog.default_machine(accelerator.name)
    if machine_type not in names:
        findings.error(
            "LLMD-MACHINE-TYPE",
            "accelerator.machineType",
            value=machine_type,
            accelerator=accelerator.title,
            fix=did_you_mean(machine_type, names),
        )
        return None
    return catalog.machines[machine_type]


def _node_shape(
    settings: StackSettings, machine: MachineType, accelerator: Accelerator, catalog: Catalog, findings: Findings
) -> tuple[int, str | None, int] | None:
    """Accelerators per node, topology, hosts of a slice."""
    accelerator_settings = settings.accelerator
    if accelerator.kind == "tpu":
        topology = accelerator_settings.topology or machine.default_topology
        named = accelerator_settings.machine_type is not None
        if topology is None or topology not in machine.topologies:
            findings.error(
                "LLMD-TOPOLOGY",
                "accelerator.topology",
                value=topology or "(missing)",
                machine=machine.name if named else accelerator.title,
                fix=machine_for_topology(topology, machine, accelerator, catalog, is_default=not named),
            )
            return None
        if accelerator_settings.per_node is not None and accelerator_settings.per_node != machine.accelerator_count:
            findings.error(
                "LLMD-PER-NODE-TPU",
                "accelerator.perNode",
                value=accelerator_settings.per_node,
                machine=machine.name,
                accelerator_count=machine.accelerator_count,
            )
        return machine.accelerator_count, topology, machine.topologies[topology]
    if accelerator_settings.topology is not None:
        findings.error("LLMD-TOPOLOGY-GPU", "accelerator.topology", value=accelerator_settings.topology)
    counts = machine.counts_of(accelerator.name)
    per_node = accelerator_settings.per_node or counts[0]
    if per_node not in counts:
        other = machine_of(catalog, accelerator.name, per_node)
        findings.error(
            "LLMD-PER-NODE",
            "accelerator.perNode",
            case="counts" if other is None else "other-machine",
            value=per_node,
            machine=machine.name,
            counts=" or ".join(map(str, counts)),
            accelerator=accelerator.title,
            fewest=counts[0],
            other=other,
        )
        return None
    return per_node, None, 1


def _zones(settings: StackSettings, accelerator: Accelerator, findings: Findings) -> tuple[str, ...]:
    location = settings.location
    region = region_of(location)
    zonal = location != region
    zones: tuple[str, ...]
    path: tuple[str, ...]
    if settings.accelerator.zones:
        zones, path = settings.accelerator.zones, ("accelerator", "zones")
        for zone in zones:
            if region_of(zone) != region:
                offered = [name for name in accelerator.zones if region_of(name) == region]
                findings.error(
                    "LLMD-ZONE-REGION",
                    *path,
                    value=zone,
                    region=region,
                    fix=f"use zones of {region}" + (f": {', '.join(offered)}" if offered else ""),
                )
            elif zonal and zone != location:
                findings.error("LLMD-ZONE-CLUSTER", *path, value=zone, location=location, region=region)
    elif zonal:
        zones, path = (location,), ("location",)
    else:
        zones, path = tuple(zone for zone in accelerator.zones if region_of(zone) == region), ("location",)
    # Zones of another region are reported already.
    inside = [zone for zone in zones if region_of(zone) == region]
    missing = [zone for zone in inside if accelerator.offered_in(zone) is not True] or ([] if zones else [region])
    if missing:
        near = nearest_zones(missing[0], accelerator.zones)
        if path[0] == "accelerator":
            # Only a zone of the stack's region can take the place of one.
            near = [zone for zone in near if region_of(zone) == region] or near
        # Where the published lists are incomplete, absence proves nothing.
        refuse = any(accelerator.offered_in(zone) is False for zone in missing)
        (findings.error if refuse else findings.warning)(
            "LLMD-ZONE-OFFERS",
            *path,
            value=", ".join(missing),
            rule=f"{accelerator.title} is not offered there"
            + ("" if refuse else ", as far as the catalog knows: its list is incomplete"),
            fix=_other_zones(location, near, accelerator),
        )
    return zones


def _other_zones(location: str, near: Sequence[str], accelerator: Accelerator) -> str:
    if not near:
        return "look it up in Google's list of regions and zones"
    regions = sorted({region_of(zone) for zone in accelerator.zones})
    places = [] if region_of(location) in regions else [*accelerator.zones, *regions]
    misspelled = nearest_place(location, places, 0.85)
    question = f"did you mean {misspelled}? Otherwise " if misspelled else ""
    others = [zone for zone in near if zone != misspelled] or near
    return f"{question}use one of {', '.join(others[:6])}{' (nearest first)' if len(others) > 1 else ''}"
