"""Text for terminals of 80 columns."""

from __future__ import annotations

import pytest

from llm_d_gke.cli.options import overrides
from llm_d_gke.cli.text import shell_lines
from llm_d_gke.planning.findings import Finding, Severity, in_full, report
from llm_d_gke.wording import count, wrapped


def finding(path: str, severity: Severity = Severity.ERROR, rule: str = "a rule") -> Finding:
    return Finding(id="LLMD-X", path=f"llm-d:{path}", value="x", rule=rule, fix="a fix", severity=severity)


def test_broken_lines_keep_their_indentation() -> None:
    assert wrapped("one two\n  three four five\n\nsix", 12) == "one two\n  three four\n  five\n\nsix"


def test_entries_of_a_list_hang() -> None:
    assert wrapped("- one two\n  - three four", 9) == "- one two\n  - three\n    four"


def test_a_long_command_of_a_shell_continues_on_further_lines() -> None:
    assert shell_lines(["pulumi up", "--target a"]) == "pulumi up --target a"
    assert shell_lines(["pulumi up", "--target a"], 12) == "pulumi up \\\n  --target a"


def test_paths_and_commands_are_never_cut() -> None:
    path = "llm-d:models[0]." + "x" * 90
    assert wrapped(f"  {path} is wrong") == f"  {path}\n  is wrong"
    assert wrapped("roles/container-admin-of-everything", 10) == "roles/container-admin-of-everything"


@pytest.mark.parametrize(
    ("text", "command"),
    [
        (
            "run pulumi config set --path --secret llm-d:apiKeys.my-team $(openssl rand -hex 24), or another",
            "pulumi config set --path --secret llm-d:apiKeys.my-team $(openssl rand -hex 24),",
        ),
        ("what it would cost on each `make size MODEL=Qwen/Qwen3-8B` has", "`make size MODEL=Qwen/Qwen3-8B`"),
        (
            "run gcloud container clusters get-credentials my-cluster first",
            "gcloud container clusters get-credentials my-cluster",
        ),
        ("see if gcloud container clusters describe shared prints it", "gcloud container clusters describe shared"),
    ],
)
def test_a_command_stays_on_one_line(text: str, command: str) -> None:
    lines = wrapped(text, 50).splitlines()
    assert any(command in line for line in lines), lines
    assert " ".join(lines) == text


def test_findings_fit_a_terminal_and_lose_no_word() -> None:
    long = " ".join(["prompts and answers cross the internet unencrypted"] * 5)
    text = wrapped(in_full([finding("a", rule=long)]))
    assert max(map(len, text.splitlines())) <= 80
    assert long in " ".join(text.split())


def test_errors_come_before_warnings() -> None:
    text = report([finding("a", Severity.WARNING), finding("b"), finding("c")])
    assert text.startswith("2 errors, nothing was changed:\n\nLLMD-X  llm-d:b = x")
    assert text.index("llm-d:c") < text.index("(warning) LLMD-X  llm-d:a")


def test_one_and_many() -> None:
    assert (count(1, "error"), count(0, "error"), count(2, "error")) == ("1 error", "0 errors", "2 errors")


def test_blanks_around_the_sign_of_a_change_do_not_count() -> None:
    assert overrides(["models[0].replicas = 2"]) == {"models[0].replicas": "2"}
