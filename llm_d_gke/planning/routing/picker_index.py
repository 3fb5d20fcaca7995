"""Memory of the approximate index of prefixes that a picker configuration of the user's asks for."""

from __future__ import annotations

import math

from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.picker_config.check import parsed_config
from llm_d_gke.quantities import memory_mib

# Of an entry: 60 to 70 (kubernetes-sigs/gateway-api-inference-extension issue 2878).
_ENTRY_BYTES = 65


def check_index(ctx: PlanContext) -> None:
    """The size of an approximate index that a configuration of the user's states, against the picker's memory."""
    document = parsed_config(ctx)
    replicas = max(m.autoscaling.maximum if m.autoscaling is not None else m.replicas for m in ctx.settings.models)
    for number, entry in enumerate(document.plugins if document else ()):
        entries = (entry.parameters or {}).get("lruCapacityPerServer")
        if not isinstance(entries, int) or (entry.parameters or {}).get("autoTune", True):
            continue
        mib = entries * replicas * _ENTRY_BYTES / 2**20
        if mib > memory_mib(ctx.settings.picker.memory):
            ctx.warning(
                "LLMD-PICKER-INDEX-MEMORY",
                f"picker.config.plugins[{number}].parameters",
                value=f"lruCapacityPerServer: {entries}",
                replicas=replicas,
                mib=mib,
                memory=ctx.settings.picker.memory,
                gib=math.ceil(mib / 1024) + 1,
            )
