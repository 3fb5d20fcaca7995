"""Every rule has an example; every finding has path, value, rule and fix; one report contains them all."""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from pathlib import Path
from string import Formatter
from typing import Any

import jsonschema
import pytest

from llm_d_gke.catalog import load
from llm_d_gke.catalog.reading import parse_yaml
from llm_d_gke.maintenance.reference.catalog_schemas import rule_schema
from llm_d_gke.planning import Finding, RefusedError, plan_raw, served_model
from llm_d_gke.planning.context import resolve_context
from llm_d_gke.planning.findings import Findings, Severity, errors_in, report
from llm_d_gke.planning.rules import FOLDER, RULES, SUBJECTS, Rule, load_subject
from llm_d_gke.settings import StackSettings
from llm_d_gke.stackfile import PROJECT_ROOT
from tests.planning.refusals.case import TOGETHER, Wrong, errors_of
from tests.planning.refusals.every import EVERY
from tests.stacks import ENCRYPTED, OPEN, STACKS, TOKEN, plan_of, values_of

FILES = sorted(FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("stack", STACKS)
def test_the_stack_files_have_no_errors(stack: str) -> None:
    """Else every example below would be refused for another reason."""
    assert errors_of(stack) == []


@pytest.mark.parametrize("wrong", EVERY, ids=lambda wrong: wrong.name)
def test_a_wrong_stack_gets_its_finding_and_no_other_error(wrong: Wrong) -> None:
    """A second error of the same mistake would send its reader looking for another."""
    findings = wrong.findings()
    at_path = [f for f in findings if f.path == wrong.where]
    assert [(f.id, f.value, f.severity) for f in at_path] == [(wrong.id, wrong.value, wrong.severity)], report(findings)
    assert wrong.rule in at_path[0].rule
    assert wrong.fix in at_path[0].fix
    # A command is copied to the end of its line, and a comma would become part of the key or its value.
    copied = re.compile(
        r"(?!.*pulumi config set)|.*pulumi config set( --\S+)* \S+[^,]( \$\([^)]*\)| \S+[^,])?$", re.DOTALL
    )
    assert [f.fix for f in findings if copied.match(f.fix) is None] == []
    errors = {f.path for f in findings if f.severity is Severity.ERROR}
    own = {wrong.where} if wrong.severity is Severity.ERROR else set()
    assert errors - TOGETHER.get(wrong.name, frozenset()) == own, report(findings)


def test_every_rule_has_an_example() -> None:
    """Rules about answers of Google Cloud have theirs in the preflight's tests."""
    preflight = load_subject("preflight").rules.keys()
    without = sorted(set(RULES) - preflight - {wrong.id for wrong in EVERY})
    assert without == [], "add a stack file that breaks each of these rules to a table in tests/planning/refusals"


def test_every_call_that_adds_a_finding_is_reached() -> None:
    """A rule may have several calls: the examples have to reach all of them."""
    reached = {call for wrong in EVERY for call in wrong.calls()}
    calls = {(path.name, call.lineno) for path, call in calls_of_findings()}
    assert len(calls) > 100
    assert sorted(calls - reached) == [], "no example in tests/planning/refusals reaches these calls (file, line)"


def test_every_call_names_a_rule_of_its_severity() -> None:
    """The id is a literal in the call, so that a search for it finds the code."""
    for path, call in calls_of_findings():
        for rule in rules_of(path, call):
            # A rule that is either has calls that are certain, too.
            place = (
                f"{path.name}:{call.lineno} calls .{_called(call)}(), and the severity of {rule.id} is {rule.severity}"
            )
            assert rule.severity in ("either", _called(call)), place


def test_every_call_passes_what_the_texts_of_its_rule_name() -> None:
    """A text stands either in the rule or in the call, and each `{name}` in it is an argument of the call."""
    used: set[tuple[str, str]] = set()
    for path, call in calls_of_findings():
        arguments = {str(keyword.arg) for keyword in call.keywords} - {"certain", "case"}
        for rule in rules_of(path, call):
            place = f"{path.name}:{call.lineno} {rule.id}"
            cases = (cases_of(call) or [*rule.cases]) if has_case(call) else [""]
            used |= {(rule.id, case) for case in cases}
            texts = [rule.texts(case) for case in cases]
            named = {
                name for text in texts for part in (text.message, text.hint) for _, name, *_ in Formatter().parse(part)
            }
            for text in texts:
                missing = {part for part, own in (("rule", text.message), ("fix", text.hint)) if not own}
                assert missing == arguments & {"rule", "fix"}, (
                    f"{place}: a text is in the rule or in the call, not in both"
                )
            if "None" not in arguments:  # Of a mapping nothing is known.
                passed, standard = arguments - {"value", "rule", "fix"}, facts_of(call) | {"value", None}
                assert passed <= named, f"{place}: no text of the rule names {passed - named}"
                assert named <= passed | standard, f"{place}: the texts name {named - passed - standard}; pass them"
    assert used >= {(rule.id, case) for rule in RULES.values() for case in rule.cases}


def facts_of(call: ast.Call) -> set[str | None]:
    """What the texts of a call may name without being given it: facts of the context or the served model it calls."""
    owner = ast.unparse(call.func).rpartition(".")[0]
    if owner in ("", "findings"):
        return set()
    settings = StackSettings.model_validate(values_of("gpu"))
    ctx = resolve_context("gpu", settings, load(), Findings(), transfers_kv_cache=False)
    assert ctx is not None
    return {*(ctx.facts if owner.endswith("ctx") else served_model.served_model(ctx, 0).facts)}


def has_case(call: ast.Call) -> bool:
    return any(keyword.arg == "case" for keyword in call.keywords)


def cases_of(call: ast.Call) -> list[str]:
    """The cases that a call names in words. Empty for a call without one, or with one that a variable names."""
    values = [node for keyword in call.keywords if keyword.arg == "case" for node in ast.walk(keyword.value)]
    chosen = [node for value in values if isinstance(value, ast.IfExp) for node in (value.body, value.orelse)]
    return [str(node.value) for node in chosen or values[:1] if isinstance(node, ast.Constant)]


def test_no_rule_is_unused() -> None:
    """An id in the table that no code uses would be documented in vain."""
    folders = [PROJECT_ROOT / "llm_d_gke" / name for name in ("settings", "planning", "operations/preflight")]
    files = [path for folder in folders for path in folder.rglob("*.py") if path.parent.name != "rules"]
    used = {word for path in files for word in re.findall(r"LLMD-[A-Z0-9-]+", path.read_text(encoding="utf-8"))}
    assert sorted(set(RULES) - used) == [], "no code reports these rules: remove them from llm_d_gke/planning/rules"
    assert sorted(used - set(RULES)) == [], "add these rules to a file of llm_d_gke/planning/rules"


def test_every_rule_has_a_source_or_says_what_it_rests_on() -> None:
    """A basis beside a source would leave open which of the two decides."""
    undecided = [rule.id for rule in RULES.values() if bool(rule.source) == (rule.basis is not None)]
    assert undecided == [], "give each of these rules a source, or a basis"


@pytest.mark.parametrize(
    ("changes", "ids"),
    [
        ({"models[0].extraArgs": ["--max-model-len=4096"]}, ["LLMD-EXTRA-ARGS-ALLOWED", "LLMD-EXTRA-ARGS-PLANNED"]),
        ({"models[0].extraArgs": ["--enforce-eagre"]}, ["LLMD-ENGINE-OPTION", "LLMD-EXTRA-ARGS-ALLOWED"]),
        ({"models[0].env.HF_TOKEN": "x"}, ["LLMD-ENV-ALLOWED", "LLMD-ENV-SECRET"]),
    ],
    ids=str,
)
def test_what_is_not_meant_is_checked_all_the_same(changes: dict[str, Any], ids: list[str]) -> None:
    """Otherwise `allowExtraArgs` would lead into the next refusal."""
    with pytest.raises(RefusedError) as refused:
        plan_raw("gpu", values_of("gpu", changes), ENCRYPTED)
    assert sorted(finding.id for finding in errors_in(refused.value.findings)) == ids


def test_ids_are_unique() -> None:
    """YAML takes the last of two entries with one id silently, so the text is counted."""
    ids = re.findall(
        r"^  (LLMD-[A-Z0-9-]+):$", "".join(path.read_text(encoding="utf-8") for path in FILES), re.MULTILINE
    )
    assert sorted(identifier for identifier, number in Counter(ids).items() if number > 1) == []
    assert sorted(ids) == sorted(RULES)


class TestFilesOfRules:
    def test_every_file_is_a_subject(self) -> None:
        assert sorted(path.stem for path in FILES) == sorted(SUBJECTS)

    @pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.stem))
    def test_a_file_satisfies_its_schema(self, path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        assert text.startswith("# yaml-language-server: $schema=rules.schema.json\n")
        assert [line for line in text.splitlines() if len(line) > 120] == []
        jsonschema.validate(parse_yaml(text), rule_schema())

    @pytest.mark.parametrize(
        "mistake", [{"severity": "fatal"}, {"bases": "project"}, {"fix": None}, {"acknowledgeable": "maybe"}]
    )
    def test_the_schema_refuses_a_mistake(self, mistake: dict[str, Any]) -> None:
        entry = {"summary": "A.", "why": "B.", "fix": "C.", "basis": "project"}
        jsonschema.validate({"title": "Titles", "rules": {"LLMD-A": entry}}, rule_schema())
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({"title": "Titles", "rules": {"LLMD-A": {**entry, **mistake}}}, rule_schema())

    def test_a_rule_is_found_without_reading_other_files(self) -> None:
        """Reading all files would take a tenth of the time of a plan."""
        load_subject.cache_clear()
        assert "LLMD-TP-DIVIDES" in RULES
        assert "LLMD-TP" not in RULES
        assert load_subject.cache_info().currsize == 0
        assert RULES["LLMD-TP-DIVIDES"].id == "LLMD-TP-DIVIDES"
        assert load_subject.cache_info().currsize == 1
        with pytest.raises(KeyError):
            RULES["LLMD-TP"]


def calls_of_findings() -> list[tuple[Path, ast.Call]]:
    """Every call that adds a finding, in planning code; `add_finding` means either severity.

    Those of a context and of a served model hand ids on.
    """
    calls = []
    for path in (
        Path(str(module.__file__)) for name, module in sys.modules.items() if name.startswith("llm_d_gke.planning.")
    ):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _called(node) in ("error", "warning", "add_finding"):
                if ast.unparse(node.args[0]) == "rule_id":
                    continue
                calls.append((path, node))
    return calls


def rules_of(path: Path, call: ast.Call) -> list[Rule]:
    """The rules that a call may report: the id in it, or those of the table of its module that it looks up."""
    first = call.args[0]
    if isinstance(first, ast.Subscript):
        module = ast.parse(path.read_text(encoding="utf-8"))
        [table] = [
            node.value
            for node in module.body
            if isinstance(node, ast.AnnAssign) and node.value and ast.unparse(node.target) == ast.unparse(first.value)
        ]
        return [RULES[identifier] for identifier in ast.literal_eval(table).values()]
    assert isinstance(first, ast.Constant), f"{path.name}:{call.lineno}"
    return [RULES[str(first.value)]]


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


class TestOneReport:
    def test_it_holds_every_finding(self) -> None:
        changes = {
            "project": None,
            "huggingFace": None,
            "models[0].maxModelLen": 100000,
            "models[0].replicas": 9,
            "network.nodeCidr": "10.4.0.0/20",
            "cluster.version": "1.30",
            "picker.scorers": {"prefixCache": 0, "kvCacheUtilization": 0, "queue": 0},
        }
        assert {f.path.removeprefix("llm-d:") for f in errors_of("gpu", changes)} == {
            "project",
            "huggingFace.token",
            "models[0].maxModelLen",
            "accelerator.nodes.max",
            "network.nodeCidr",
            "cluster.version",
            "picker.scorers",
        }

    def test_it_holds_errors_of_settings_and_of_the_plan(self) -> None:
        changes = {
            "nmespace": "x",
            "models[0].gpuMemoryUtilization": 85,
            "models[0].maxModelLen": 100000,
            "project": None,
            "gateway.tls": {"kind": "secret"},
        }
        assert {f.path.removeprefix("llm-d:") for f in errors_of("gpu", changes)} == {
            "nmespace",
            "models[0].gpuMemoryUtilization",
            "models[0].maxModelLen",
            "project",
            "gateway.tls.secret",
        }

    def test_what_the_plan_says_about_a_wrong_setting_is_left_out(self) -> None:
        """Without the wrong value the default would be judged, which is not the user's mistake."""
        assert [f.path for f in errors_of("tpu", {"models[0].tensorParallel": "four"})] == [
            "llm-d:models[0].tensorParallel"
        ]

    def test_a_wrong_element_does_not_hide_the_plan(self) -> None:
        changes = {"models[0].allowExtraArgs": True, "models[0].extraArgs": ["--seed", 1], "project": None}
        assert {f.path for f in errors_of("gpu", changes)} == {"llm-d:models[0].extraArgs[1]", "llm-d:project"}

    @pytest.mark.parametrize("missing", ["location", "models", "accelerator"])
    def test_a_required_setting_that_is_missing_hides_no_other_mistake(self, missing: str) -> None:
        changes = {missing: None, "release": "llm-d-0.8", "acknowledge": None}
        changes |= {} if missing == "accelerator" else {"accelerator.type": "l4"}
        with pytest.raises(RefusedError) as refused:
            plan_of("gpu", changes)
        errors = {finding.id for finding in refused.value.findings if finding.severity is Severity.ERROR}
        expected = {"LLMD-SETTING-MISSING", "LLMD-RELEASE-UNKNOWN", "LLMD-GATEWAY-OPEN"}
        assert errors == expected | ({"LLMD-ACCELERATOR-UNKNOWN"} if missing != "accelerator" else set())

    def test_it_reads_as_four_parts(self) -> None:
        with pytest.raises(RefusedError) as refused:
            plan_of("gpu", {"models[0].maxModelLen": 16384})
        head, finding, warning, acknowledged = str(refused.value).split("\n\n")
        assert head == "1 error, nothing was changed:"
        assert finding.splitlines() == [
            "LLMD-CONTEXT-LENGTH  llm-d:models[0].maxModelLen = 16384",
            "  google/gemma-2b-it was trained for 8192 tokens; vLLM refuses more",
            "  use 8192 or less",
        ]
        assert warning.startswith("(warning) LLMD-TLS-NONE  llm-d:gateway.tls.kind = none")
        assert acknowledged.startswith("(acknowledged) LLMD-GATEWAY-OPEN  llm-d:gateway.auth.kind = none")

    def test_errors_come_before_warnings(self) -> None:
        first = Finding(id="LLMD-TLS-NONE", path="p", value="v", rule="r", fix="f", severity=Severity.WARNING)
        second = Finding(id="LLMD-PROJECT-MISSING", path="q", value="v", rule="r", fix="f")
        assert [line.split("  ")[-1] for line in report([first, second]).splitlines() if " = v" in line] == [
            "q = v",
            "p = v",
        ]

    def test_long_values_are_cut(self) -> None:
        [finding] = errors_of("gpu", {"models[0].dtype": "x" * 500})
        assert len(finding.value) == 80


class TestAcknowledgements:
    REASON = "reached through our VPN only"

    def test_an_acknowledged_warning_says_so(self) -> None:
        plan = plan_of("gpu", {"acknowledge": [OPEN, {"id": "LLMD-TLS-NONE", "reason": self.REASON}]})
        [finding] = [warning for warning in plan.warnings if warning.id == "LLMD-TLS-NONE"]
        assert finding.acknowledged == self.REASON
        assert report(plan.warnings).startswith("0 warnings:")
        assert f"acknowledged: {self.REASON}" in report(plan.warnings)

    def test_other_warnings_stay(self) -> None:
        changes = {
            "acknowledge": [OPEN, {"id": "LLMD-TLS-NONE", "reason": self.REASON}],
            "network.nodeCidr": "172.17.0.0/20",
        }
        open_warnings = [warning.id for warning in plan_of("gpu", changes).warnings if warning.acknowledged is None]
        assert open_warnings == ["LLMD-CIDR-DOCKER"]

    def test_an_error_stays_one(self) -> None:
        changes = {
            "models[0].maxModelLen": 16384,
            "acknowledge": [OPEN, {"id": "LLMD-CONTEXT-LENGTH", "reason": "bold"}],
        }
        assert {error.id for error in errors_of("gpu", changes)} == {"LLMD-CONTEXT-LENGTH", "LLMD-ACKNOWLEDGE-ERROR"}


class TestSecrets:
    """A report ends in terminals and in logs of pull requests."""

    @pytest.mark.parametrize(
        ("changes", "encrypted"),
        [
            ({"huggingFace": TOKEN}, {"huggingFace"}),
            ({"huggingFace": {"tokens": TOKEN}}, {"huggingFace"}),
            ({"huggingFace": {"token": [TOKEN]}}, {"huggingFace"}),
            ({"huggingFace": {"token": TOKEN, "existingSecret": "s"}}, set()),
            ({"huggingFace": {"token": TOKEN}}, set()),
            ({"hugginface": {"token": TOKEN}}, {"hugginface"}),
            ({"hugginface": {"token": TOKEN}}, set()),
            ({"hfToken": TOKEN}, set()),
            ({"notes": [{"mine": TOKEN}]}, set()),
            ({"modelsecret": f"prefix {TOKEN}"}, set()),
            ({"opaque": f"prefix {TOKEN}"}, {"opaque"}),
            ({"models[0].source": {"kind": "ftp", "password": f"x{TOKEN}"}}, set()),
            ({"models[0].extraArgs": ["--api-key", f"x{TOKEN}"]}, set()),
            ({"models[0].extraArgs": [f"--api-key={TOKEN}"]}, set()),
            ({"registry": {"server": "r", "username": "u", "password": {"value": TOKEN}}}, {"registry"}),
        ],
        ids=str,
    )
    def test_no_report_repeats_one(self, changes: dict[str, object], encrypted: set[str]) -> None:
        values = values_of("gpu", {"huggingFace": None} | changes)
        with pytest.raises(RefusedError) as refused:
            plan_raw("gpu", values, frozenset(encrypted))
        assert TOKEN not in str(refused.value)
        assert "(hidden)" in str(refused.value)

    def test_a_plan_does_not_print_its_own(self) -> None:
        assert TOKEN not in repr(plan_of("gpu"))

    def test_what_is_no_secret_is_shown(self) -> None:
        [finding] = errors_of("gpu", {"models[0].maxNumBatchedTokens": 1})
        assert finding.value == "1"
