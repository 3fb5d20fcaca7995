"""What tests of several folders share: the recorded graphs of both stacks, and which tests run beside which."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from resource_graph import Graph
from tests.stacks import STACKS, graph_of

# Files whose tests look at the same running stacks, in this order, and one whose tests each start from nothing.
TOGETHER = ("test_running", "test_failures", "test_teardown")
SEPARATE = "test_tour"


class Scopes(LoadScopeScheduling):  # type: ignore[misc]  # its package has no types
    """Processes that run tests take them by the file, so that what a file brings up is brought up once."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        name = Path(file).stem
        return TOGETHER[0] if name in TOGETHER else nodeid if name == SEPARATE else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scopes:
    return Scopes(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The rehearsals come first, the longest at their head: at the end nobody should be alone with a long one."""

    def place(item: pytest.Item) -> int:
        name = item.path.stem
        if name in TOGETHER:
            return TOGETHER.index(name)
        return len(TOGETHER) + (0 if name == SEPARATE else 1 if item.get_closest_marker("rehearsal") else 2)

    items.sort(key=place)


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
