"""Distances between Google Cloud's zones, by their names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from llm_d_gke.catalog.schema import Accelerator

# Continents in the order in which the others are near, by cables rather than by the map: Africa and the Middle East are
# connected through Europe, South America through North America.
_NEXT = {
    "us": ("us", "northamerica", "southamerica", "europe", "asia", "australia", "me", "africa"),
    "northamerica": ("northamerica", "us", "europe", "southamerica", "asia", "australia", "me", "africa"),
    "southamerica": ("southamerica", "us", "northamerica", "europe", "africa", "asia", "me", "australia"),
    "europe": ("europe", "me", "us", "northamerica", "africa", "asia", "southamerica", "australia"),
    "asia": ("asia", "australia", "me", "us", "europe", "northamerica", "africa", "southamerica"),
    "australia": ("australia", "asia", "us", "northamerica", "me", "europe", "southamerica", "africa"),
    "me": ("me", "europe", "asia", "africa", "us", "northamerica", "australia", "southamerica"),
    "africa": ("africa", "europe", "me", "asia", "us", "southamerica", "northamerica", "australia"),
}

# Parts of North America from the Atlantic to the Pacific: cables of Asia and Australia end at the other coast.
_FROM_THE_ATLANTIC = ("northeast", "east", "south", "central", "west")
_PACIFIC = ("asia", "australia")


def nearest_zones(location: str, zones: Iterable[str]) -> list[str]:
    """Zones in the order of their distance from a zone or a region: its region, its part of the continent, the rest.

    Those of North America begin with the coast that faces another continent.
    """
    return sorted(zones, key=lambda zone: (_distance(location, zone), zone))


def with_zones(fix: str, accelerators: Mapping[str, Accelerator], zones: Sequence[str]) -> str:
    """A fix that names an accelerator, with the zones that offer it where the stack's own do not."""
    for accelerator in (accelerators.get(word) for word in re.findall(r"[\w-]+", fix)):
        if accelerator is not None and not all(accelerator.offered_in(zone) for zone in zones):
            near = nearest_zones(zones[0], accelerator.zones)[:3]
            fix += f"; zones with {accelerator.name}, nearest first: {', '.join(near)}"
    return fix


def is_ai_zone(zone: str) -> bool:
    """Whether a zone is one of those for accelerators only, away from its region's others: us-central1-ai1a."""
    return zone.rpartition("-")[2].startswith("ai")


def _distance(location: str, zone: str) -> tuple[int, int, int, int]:
    continent, area = _parts(location)
    other, other_area = _parts(zone)
    order = _NEXT.get(continent, ())
    far = order.index(other) if other in order else len(order)
    same_region = location.split("-")[:2] == zone.split("-")[:2]
    part, other_part = area.rstrip("0123456789"), other_area.rstrip("0123456789")
    inland = 0
    if other in ("us", "northamerica") and other != continent and other_part in _FROM_THE_ATLANTIC:
        inland = _FROM_THE_ATLANTIC.index(other_part) * (-1 if continent in _PACIFIC else 1)
    # West of Europe is not near the west of America.
    same_area = continent == other and part == other_part
    return far, 0 if same_region else 1, 0 if same_area else 1, inland


def _parts(location: str) -> tuple[str, str]:
    """`europe-west4-a` as `europe` and `west4`."""
    continent, _, rest = location.partition("-")
    return continent, rest.partition("-")[0]
