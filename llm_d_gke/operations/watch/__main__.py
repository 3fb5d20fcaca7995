"""`python -m llm_d_gke.operations.watch STACK --out FOLDER`, or `--check`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import yaml

from llm_d_gke.cli.exits import DONE, FAILED, REFUSED
from llm_d_gke.operations.watch.files import grafana_of, rules_of
from llm_d_gke.operations.watch.promtool import VARIABLE, find_promtool, problems, scenarios
from llm_d_gke.planning import RefusedError, plan_raw
from llm_d_gke.planning.plan.stack import StackPlan
from llm_d_gke.stackfile import PROJECT_ROOT, load
from llm_d_gke.stackfile.assumptions import assume_unset
from llm_d_gke.stackfile.model_files import model_files


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="llm_d_gke.operations.watch", description=__doc__)
    parser.add_argument("stack", nargs="?", default="gpu")
    parser.add_argument("--out", type=Path, default=Path("monitoring"), help="folder of the files")
    parser.add_argument("--check", action="store_true", help="let promtool judge the rules in every scenario")
    options = parser.parse_args(arguments)
    try:
        return check() if options.check else write(options.stack, options.out)
    except RefusedError as refused:
        print("\n".join(str(finding) for finding in refused.findings), file=sys.stderr)
        return REFUSED


def write(stack: str, out: Path) -> int:
    """Write `rules.yaml` and `dashboard.json` of a stack, as far as its settings ask for them."""
    plan = _plan(stack, {})
    files = {}
    if plan.monitoring.alerts:
        files["rules.yaml"] = yaml.safe_dump(rules_of(plan.monitoring), sort_keys=False, width=1000)
    if plan.monitoring.dashboard is not None:
        files["dashboard.json"] = json.dumps(grafana_of(plan.monitoring.dashboard), indent=1) + "\n"
    if not files:
        print(
            f"stack {stack} has neither alerts nor a dashboard: set llm-d:monitoring.dashboard: true, or .alerts: {{}}",
            file=sys.stderr,
        )
        return REFUSED
    out.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (out / name).write_text(text, encoding="utf-8")
        print(f"wrote {out / name}")
    return DONE


def check() -> int:
    """Run promtool on every scenario."""
    promtool = find_promtool()
    if promtool is None:
        print(
            f"promtool is not installed, so nothing was checked: apt-get install prometheus, or set {VARIABLE} to it",
            file=sys.stderr,
        )
        return FAILED
    shared_settings, listed = scenarios()
    wrong = [
        sentence
        for scenario in listed
        for sentence in problems(promtool, _plan("gpu", shared_settings | dict(scenario.changes)), scenario)
    ]
    print("\n".join(wrong) if wrong else f"{len(listed)} scenarios: every alert fires or is silent as written")
    return FAILED if wrong else DONE


def _plan(stack: str, changes: dict[str, object]) -> StackPlan:
    configuration = assume_unset(
        load(PROJECT_ROOT, stack, {path: json.dumps(value) for path, value in changes.items()})
    )
    values = configuration.settings()
    return plan_raw(stack, values, configuration.encrypted(), files=model_files(values))


if __name__ == "__main__":
    sys.exit(main())
