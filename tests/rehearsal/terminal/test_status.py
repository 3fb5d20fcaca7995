"""What `endpoint` and `status` add to an address."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from llm_d_gke.kube import Kube, KubeError
from llm_d_gke.rehearsal.errors import RehearsalError
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.terminal import status
from llm_d_gke.rehearsal.terminal.status import host_note, print_status


class Gateways:
    def __init__(self, *listeners: dict[str, Any]) -> None:
        self._listeners = listeners

    def list(self, *_: str) -> list[dict[str, Any]]:
        return [{"spec": {"listeners": list(self._listeners)}}]


@pytest.mark.parametrize(
    ("listener", "note"),
    [({"hostname": "llm.example.com"}, "curl -k -H 'Host: llm.example.com'"), ({}, "")],
    ids=["a host name", "any name"],
)
def test_a_gateway_with_a_host_name_answers_to_it_only(listener: dict[str, Any], note: str) -> None:
    output = host_note(cast("Kube", Gateways({"name": "https", **listener})))
    assert note in output
    assert bool(output) is bool(note)


class Nodes:
    def list(self, *_: str) -> list[dict[str, Any]]:
        ready = {"conditions": [{"type": "Ready", "status": "True"}]}
        return [
            {"metadata": {"name": name, "labels": {}}, "spec": spec, "status": ready}
            for name, spec in (("free", {}), ("drained", {"unschedulable": True}))
        ]


def test_a_cordoned_node_is_not_just_ready() -> None:
    free, drained = list(status._nodes(cast("Kube", Nodes())))[1::2]
    assert "ready, pool" in free
    assert "ready, cordoned, takes no new pod, pool" in drained


class Starting:
    """An API server that knows nodes and pods, and no Gateways yet."""

    def list(self, _version: str, kind: str) -> list[dict[str, Any]]:
        if kind == "Gateway":
            raise KubeError('no matches for kind "Gateway" in version "gateway.networking.k8s.io/v1"')
        return []


@pytest.mark.parametrize(("during_up", "advice"), [(True, "in a few seconds"), (False, "make down STACK=gpu")])
def test_a_cluster_that_lists_nothing_yet_is_described_in_own_words(
    during_up: bool, advice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = StackPaths("gpu", tmp_path)
    paths.kubeconfig.parent.mkdir(parents=True)
    paths.kubeconfig.touch()
    (paths.unfinished if during_up else paths.settings).touch()

    @contextlib.contextmanager
    def client(_: StackPaths) -> Iterator[Starting]:
        yield Starting()

    monkeypatch.setattr(status, "client", client)
    with pytest.raises(RehearsalError) as caught:
        print_status(paths)
    words = " ".join(str(caught.value).split())
    assert advice in words
    assert "no matches" not in words
