"""Starts pickers beside an API server that serves only what GKE brings and what the stack installs.

A picker that watches a kind which nothing installs ends there, as it does on GKE. Stacks with KServe are left out: its
chart installs the kinds of the inference extension too, and its controller starts their pickers.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.components.platform.crds import LEGACY_DEFINITION, OBJECTIVE_DEFINITION
from llm_d_gke.components.routing.inference_pool import pool_spec
from llm_d_gke.maintenance.conformance import programs
from llm_d_gke.maintenance.conformance.api_server import ApiServer
from llm_d_gke.maintenance.conformance.rendered import Rendered, shape
from llm_d_gke.planning import StackPlan
from llm_d_gke.planning.plan.platform import InferenceCrdsPlan
from llm_d_gke.planning.plan.stack import ModelPlan
from llm_d_gke.rehearsal.node_agent import probes
from llm_d_gke.rehearsal.node_agent.images_to_binaries import program

PART: Final = "{part} in a cluster"
_SECONDS: Final = 60.0
_PROBE_SECONDS: Final = 3.0


@dataclass(frozen=True)
class Case:
    """A picker of a stack, and what the stack installs and creates for it."""

    namespace: str
    model: ModelPlan
    crds: InferenceCrdsPlan

    @property
    def rendering(self) -> Rendered:
        return Rendered(tuple(self.model.picker.pod.args), self.model.picker.config)

    def definitions(self) -> list[Mapping[str, Any]]:
        """The CRDs that the stack installs, without that of InferencePools: the server's version of GKE brings it."""
        files = {LEGACY_DEFINITION: self.crds.legacy, OBJECTIVE_DEFINITION: self.crds.objectives}
        return [read_yaml(file) for file, installed in files.items() if installed]

    def objects(self) -> list[Mapping[str, Any]]:
        """The namespace and the pool, without which no picker becomes ready."""
        pool = pool_spec(self.model.pool)
        metadata = {"name": self.model.pool.name, "namespace": self.namespace}
        return [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}},
            {"apiVersion": pool.API_VERSION, "kind": pool.KIND, "metadata": metadata, "spec": pool.dump()},
        ]


def cases(plans: Mapping[str, StackPlan], image: str) -> list[Case]:
    """One picker of each shape of arguments and configuration, for each set of kinds that stacks install."""
    by_shape: dict[tuple[str, InferenceCrdsPlan], Case] = {}
    for plan in plans.values():
        for model in plan.models:
            if model.picker.pod.image == image and model.inference_service is None:
                case = Case(plan.namespace.name, model, plan.crds)
                by_shape.setdefault((shape([case.rendering]), plan.crds), case)
    return sorted(by_shape.values(), key=lambda case: len(case.definitions()))


def refusals(server: ApiServer, executable: Path, cases: list[Case]) -> Iterator[str]:
    """Yield why pickers end, or what keeps them from becoming ready."""
    installed: InferenceCrdsPlan | None = None
    for case in cases:
        if case.crds != installed:
            server.withdraw()
            server.define(case.definitions())
            installed = case.crds
        server.store(case.objects())
        with tempfile.TemporaryDirectory(prefix="conformance-") as folder:
            problem = _problem(server, executable, case, Path(folder))
        if problem is not None:
            yield problem
    server.withdraw()


def _problem(server: ApiServer, executable: Path, case: Case, folder: Path) -> str | None:
    """None once the picker's own readiness probe succeeds."""
    pod = case.model.picker.pod
    which, probe = program(pod.image), pod.readiness
    assert probe is not None, pod.image
    with programs.started(executable, which, case.rendering, folder, server.kubeconfig, case.namespace) as running:
        deadline = time.monotonic() + _SECONDS
        while time.monotonic() < deadline and running.child.poll() is None:
            if _health_failure(running.ports[probe.port], probe.grpc_service or "") is None:
                return None
            time.sleep(0.1)
        ended = running.child.poll() is not None
    return f"{'it ended' if ended else f'not ready within {_SECONDS:.0f} s'}: {programs.reason(running.text)}"


def _health_failure(port: int, service: str) -> str | None:
    try:
        return probes.grpc_health("127.0.0.1", port, service, _PROBE_SECONDS)
    except OSError as error:
        return str(error)
