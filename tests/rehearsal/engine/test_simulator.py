"""The simulated engine beside vLLM: the page lists exactly the questions that they answer differently."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from llm_d_gke.planning import plan_raw
from llm_d_gke.rehearsal.host.ports import Ports
from llm_d_gke.rehearsal.node_agent.launch import Launcher, Simulated
from llm_d_gke.rehearsal.node_agent.vllm_on_cpu import EngineVersion, VllmOnCpu
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.pulumi_engine.configuration import load
from llm_d_gke.rehearsal.toolchain.build import binaries
from llm_d_gke.rehearsal.vllm_cpu.environment import installed
from llm_d_gke.rehearsal.vllm_cpu.model_folders import read_models, tiny_models, write_models
from llm_d_gke.stackfile import PROJECT_ROOT
from tests.waiting import eventually

from .questions import LENGTH, MODEL, QUESTIONS, get

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1800)]

START_SECONDS = 900.0
VERSION = "0.26.0"
PAGE = PROJECT_ROOT / "docs" / "rehearsal.md"
CONTAINER = {
    "command": ["vllm", "serve"],
    "args": [MODEL, "--port", "8000", "--max-model-len", str(LENGTH), "--block-size", "16", "--enable-prefix-caching"],
}


@contextmanager
def running(launcher: Launcher, binary: Path, log: Path) -> Iterator[str]:
    """An engine as the node agent starts it for a pod; its address."""
    free = Ports()
    variables = {"HOME": str(log.parent), "POD_IP": "127.0.0.1", "POD_NAME": "pod", "POD_NAMESPACE": "default"}
    started = launcher.launch(CONTAINER, variables, {}, lambda _port, count: free.take(count))
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(binary), *started.arguments],
            env={"PATH": os.environ["PATH"], **started.environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    address = f"http://127.0.0.1:{started.ports[8000]}"
    try:
        eventually(lambda: get(address, "/health").status_code == 200, f"an engine: {log}", patience=START_SECONDS)
        yield address
    finally:
        process.terminate()
        process.wait(120)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, str]]:
    """What the simulator and what vLLM answer, by question."""
    folder = tmp_path_factory.mktemp("engines")
    configuration = load(PROJECT_ROOT, "prefix-cache-gpu")
    plan = plan_raw("prefix-cache-gpu", configuration.settings(), configuration.encrypted())
    environment = installed(VERSION, print)
    paths = StackPaths("prefix-cache-gpu", folder)
    write_models(paths, tiny_models(plan, configuration), environment)
    latency = plan.models[0].servers[0].latency
    assert latency is not None
    simulated = Simulated({"default": {MODEL: {**latency, "time_to_first_token_ms": 0, "inter_token_latency_ms": 0}}})
    real = VllmOnCpu(EngineVersion(VERSION, environment), read_models(paths))
    with ExitStack() as stack:
        simulator = binaries(["llm-d-inference-sim"], print)["llm-d-inference-sim"]
        first = stack.enter_context(running(simulated, simulator, folder / "simulator.log"))
        second = stack.enter_context(running(real, environment.python, folder / "vllm.log"))
        return {name: (_answer(name, first), _answer(name, second)) for name in QUESTIONS}


def _answer(name: str, address: str) -> str:
    try:
        return str(QUESTIONS[name](address))
    except (KeyError, ValueError, TypeError, IndexError) as error:
        return f"{type(error).__name__}: {error}"


def documented() -> Mapping[str, tuple[str, str]]:
    """The table under its heading: question, simulator, vLLM."""
    section = PAGE.read_text(encoding="utf-8").partition("### Simulator and vLLM")[2].partition("\n## ")[0]
    rows = [line.strip("|").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    return {row[0].strip(): (row[1].strip(), row[2].strip()) for row in rows[1:]}


def test_the_page_lists_every_difference_and_no_other(answers: Mapping[str, tuple[str, str]]) -> None:
    different = {name for name, (simulator, vllm) in answers.items() if simulator != vllm}
    assert different == set(documented()), {name: answers[name] for name in different ^ set(documented())}


def test_vllm_itself_answers_every_question(answers: Mapping[str, tuple[str, str]]) -> None:
    assert not {name: vllm for name, (_, vllm) in answers.items() if "Error: " in vllm}
    assert answers["metrics that are missing"][1] == "[]"
