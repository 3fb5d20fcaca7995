"""Public reports about engines get the answer that they call for: what ended is refused, and what ran is accepted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.catalog.schema import Quantization
from llm_d_gke.planning import Finding
from llm_d_gke.planning.findings import Severity
from llm_d_gke.stackfile.model_files import model_files
from tests.planning.refusals.case import findings_of

_FILES = [read_yaml(path) for path in sorted((Path(__file__).parent / "figures").glob("public_reports*.yaml"))]
_ACCELERATORS = {name: fields for file in _FILES for name, fields in file["accelerators"].items()}
_LOCATIONS = {name: zone for file in _FILES for name, zone in file["locations"].items()}
REPORTS: list[dict[str, Any]] = [report for file in _FILES for report in file["reports"]]


def findings_about(report: dict[str, Any]) -> list[Finding]:
    model, stack = report["model"], report.get("stack", "gpu")
    elsewhere = "europe-west4-a" if stack == "tpu" else "us-central1-a"
    changes = {
        "location": _LOCATIONS.get(report["accelerator"], elsewhere),
        "accelerator": _ACCELERATORS[report["accelerator"]],
        "models[0]": model,
        **report.get("changes", {}),
    }
    if model.get("dataParallel", 1) > 1:
        changes["pattern"] = "mixture-of-experts"
    facts = {name: {"quantization": Quantization(**fields)} for name, fields in report.get("facts", {}).items()}
    return findings_of(stack, changes, facts=facts, files=model_files({"models": [model]}))


def marked(report: dict[str, Any]) -> Any:
    """Mark a report that the planner still answers wrongly: `open` in its row."""
    known_wrong = [pytest.mark.xfail(strict=True)] if report.get("open") else []
    return pytest.param(report, marks=known_wrong, id=f"{report['report']}: {report['seen']}")


@pytest.mark.parametrize("report", [marked(report) for report in REPORTS])
def test_a_report_gets_the_answer_that_it_calls_for(report: dict[str, Any]) -> None:
    """A row names the finding by its rule, or by `words` that its text has."""
    answers = findings_about(report)
    errors = [finding for finding in answers if finding.severity is Severity.ERROR]
    assert bool(errors) == (report["outcome"] == "refused"), errors
    if report["outcome"] == "accepted":
        return
    named = errors or answers
    if "rule" in report:
        assert report["rule"] in [finding.id for finding in named]
    for word in report.get("words", ()):
        assert any(word in str(finding) for finding in named), word
