"""Which parts of a release start, in which order, and what becomes their result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llm_d_gke import catalog
from llm_d_gke.maintenance.conformance import engines, kinds, record
from llm_d_gke.maintenance.conformance.api_server import Judged
from llm_d_gke.maintenance.conformance.rendered import Rendered, plans_of

RELEASE = catalog.load().releases["llm-d-0.9"]
CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}
GROUP = {"apiVersion": "leaderworkerset.x-k8s.io/v1", "kind": "LeaderWorkerSet", "metadata": {"name": "x"}}


def test_a_version_of_vllm_starts_once_for_both_accelerators(monkeypatch: pytest.MonkeyPatch) -> None:
    started = []

    def messages(version: str, renderings: Sequence[Rendered], folder: Path) -> list[list[str]]:
        started.append(version)
        return [["deprecated: on TPU"] if "Qwen/Qwen2.5-3B-Instruct" in line.args else [] for line in renderings]

    monkeypatch.setattr(engines, "messages", messages)
    plans = plans_of(RELEASE.name, only=("gpu", "prefix-cache-tpu"))
    runs = [*record.engine_runs(RELEASE, plans, Path("engines"), lambda _: None)]
    assert started == ["0.26.0"]
    assert [(run.part, run.given, run.lines) for run in runs] == [
        ("engine on GPU", "1 command line", ()),
        ("engine on TPU", "1 command line", ("deprecated: on TPU",)),
    ]
    assert [*record.engine_runs(RELEASE, plans, Path("engines"), lambda _: None, earlier=runs)] == []
    assert started == ["0.26.0"]


class Server:
    """Stands for an API server: notes what it is asked and says something of every object."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def define(self, crds: Sequence[Mapping[str, Any]]) -> None:
        self.asked.append(f"define {', '.join(crd['spec']['names']['kind'] for crd in crds)}")

    def judge(self, manifests: Sequence[Mapping[str, Any]]) -> Judged:
        self.asked += [f"judge {manifest['kind']}" for manifest in manifests]
        return Judged(tuple(manifests), tuple(f"{manifest['kind']} is wrong" for manifest in manifests))


def test_objects_are_judged_with_the_kinds_of_their_chart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "rendered_objects", lambda _: (CONFIG_MAP, GROUP))
    monkeypatch.setattr(
        kinds, "definitions", lambda part, _: [{"spec": {"names": {"kind": kind}}} for kind in part.kinds]
    )
    monkeypatch.setattr(kinds, "webhook_refusals", lambda part, *_: [f"webhook of {part.part}"])
    server = Server()
    runs = [*record.kind_runs(RELEASE, lambda: server, lambda _: None)]  # type: ignore[arg-type,return-value]
    assert server.asked == ["judge ConfigMap", "define LeaderWorkerSet", "judge LeaderWorkerSet"]
    assert {run.part: run.lines for run in runs} == {
        kinds.OTHERS: ("ConfigMap is wrong",),
        "LeaderWorkerSet": ("LeaderWorkerSet is wrong", "webhook of LeaderWorkerSet"),
    }
    assert runs[0].refused
    changed = [replace(runs[0], inputs=""), runs[1]]
    rerun = [*record.kind_runs(RELEASE, lambda: server, lambda _: None, earlier=changed)]  # type: ignore[arg-type,return-value]
    assert [run.part for run in rerun] == [kinds.OTHERS]


def test_no_server_starts_for_what_has_not_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "rendered_objects", lambda _: (CONFIG_MAP,))
    earlier = [*record.kind_runs(RELEASE, Server, lambda _: None)]  # type: ignore[arg-type]

    def server() -> Any:
        raise AssertionError("it starts")

    assert [*record.kind_runs(RELEASE, server, lambda _: None, earlier=earlier)] == []
