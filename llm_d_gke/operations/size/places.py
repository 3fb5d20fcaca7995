"""Finds the zones that a location on the command line means."""

from __future__ import annotations

from llm_d_gke.catalog import Catalog
from llm_d_gke.catalog.schema import region_of
from llm_d_gke.operations.size.errors import SizeError
from llm_d_gke.planning.suggest import nearest


def zones_in(catalog: Catalog, location: str) -> frozenset[str]:
    """The zones with accelerators in a zone, a region, or all regions that start with the text: `europe`, `us-east`.

    Upper and lower case are the same. Raises SizeError with the nearest region or zone if there is none.
    """
    zones = {zone for accelerator in catalog.accelerators.values() for zone in accelerator.zones}
    text = location.strip().lower()
    # us-east1 is a region, and not all of us-east10 to us-east19.
    matches = {zone for zone in zones if text in (zone, region_of(zone))} or {
        zone for zone in zones if text and region_of(zone).startswith(text)
    }
    if not matches:
        near = _nearest(text, sorted({*map(region_of, zones), *zones}))
        hint = f"Did you mean {near}? " if near else ""
        raise SizeError(
            f"the catalog has no accelerator in a zone or region {location!r}. {hint}"
            "`make catalog KIND=zones` lists the zones."
        )
    return frozenset(matches)


def _nearest(text: str, places: list[str]) -> str | None:
    """`europe-west4` for `eu-west4`: each part of the name may be abbreviated. Else the place that is written alike."""
    parts = text.split("-")
    abbreviated = [
        place
        for place in places
        if len(names := place.split("-")) == len(parts)
        and all(name.startswith(part) for name, part in zip(names, parts, strict=True))
    ]
    return abbreviated[0] if text and abbreviated else nearest(text, places)
