"""Common fixtures of several folders: recorded graphs of both stacks, and the distribution of tests over processes."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from llm_d_gke.resource_graph import Graph
from tests.stacks import STACKS, graph_of

# Files whose tests look at the same running stacks, in this order, and those whose tests each start from nothing.
TOGETHER = (("test_running", "test_failures", "test_teardown"), ("test_groups", "test_controllers"))
SEPARATE = ("test_tour", "test_documented_commands")
# Files that plan the same examples of rules, or record the graphs of all stacks, which one process does once.
SHARED = (
    ("test_engine_support", "test_findings", "test_mistakes"),
    ("test_bootstrap", "test_eject", "test_examples", "test_namespaces", "test_network_policies"),
)

# Modules, tests and the catalog are most of a worker's objects and stay until its end: the collector visits them less.
gc.set_threshold(50_000)

# On a busy machine an example may take any time to draw and to check.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

_FIRST_OF = {name: files[0] for files in (*TOGETHER, *SHARED) for name in files}
_ORDER = [name for files in TOGETHER for name in files]


class Scopes(LoadScopeScheduling):  # type: ignore[misc]  # its package has no types
    """Distributes tests to processes by file, so that the resources of a file are created once."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        name = Path(file).stem
        return _FIRST_OF.get(name) or (nodeid if name in SEPARATE else file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scopes:
    return Scopes(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The rehearsals run first, the longest one at the head, so that no long one is last.

    Tests with real vLLM run only where `-m` names them: it takes 2 GB to install. So do those of
    programs in TypeScript and Go, which need npm and a compiler, and the rehearsals of many minutes.
    """
    left_out = [
        item
        for item in items
        for marker in ("slow", "engine", "languages")
        if marker not in (config.option.markexpr or "") and item.get_closest_marker(marker)
    ]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)

    def place(item: pytest.Item) -> int:
        name = item.path.stem
        if name in _ORDER:
            return _ORDER.index(name)
        return len(_ORDER) + (0 if name in SEPARATE else 1 if item.get_closest_marker("rehearsal") else 2)

    items.sort(key=place)
    gc.freeze()


@pytest.fixture(scope="session")
def gpu() -> Graph:
    """Preview of the gpu stack with its unchanged file."""
    return graph_of("gpu")


@pytest.fixture(scope="session")
def tpu() -> Graph:
    """Preview of the tpu stack with its unchanged file."""
    return graph_of("tpu")


@pytest.fixture(scope="session", params=STACKS)
def either(request: pytest.FixtureRequest) -> Graph:
    """Each of both stacks in turn."""
    return graph_of(request.param)


@pytest.fixture(scope="session", autouse=True)
def _collected() -> Iterator[None]:
    """Warnings about leftovers of failed SDK runs appear here, and not after the runner's last line."""
    yield
    gc.collect()
