"""Compares picker configurations: `python -m llm_d_gke.maintenance.routing_trace [--release R] [--groups G ...]`.

The preset of the example prefix-cache-gpu, what this program configured before, a plain Service, and a router that
knows the trace. The picker is the real one; no Envoy, API server or engine runs. Prints the table of
docs/measurements.md.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import statistics
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

from llm_d_gke.catalog import load
from llm_d_gke.maintenance.conformance.programs import binary
from llm_d_gke.maintenance.routing_trace.replay import PickerError, Result, Site, with_oracle, with_picker, with_service
from llm_d_gke.maintenance.routing_trace.trace import Trace
from llm_d_gke.planning import plan_raw
from llm_d_gke.planning.plan.stack import ModelPlan
from llm_d_gke.stackfile import PROJECT_ROOT
from llm_d_gke.stackfile import load as load_stack

STACK = "prefix-cache-gpu"
FILLED = (0.55, 0.8, 0.95)
PROMPTS, WORDS, ZIPF, RATE = 600, 1400, 0.4, 30.0
# Makes a cache in which about 30 of the beginnings have room.
_UTILIZATION = 0.55
_ANSWER_TOKENS = 4

_SCORERS: Final = ("prefix-cache-scorer", "kv-cache-utilization-scorer", "queue-scorer")
_PRODUCER: Final = "approx-prefix-cache-producer"
_BLOCKS: Final = {"blockSizeTokens": 16}
# The plugins of the prefix before the index was sized, by release.
_EARLIER: Final[Mapping[str, Sequence[Mapping[str, Any]]]] = {
    "gaie-1.5": [{"type": _SCORERS[0], "parameters": _BLOCKS}],
    "llm-d-0.6": [{"type": _SCORERS[0], "parameters": _BLOCKS}],
    "llm-d-0.9": [
        {"type": _PRODUCER, "parameters": _BLOCKS},
        {"type": _SCORERS[0], "parameters": {"prefixMatchInfoProducerName": _PRODUCER}},
    ],
}


def earlier(release: str) -> dict[str, Any]:
    """The configuration with weights 3/2/2 that this program wrote until the index was sized."""
    weights = [{"pluginRef": scorer, "weight": weight} for scorer, weight in zip(_SCORERS, (3, 2, 2), strict=True)]
    return {
        "apiVersion": load().releases[release].picker.config_api,
        "kind": "EndpointPickerConfig",
        "plugins": [*_EARLIER[release], *({"type": scorer} for scorer in _SCORERS[1:])],
        "schedulingProfiles": [{"name": "default", "plugins": weights}],
    }


def planned(release: str) -> ModelPlan:
    """The stack's model, with a cache that the traces fill."""
    values = load_stack(PROJECT_ROOT, STACK, {"llm-d:project": "my-project"}).settings()
    [model] = values["models"]
    values = {**values, "release": release, "models": [{**model, "gpuMemoryUtilization": _UTILIZATION}]}
    return plan_raw(STACK, values).models[0]


def site_of(model: ModelPlan) -> Site:
    server = model.servers[0]
    if server.latency is None:
        raise LookupError(f"the catalog does not know the latencies of {model.id}")
    latency = server.latency
    further = (_ANSWER_TOKENS - 1) * latency["inter_token_latency_ms"]
    return Site(
        replicas=server.replicas,
        blocks=latency["kv_cache_blocks"],
        block_tokens=latency["block_size"],
        answer_seconds=(latency["time_to_first_token_ms"] + further) / 1000,
    )


def groups_of(site: Site, filled: float) -> int:
    """How many groups fill this share of all caches."""
    return int(filled * site.replicas * site.blocks / _blocks_of_a_group(site))


def _blocks_of_a_group(site: Site) -> int:
    return math.ceil((WORDS + 20) / site.block_tokens)


def traces(groups: int, seeds: int) -> list[Trace]:
    return [Trace.drawn(groups, ZIPF, PROMPTS, WORDS, seed) for seed in range(1, seeds + 1)]


async def compare(release: str, seeds: int, groups: Sequence[int] = ()) -> None:
    """Replays of one seed run side by side, each with its own picker. Without `groups`, as many as fill the caches."""
    picker = load().releases[release].picker
    program = binary(picker.image, lambda line: print(line, file=sys.stderr))
    if program is None:
        raise PickerError(
            f"{picker.image} is not pinned here and not built. Build it from its repository, and name it: "
            "REHEARSAL_EPP=/path"
        )
    model = planned(release)
    site = site_of(model)
    configurations = {"earlier": earlier(release), "preset": model.picker.config}
    print(
        f"\n{picker.image}: {PROMPTS} prompts (Zipf {ZIPF}), beginnings of {WORDS} words, {RATE:g} requests/s, "
        f"{site.replicas} caches of {site.blocks} blocks of {site.block_tokens} tokens, {seeds} traces\n"
    )
    counts = tuple(groups) or tuple(groups_of(site, filled) for filled in FILLED)
    cells = [(count, name) for count in counts for name in (*configurations, "plain Service")]
    shares: dict[tuple[int, str], list[float]] = {cell: [] for cell in cells}
    results: dict[tuple[int, str], list[Result]] = {cell: [] for cell in cells}
    by_count = {count: traces(count, seeds) for count in counts}
    for seed in range(seeds):
        done = await asyncio.gather(
            *(
                with_picker(by_count[count][seed], site, RATE, program, picker, configurations[name])
                for count, name in cells
                if name in configurations
            )
        )
        measured = iter(done)
        for cell in cells:
            trace = by_count[cell[0]][seed]
            result = next(measured) if cell[1] in configurations else with_service(trace, site)
            shares[cell].append(result.cached / with_oracle(trace, site).cached)
            results[cell].append(result)
    print(
        "| filled | groups | configuration | of oracle, median (least) | "
        "worst replica / mean, median (most) | refused |"
    )
    print("|---|---|---|---|---|---|")
    for count, name in cells:
        share, imbalance = shares[count, name], [result.imbalance for result in results[count, name]]
        filled = count * _blocks_of_a_group(site) / (site.replicas * site.blocks)
        print(
            f"| {filled:.0%} | {count} | {name} | {statistics.median(share):.1%} ({min(share):.1%}) | "
            f"{statistics.median(imbalance):.2f} ({max(imbalance):.2f}) | "
            f"{sum(result.refused for result in results[count, name])} |"
        )


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m llm_d_gke.maintenance.routing_trace")
    parser.add_argument("--release", choices=sorted(_EARLIER), default="gaie-1.5")
    parser.add_argument("--seeds", type=int, default=3, help="traces, each of about 25 s")
    parser.add_argument(
        "--groups", type=int, nargs="+", default=(), help="groups of prompts, in place of those that fill"
    )
    chosen = parser.parse_args(arguments)
    try:
        asyncio.run(compare(chosen.release, chosen.seeds, chosen.groups))
    except (PickerError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
