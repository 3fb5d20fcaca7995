"""What pods request of GKE Autopilot: the nodes of accelerators, and room for pods that keep apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.platform.engine_images import driver_version
from llm_d_gke.quantities import cpu_millis
from llm_d_gke.settings.picker import PickerSettings
from llm_d_gke.settings.router import RouterSettings

# Thousandths of a vCPU that Autopilot requires of pods with pod anti-affinity.
_MIN_SEPARATE_MILLIS = 500

_Size = TypeVar("_Size", PickerSettings, RouterSettings)


def autopilot_selector(ctx: PlanContext) -> Mapping[str, str]:
    """Node selectors of a pod other than the accelerator type: how many the node has, driver, spot and zone.

    Without the number, Autopilot would place one pod on each GPU node, whatever the pod requests.
    """
    selector: dict[str, str] = {}
    if ctx.accelerator.kind == "gpu":
        selector["cloud.google.com/gke-accelerator-count"] = str(ctx.per_node)
        driver = driver_version(ctx)
        if driver is not None:
            selector["cloud.google.com/gke-gpu-driver-version"] = driver.lower()
    elif ctx.topology is not None:
        selector["cloud.google.com/gke-tpu-topology"] = ctx.topology
    if ctx.settings.accelerator.provisioning == "spot":
        selector["cloud.google.com/gke-spot"] = "true"
    zones = ctx.settings.accelerator.zones
    if len(zones) == 1:
        selector["topology.kubernetes.io/zone"] = zones[0]
    return selector


def spreadable_size(ctx: PlanContext, size: _Size) -> _Size:
    """Settings of pods without accelerators, with the CPU that Autopilot requires where they keep apart.

    It refuses pods with pod anti-affinity that request less ("lower than the Autopilot minimum required of '500m' for
    using pod anti affinity"; docs.cloud.google.com/kubernetes-engine/docs/concepts/autopilot-resource-requests).
    """
    if not ctx.autopilot or size.replicas == 1 or cpu_millis(size.cpu) >= _MIN_SEPARATE_MILLIS:
        return size
    return size.model_copy(update={"cpu": f"{_MIN_SEPARATE_MILLIS}m"})
