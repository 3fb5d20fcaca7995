"""Rules and dashboards as files: the plan's queries, and scenarios that promtool runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from llm_d_gke.catalog.reading import parse_yaml
from llm_d_gke.operations.monitoring import command
from llm_d_gke.operations.monitoring.command import grafana_of, rules_of, scenarios
from llm_d_gke.planning import StackPlan, plan_raw
from tests.command_line import llmd
from tests.stacks import plan_of

ALERTS = {"timeToFirstTokenSeconds": 2, "timePerOutputTokenSeconds": 0.1, "idleHours": 4}
DASHBOARD_AND_ALERTS = {"monitoring": {"dashboard": True, "alerts": ALERTS}}


def test_the_rules_are_those_of_the_plan() -> None:
    plan = plan_of("gpu", DASHBOARD_AND_ALERTS).monitoring
    recording, alerts = rules_of(plan)["groups"]
    assert [rule["expr"] for rule in recording["rules"]] == [rule.query for rule in plan.recordings]
    assert {rule["alert"]: rule["expr"] for rule in alerts["rules"]} == {
        alert.name: alert.query for alert in plan.alerts
    }
    names = [rule["record"] for rule in recording["rules"]]
    assert "llm_d:errors:ratio_rate1h" in names
    assert "llm_d:first_token_seconds:p95_5m" in names
    assert len(names) == len(set(names)) == 15


def test_grafana_shows_the_panels_of_the_plan_beside_each_other() -> None:
    plan = plan_of("gpu", DASHBOARD_AND_ALERTS).monitoring.dashboard
    assert plan is not None
    panels = grafana_of(plan)["panels"]
    assert [panel["targets"][0]["expr"] for panel in panels] == [panel.query for panel in plan.panels]
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]
    assert len(set(places)) == len(places)
    assert all(x + 8 <= 24 for x, _ in places)


def test_files_are_written_of_what_a_stack_has(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert llmd("monitoring-files", "gpu", "--out", str(tmp_path / "none")) == 2
    assert "neither alerts nor a dashboard" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
    changes = ("-c", "monitoring={dashboard: true, alerts: {}}")
    assert llmd("monitoring-files", "gpu", *changes, "--out", str(tmp_path / "own")) == 0
    assert sorted(file.name for file in (tmp_path / "own").iterdir()) == ["dashboard.json", "rules.yaml"]


def test_each_stacks_files_have_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of a second stack in the same folder replaced the first's."""
    monkeypatch.chdir(tmp_path)
    for stack in ("gpu", "tpu"):
        assert llmd("monitoring-files", stack, "-c", "monitoring={alerts: {}}") == 0
    assert sorted(file.parent.name for file in Path("monitoring").rglob("rules.yaml")) == ["gpu", "tpu"]


def test_without_promtool_nothing_passes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("REHEARSAL_PROMTOOL", str(tmp_path / "absent"))
    assert llmd("check-alerts") == 1
    assert "nothing was checked" in capsys.readouterr().err


@pytest.mark.rehearsal
@pytest.mark.slow
def test_promtool_finds_every_alert_as_its_scenario_says(capsys: pytest.CaptureFixture[str]) -> None:
    _, listed = scenarios()
    assert llmd("check-alerts") == 0
    assert f"{len(listed)} scenarios: every alert fires or is silent as written" in capsys.readouterr().out


@pytest.mark.rehearsal
@pytest.mark.slow
def test_promtool_finds_an_alert_that_a_scenario_does_not_expect() -> None:
    """Else the test above could not fail."""
    settings, listed = scenarios()
    [late] = [scenario for scenario in listed if scenario.name == "four of five first tokens are late"]
    wrong = late.model_copy(update={"fires": ("first-token-1h",)})
    plan = plan_raw("gpu", settings)
    assert list(command.problems(command.find_promtool(), plan, late)) == []
    assert "first-token-6h" in " ".join(command.problems(command.find_promtool(), plan, wrong))


def test_every_alert_of_the_plan_fires_in_some_scenario() -> None:
    _, listed = scenarios()
    plan = plan_of("gpu", DASHBOARD_AND_ALERTS)
    assert {alert.name for alert in plan.monitoring.alerts} == {name for scenario in listed for name in scenario.fires}


def test_scenarios_hold_whatever_the_stack_files_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Users change `Pulumi.gpu.yaml`, whose settings and model the scenarios once took."""
    missing: list[set[str]] = []

    def look(_: str, plan: StackPlan, scenario: command.Scenario) -> list[str]:
        missing.append(set(scenario.fires) - {alert.name for alert in plan.monitoring.alerts})
        return []

    monkeypatch.setattr(command, "find_promtool", lambda: "promtool")
    monkeypatch.setattr(command, "load_assumed", None)
    monkeypatch.setattr(command, "problems", look)
    assert llmd("check-alerts") == 0
    assert missing == [set()] * len(scenarios()[1])


def test_a_scenario_expects_silence_of_every_other_alert() -> None:
    plan = plan_of("gpu", DASHBOARD_AND_ALERTS)
    _, listed = scenarios()
    [errors] = [scenario for scenario in listed if scenario.name == "eight of a hundred requests fail"]
    [test] = command.test_of(plan, errors, "rules.yaml")["tests"]
    expected = {alert["alertname"]: bool(alert["exp_alerts"]) for alert in test["alert_rule_test"]}
    assert expected == {alert.name: alert.name == "errors-6h" for alert in plan.monitoring.alerts}
    first = test["input_series"][0]["series"]
    assert first == 'llm_d_epp_request_total{cluster="llm-d-gpu",namespace="llm-d-inference-scheduling"}'
    assert json.loads(json.dumps(test)) == parse_yaml(yaml.safe_dump(test))
