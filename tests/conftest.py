"""What tests of several folders share: the recorded graphs of both stacks, and which tests run beside which."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from rehearsal.graph import Graph
from tests.stacks import STACKS, graph_of


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The rehearsals come first: two processes take a file each, and at the end one would be alone with a long one."""
    items.sort(key=lambda item: "e2e" not in item.path.parts)


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
