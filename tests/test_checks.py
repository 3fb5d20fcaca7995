"""`make check`, the git hooks and CI run the same checks."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]


def checks() -> list[str]:
    """Targets that `make check` consists of."""
    (line,) = re.findall(r"^CHECKS := (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    return str(line).split()


def test_every_check_is_a_git_hook_and_every_hook_a_check() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    hooks = [hook for repository in config["repos"] for hook in repository["hooks"]]
    assert [hook["id"] for hook in hooks] == checks()
    assert [hook["entry"].split()[-1] for hook in hooks] == checks()


def test_no_hook_is_downloaded() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert {repository["repo"] for repository in config["repos"]} == {"local"}
    assert {hook["language"] for repository in config["repos"] for hook in repository["hooks"]} == {"system"}


def test_ci_runs_the_checks_before_the_tests() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"^test: .*\bcheck\b", makefile, re.MULTILINE)
    assert re.search(r"^check: \$\(CHECKS\)", makefile, re.MULTILINE)
    assert "make --no-print-directory test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def _recipe(*arguments: str) -> subprocess.CompletedProcess[str]:
    """What make would run."""
    make = shutil.which("make")
    assert make is not None
    return subprocess.run([make, "--dry-run", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


def test_diff_without_stacks_names_what_is_missing() -> None:
    for arguments in ((), ("A=gpu",), ("B=gpu",)):
        refused = _recipe("diff", *arguments)
        assert refused.returncode == 2
        assert "make diff A=gpu B=prefix-cache-gpu" in refused.stderr


def test_diff_writes_the_file_that_out_names() -> None:
    assert "diff gpu tpu --out diff.md" in _recipe("diff", "A=gpu", "B=tpu", "OUT=diff.md").stdout
    assert "--out" not in _recipe("diff", "A=gpu", "B=tpu").stdout
