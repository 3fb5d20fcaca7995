"""The real load generator, as `llmd bench` runs it, against a server of fixed times in place of a stack."""

from __future__ import annotations

import json
import multiprocessing
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.operations.bench import command
from llm_d_gke.operations.bench.result import BenchError
from llm_d_gke.operations.bench.run import find_python
from llm_d_gke.operations.live_stack.stack import Endpoint
from tests.command_line import llmd
from tests.operations.bench.fixed_server import FIRST_TOKEN, NEXT_TOKEN, serve
from tests.stacks import plan_of

pytestmark = pytest.mark.slow


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        find_python()
    except BenchError as error:
        pytest.skip(str(error))
    ours, theirs = multiprocessing.Pipe()
    threading.Thread(target=serve, args=(theirs,), daemon=True).start()
    address = f"127.0.0.1:{ours.recv()}"
    endpoint = Endpoint(url=f"http://{address}", host="127.0.0.1", trusted=True)
    live = SimpleNamespace(
        name="gpu", target="rehearsal", plan=plan_of("gpu"), endpoint=endpoint, looked_at="a server", diagnose=""
    )

    @contextmanager
    def opened(*_: object) -> Iterator[SimpleNamespace]:
        yield live

    monkeypatch.setattr(command, "open_stack", opened)
    monkeypatch.setattr(command, "service_addresses", lambda *_: [address])
    monkeypatch.setattr(command, "cache_counters", lambda *_: {})


@pytest.mark.usefixtures("stack")
def test_a_run_beside_a_plain_service_and_an_earlier_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert llmd("bench", "gpu", "quick", "--service", "--out", str(out)) == 0
    result = json.loads((out / "result.json").read_text(encoding="utf-8"))
    for [stage] in (result["stages"], result["service"]):
        assert (stage["concurrency"], stage["requests"], stage["failures"]) == (1, 10, 0)
        assert stage["time_to_first_token"]["median"] >= FIRST_TOKEN
        assert stage["time_per_output_token"]["median"] >= 0.9 * NEXT_TOKEN
    assert "plain Service" in (out / "report.html").read_text(encoding="utf-8")
    # llm-d's own format, as the load generator writes it.
    reports = [read_yaml(file) for file in out.glob("inference-perf.partial.stage_*.yaml")]
    assert [str(report["version"]).rpartition(".")[0] for report in reports] == ["0.2"]
    # The files of one run are compared with itself: nothing is better or worse.
    comparison = ("bench", "gpu", "quick", "--results", str(out), "--against", str(out / "result.json"))
    capsys.readouterr()
    assert llmd(*comparison, "--out", str(tmp_path / "compared")) == 0
    assert "in flight, time to first token: " in capsys.readouterr().out
    assert llmd("bench", "gpu", "latency", *comparison[3:], "--out", str(tmp_path / "other")) == 1
    assert "only runs of one kind can be compared" in " ".join(capsys.readouterr().err.split())
