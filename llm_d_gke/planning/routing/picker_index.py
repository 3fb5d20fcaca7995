"""Memory of a picker: its own, and that of an index of prefixes that the user configures."""

from __future__ import annotations

import math

from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.picker_config.check import parsed_config
from llm_d_gke.quantities import memory_mib
from llm_d_gke.wording import count

# Of an entry: 60 to 70 (kubernetes-sigs/gateway-api-inference-extension issue 2878).
_ENTRY_BYTES = 65

# MiB that the endpoint picker v1.5.0 took (RSS) with one replica and no request, in a rehearsal of 2026-11-29. Requests
# and replicas come on top, and a limit that it barely fits ends it at the first ones.
_BARE_MIB, _LEAST_MIB = 60, 128


def check_memory(ctx: PlanContext) -> None:
    """A limit within which a picker hardly starts."""
    if memory_mib(ctx.settings.picker.memory) < _LEAST_MIB:
        ctx.warning("LLMD-PICKER-MEMORY", "picker.memory", bare=_BARE_MIB, least=_LEAST_MIB)


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
                replicas=count(replicas, "replica"),
                mib=mib,
                memory=ctx.settings.picker.memory,
                gib=math.ceil(mib / 1024) + 1,
            )
