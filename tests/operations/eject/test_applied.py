"""The scripts of an ejected stack, run against a real API server: its objects are those of the plan."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from llm_d_gke.kube import Kube
from llm_d_gke.operations.eject.command import ejected_files, write_files
from llm_d_gke.operations.eject.steps import plain, variable
from llm_d_gke.rehearsal.cluster_client import client
from llm_d_gke.rehearsal.control_plane.addons import Features
from llm_d_gke.rehearsal.control_plane.control_plane import ControlPlane
from llm_d_gke.rehearsal.host import processes
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.resource_graph.kubernetes import kubernetes_objects
from tests.stacks import graph_of, plan_of

pytestmark = [pytest.mark.rehearsal, pytest.mark.slow]

KUBECTL = shutil.which("kubectl")
ADDRESS = "203.0.113.9"
# No controller runs that would make a Gateway programmed or a server ready; kinds are waited for.
STUB_KUBECTL = """#!/bin/sh
case "$1 $2" in
  "rollout status"|"wait "[!c]*) echo "$@" >> "$WAITED"; exit 0 ;;
esac
exec {kubectl} --kubeconfig={kubeconfig} "$@"
"""
STUB_GCLOUD = """#!/bin/sh
case " $* " in *" describe "*) echo {address} ;; esac
"""


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackPaths]:
    paths = StackPaths("ejected", tmp_path_factory.mktemp("rehearsal"))
    ControlPlane(paths).start(Features("1.34.1-gke.1829001"))
    yield paths
    processes.stop_all(paths)


@pytest.mark.skipif(KUBECTL is None, reason="kubectl is not installed")
@pytest.mark.parametrize("stack", ["gpu", "multi-model-gpu", "disaggregated-tpu"])
def test_the_objects_are_those_of_the_plan(stack: str, paths: StackPaths, tmp_path: Path) -> None:
    changes = {"namespace.name": f"ejected-{stack}"}
    objects = [dict(body) for body in kubernetes_objects(graph_of(stack, changes))]
    folder, programs = tmp_path / "stack", tmp_path / "bin"
    write_files(ejected_files(graph_of(stack, changes), plan_of(stack, changes)), folder)
    programs.mkdir()
    stub(programs / "kubectl", STUB_KUBECTL.format(kubectl=KUBECTL, kubeconfig=paths.kubeconfig.absolute()))
    stub(programs / "gcloud", STUB_GCLOUD.format(address=ADDRESS))
    secrets = {
        variable(body["metadata"]["name"], key): f"value of {key}"
        for body in objects
        if body["kind"] == "Secret"
        for key in {**(body.get("stringData") or {}), **(body.get("data") or {})}
    }
    waited = tmp_path / "waited"
    environment = {**os.environ, **secrets, "WAITED": str(waited), "PATH": f"{programs}:{os.environ['PATH']}"}
    for script in ("1-google-cloud.sh", "2-cluster.sh"):
        run = subprocess.run([folder / script], env=environment, capture_output=True, text=True)
        assert run.returncode == 0, run.stdout + run.stderr

    with client(paths) as kube:
        for body in objects:
            assert not list(missing(expected(body), live(kube, body))), (body["kind"], body["metadata"]["name"])
    assert "rollout status deployment.apps/" in waited.read_text()


def stub(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


def live(kube: Kube, body: Mapping[str, Any]) -> dict[str, Any]:
    metadata = body["metadata"]
    return dict(kube.get(body["apiVersion"], body["kind"], metadata["name"], metadata.get("namespace")))


def expected(body: Mapping[str, Any]) -> dict[str, Any]:
    """The object as the API server shows it: a Secret with the values that the script was given."""
    whole = plain(body)
    texts = {**(whole.pop("stringData", None) or {}), **(whole.get("data") or {})} if body["kind"] == "Secret" else {}
    if texts:
        whole["data"] = {key: base64.b64encode(f"value of {key}".encode()).decode() for key in texts}
    return whole


def missing(planned: Any, live_part: Any, place: str = "") -> Iterator[str]:
    """Parts of the plan that the object lacks. The API server may add to it."""
    if isinstance(planned, Mapping):
        for key, value in planned.items():
            if value is not None:
                yield from missing(value, (live_part or {}).get(key), f"{place}.{key}")
    elif isinstance(planned, list):
        if len(planned) != len(live_part or []):
            yield f"{place}: {len(planned)} planned, {len(live_part or [])} live"
        for index, value in enumerate(planned):
            yield from missing(value, (live_part or [None] * len(planned))[index], f"{place}[{index}]")
    elif planned != live_part and not (planned == "[unknown]" and live_part == ADDRESS):
        yield f"{place}: {planned!r} planned, {live_part!r} live"
