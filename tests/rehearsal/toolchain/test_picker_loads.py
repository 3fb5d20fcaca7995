"""The real picker loads what this program writes, and refuses what it refuses.

It reads its configuration before its first request to the API server. Without a server at that address it
reports on the configuration within a tenth of a second.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from llm_d_gke.catalog import load
from llm_d_gke.planning import RefusedError
from llm_d_gke.planning.findings import Severity
from llm_d_gke.planning.picker_config.parameters import read_parameters
from llm_d_gke.planning.plan.routing import PickerPlan
from llm_d_gke.rehearsal.toolchain.build import binaries
from llm_d_gke.stackfile import project_stacks
from tests.planning.refusals.case import findings_of
from tests.planning.refusals.picker import ONE_PROFILE, QUEUE, own
from tests.stacks import plan_of

RELEASE = "gaie-1.5"
PICKER = load().pickers[load().releases[RELEASE].picker.build]
API = load().releases[RELEASE].picker.config_api

# A profile handler's or a source's own, where a plugin cannot do without.
_NEEDED: dict[str, dict[str, Any]] = {
    "k8s-notification-source": {"version": "v1", "kind": "Pod"},
    "request-attribute-reporter": {"attributes": [{"key": {"name": "tokens"}, "expression": "1"}]},
}


@pytest.fixture(scope="module")
def program() -> Path:
    return binaries(["epp"], lambda _: None)["epp"]


@pytest.fixture(scope="module")
def nowhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A kubeconfig of a cluster without a server."""
    file = tmp_path_factory.mktemp("kube") / "config"
    file.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "none", "cluster": {"server": "http://127.0.0.1:1"}}],
                "users": [{"name": "nobody", "user": {}}],
                "contexts": [{"name": "none", "context": {"cluster": "none", "user": "nobody"}}],
                "current-context": "none",
            }
        )
    )
    return file


def problem(program: Path, nowhere: Path, config: dict[str, Any], args: tuple[str, ...], folder: Path) -> str | None:
    """The picker's error about a configuration, None after it has loaded it."""
    file = folder / "picker.yaml"
    file.write_text(yaml.safe_dump(config, sort_keys=False))
    arguments = [*(arg for arg in args if not arg.startswith("--config-file=")), f"--config-file={file}"]
    environment = {**os.environ, "KUBECONFIG": str(nowhere), "POD_NAME": "picker-0", "NAMESPACE": "default"}
    done = subprocess.run(
        [program, *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    output = done.stdout + done.stderr
    if "loaded configuration from file/text successfully" in output:
        return None
    errors = [line for line in output.splitlines() if '"level":"error"' in line and "onfig" in line]
    assert errors, output[-2000:]
    return str(json.loads(errors[-1])["error"])


def pickers(changes: dict[str, Any]) -> dict[str, PickerPlan]:
    """Every picker of every stack file and example that this release can serve."""
    picker_plans: dict[str, PickerPlan] = {}
    for stack in project_stacks():
        try:
            plan = plan_of(stack, {"release": RELEASE} | changes)
        except RefusedError:
            continue
        picker_plans |= {f"{stack}, {model.key}": model.picker for model in plan.models}
    assert {name.split(",")[0] for name in picker_plans} >= {"gpu", "tpu", "multi-model-gpu", "prefix-cache-tpu"}
    return picker_plans


@pytest.mark.parametrize(
    "changes",
    [{}, {"picker.preset": "prefix"}, {"picker.scorers.queue": 0.5}, {"picker.replicas": 3}],
    ids=["as they are", "preset prefix", "a fraction", "with an election"],
)
def test_it_loads_what_examples_and_presets_render(
    program: Path, nowhere: Path, tmp_path: Path, changes: dict[str, Any]
) -> None:
    for name, plan in pickers(changes).items():
        assert problem(program, nowhere, dict(plan.config), plan.pod.args, tmp_path) is None, name


def test_it_has_every_plugin_with_every_parameter_of_its_shape(program: Path, nowhere: Path, tmp_path: Path) -> None:
    """A plugin missing there, or a parameter of another type, ends it."""
    for kind, plugin in PICKER.plugins.items():
        read = read_parameters(plugin, _NEEDED.get(kind))
        parameters = read.model_dump(mode="json", exclude_none=True)
        config = {
            "apiVersion": API,
            "kind": "EndpointPickerConfig",
            "featureGates": list(PICKER.feature_gates),
            "plugins": [
                *([QUEUE] if kind != "queue-scorer" else []),
                {"type": kind} | ({"parameters": parameters} if parameters else {}),
            ],
            "schedulingProfiles": ONE_PROFILE,
        }
        assert problem(program, nowhere, config, ("--pool-name=all",), tmp_path) is None, kind
        changes = {"release": RELEASE, "picker.config": config}
        # A plugin or a parameter without effect is a warning: the picker loads it all the same.
        about = [f for f in findings_of("gpu", changes) if f.path.startswith("llm-d:picker")]
        assert [f for f in about if f.severity is Severity.ERROR] == [], kind


WRONG: dict[str, dict[str, Any]] = {
    "misspelled plugin": own({"type": "queue-scoer"}),
    "plugin of another release": own({"type": "precise-prefix-cache-producer"}),
    "parameter of another type": own({"type": "max-score-picker", "parameters": {"maxNumOfEndpoints": "1"}}),
    "plugin defined twice": own(QUEUE),
    "plugins that end the picker together": own({"type": "token-load-scorer"}, {"type": "inflight-load-producer"}),
    "misspelled section": own(schedulingProfile=[]),
    "API of another picker": own(apiVersion="llm-d.ai/v1alpha1"),
    "unknown feature gate": own(featureGates=["flowcontrol"]),
    "profile that calls nobody": own(schedulingProfiles=[{"name": "default", "plugins": [{"pluginRef": "queue"}]}]),
    "two profiles of one name": own(schedulingProfiles=[*ONE_PROFILE, *ONE_PROFILE]),
    "two profiles and a handler of one": own(
        {"type": "single-profile-handler"}, schedulingProfiles=[*ONE_PROFILE, {"name": "other", "plugins": []}]
    ),
    "two pickers in a profile": own(
        {"type": "max-score-picker"},
        {"type": "random-picker"},
        schedulingProfiles=[
            {"name": "default", "plugins": [{"pluginRef": "max-score-picker"}, {"pluginRef": "random-picker"}]}
        ],
    ),
    "two profile handlers": own(
        {"type": "single-profile-handler"}, {"type": "single-profile-handler", "name": "another"}
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_refused_here_would_end_it(program: Path, nowhere: Path, tmp_path: Path, name: str) -> None:
    written = {"apiVersion": API, "kind": "EndpointPickerConfig", **WRONG[name]["picker.config"]}
    assert problem(program, nowhere, written, ("--pool-name=one",), tmp_path) is not None
    findings = findings_of("gpu", WRONG[name] | {"release": RELEASE})
    assert [f for f in findings if f.severity is Severity.ERROR and f.path.startswith("llm-d:picker.config")]


def test_what_it_ignores_is_said_to_be_ignored(program: Path, nowhere: Path, tmp_path: Path) -> None:
    """Its decoder of parameters is not strict: a misspelled one silently leaves the default."""
    changes = own({"type": "max-score-picker", "parameters": {"maxEndpoints": 1}})
    written = {"apiVersion": API, "kind": "EndpointPickerConfig", **changes["picker.config"]}
    assert problem(program, nowhere, written, ("--pool-name=one",), tmp_path) is None
    [finding] = [f for f in findings_of("gpu", changes | {"release": RELEASE}) if "picker" in f.path]
    assert "ignores it silently" in finding.rule
