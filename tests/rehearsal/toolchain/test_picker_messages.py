"""The real picker ends over what it cannot use, and the diagnosis names the cause by its words."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from llm_d_gke.catalog import load
from llm_d_gke.operations.diagnose.messages import recognize
from llm_d_gke.rehearsal.toolchain.build import binaries

pytestmark = pytest.mark.rehearsal

_PROGRAMS = ("epp", "llm-d-inference-scheduler")
_QUEUE, _PREFIX = {"type": "queue-scorer"}, "prefix-cache-scorer"


def configuration(*plugins: dict[str, Any], used: str = "queue-scorer", **changes: Any) -> dict[str, Any]:
    return {
        "apiVersion": load().releases["gaie-1.5"].picker.config_api,
        "kind": "EndpointPickerConfig",
        "plugins": list(plugins),
        "schedulingProfiles": [{"name": "default", "plugins": [{"pluginRef": used}]}],
        **changes,
    }


@pytest.fixture(scope="module", params=_PROGRAMS)
def program(request: pytest.FixtureRequest) -> Path:
    return binaries([request.param], lambda _: None)[request.param]


@pytest.fixture(scope="module")
def nowhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A kubeconfig of a cluster without a server."""
    file = tmp_path_factory.mktemp("kube") / "config"
    cluster = {"name": "none", "cluster": {"server": "http://127.0.0.1:1"}}
    context = {"name": "none", "context": {"cluster": "none", "user": ""}}
    config = {"apiVersion": "v1", "kind": "Config", "clusters": [cluster], "contexts": [context]}
    file.write_text(yaml.safe_dump(config | {"current-context": "none"}), encoding="utf-8")
    return file


def cause_of(program: Path, nowhere: Path, *arguments: str) -> str | None:
    """Run until it ends, which takes a tenth of a second, and ask the diagnosis."""
    ended = subprocess.run(
        [program, "--pool-name=p", "--pool-namespace=n", "--tracing=false", "--zap-encoder=json", *arguments],
        env={**os.environ, "KUBECONFIG": str(nowhere), "NAMESPACE": "n", "POD_NAME": "p"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode != 0
    cause = recognize("picker", ended.stdout + ended.stderr, "Pod/picker")
    return None if cause is None else cause.id


@pytest.mark.parametrize(
    ("cause", "config"),
    [
        ("picker-unknown-field", configuration(_QUEUE, schedulingProfile=[])),
        ("picker-duplicate-plugin", configuration(_QUEUE, _QUEUE)),
        ("picker-unknown-plugin", configuration({"type": "queue-scorerr"}, used="queue-scorerr")),
        ("picker-undefined-plugin", configuration(_QUEUE, used="kv-scorer")),
        ("picker-parameters", configuration({"type": _PREFIX, "parameters": {"blockSizeTokens": "x"}}, used=_PREFIX)),
        ("picker-api-version", configuration(_QUEUE, apiVersion="llm-d.ai/v9")),
        ("picker-configuration", "{"),
        ("picker-api-server", configuration(_QUEUE)),
    ],
)
def test_a_picker_that_ends_has_its_cause(program: Path, nowhere: Path, cause: str, config: Any) -> None:
    text = config if isinstance(config, str) else yaml.safe_dump(config)
    assert cause_of(program, nowhere, f"--config-text={text}") == cause


def test_a_flag_of_another_version(program: Path, nowhere: Path) -> None:
    assert cause_of(program, nowhere, "--no-such-flag") == "picker-unknown-flag"
