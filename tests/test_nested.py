"""Values inside nested maps and lists are found by their path, and a path that leads nowhere has the default."""

from __future__ import annotations

from types import MappingProxyType

import pytest

from llm_d_gke.nested import plain, value_at

TREE = {"spec": {"ports": [{"port": 80}, {"port": 443}], "replicas": 0, "host": None, "a.b": 1, 3: "three"}}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ((), TREE),
        (("spec", "ports", 1, "port"), 443),
        (("spec", "replicas"), 0),
        (("spec", "host"), None),
        (("spec", "a.b"), 1),
        (("spec", 3), "three"),
    ],
)
def test_a_value_is_found(path: tuple[str | int, ...], expected: object) -> None:
    assert value_at(TREE, *path, default="nothing") == expected


@pytest.mark.parametrize(
    "path",
    [
        ("status",),
        ("spec", "ports", 2),
        ("spec", "ports", -1),
        ("spec", "ports", "port"),
        ("spec", "replicas", "x"),
        ("spec", "host", "x"),
        ("spec", "a", "b"),
        (0,),
    ],
)
def test_a_path_that_leads_nowhere_has_the_default(path: tuple[str | int, ...]) -> None:
    assert value_at(TREE, *path) is None
    assert value_at(TREE, *path, default="nothing") == "nothing"


def test_mappings_and_tuples_become_what_json_and_yaml_write() -> None:
    assert plain(MappingProxyType({"a": ({"b": 1}, "c"), "d": None})) == {"a": [{"b": 1}, "c"], "d": None}
