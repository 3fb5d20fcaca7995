"""The order of zones by their distance."""

from __future__ import annotations

import pytest

from llm_d_gke.planning.zones import nearest_zones

ZONES = ["europe-west4-a", "us-west1-c", "us-central1-a", "us-east5-a", "us-south1-a", "asia-northeast1-b"]


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("europe-west3-a", ["europe-west4-a", "us-east5-a", "us-south1-a", "us-central1-a", "us-west1-c"]),
        ("asia-east1-a", ["asia-northeast1-b", "us-west1-c", "us-central1-a", "us-south1-a", "us-east5-a"]),
        ("us-west4-a", ["us-west1-c", "us-central1-a", "us-east5-a", "us-south1-a", "europe-west4-a"]),
    ],
)
def test_another_continent_begins_with_the_coast_that_faces_it(location: str, expected: list[str]) -> None:
    assert nearest_zones(location, ZONES)[:5] == expected
