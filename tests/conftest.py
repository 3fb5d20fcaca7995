"""What tests of several folders share: the recorded graphs of both stacks, and which tests run beside which."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from rehearsal.graph import Graph
from tests.stacks import STACKS, graph_of


@pytest.hookimpl(tryfirst=True)  # before the plugin that reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Two processes share the tests, a file at a time: a file's fixtures are made once.

    The rehearsals come first. They are long and wait much: at the end one process would run them alone.
    """
    items.sort(key=lambda item: "e2e" not in item.path.parts)
    for item in items:
        if item.get_closest_marker("xdist_group") is not None:
            continue
        shares = "running" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("running" if shares else str(item.path)))


@pytest.fixture(scope="session")
def gpu() -> Graph:
    """Preview of the gpu stack as its file stands."""
    return graph_of("gpu")


@pytest.fixture(scope="session")
def tpu() -> Graph:
    """Preview of the tpu stack as its file stands."""
    return graph_of("tpu")


@pytest.fixture(scope="session", params=STACKS)
def either(request: pytest.FixtureRequest) -> Graph:
    """Each of both stacks in turn."""
    return graph_of(request.param)


@pytest.fixture(scope="session", autouse=True)
def _collected() -> Iterator[None]:
    """What failed runs of the SDK left behind complains here, and not after the runner's last line."""
    yield
    gc.collect()
