"""The command line: help, options with one meaning, exit statuses, and doors that lead to the same commands."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from llm_d_gke.cli.exits import CLOSED_PIPE, INTERRUPTED
from llm_d_gke.cli.meanings import MEANINGS
from llm_d_gke.cli.options import Changes, Stack
from llm_d_gke.operations.cli.app import build_app
from llm_d_gke.planning import Finding, RefusedError
from llm_d_gke.stackfile import PROJECT_ROOT
from tests.command_line import llmd

REFUSED = ("-c", "models[0].tensorParallel=3", "-c", "paused=perhaps")
COMMANDS = {command.name: command.callback for group in (build_app(),) for command in group.registered_commands} | {
    command.name: command.callback
    for group in build_app().registered_groups
    for command in group.typer_instance.registered_commands  # type: ignore[union-attr]
}


def test_help_lists_every_command_with_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert llmd("--help") == 0
    output = capsys.readouterr().out
    assert max(map(len, output.splitlines())) <= 80
    for name in COMMANDS:
        assert re.search(rf"│ {name} +[A-Z]", output), name


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert llmd(name, "--help") == 0
    output = capsys.readouterr().out
    assert f"Usage: llmd {name}" in output
    assert max(map(len, output.splitlines())) <= 80


@pytest.mark.parametrize(
    ("word", "meaning"),
    [
        # The commands that are spelled most like these are destroy, stage and deletions.
        ("deploy", "`make up` brings a stack up"),
        ("scale", "models[].replicas or models[].autoscaling"),
        ("delete", "`make down` ends a rehearsed stack"),
        ("reports", "did you mean llmd report?"),
        ("zzz", "llmd lists them"),
    ],
)
def test_a_word_that_is_no_command_gets_what_it_means(
    word: str, meaning: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert llmd(word, "gpu") == 2
    assert f"there is no command {word}: {meaning}" in " ".join(capsys.readouterr().err.replace("│", "").split())


@pytest.mark.parametrize(
    "command", ["bench nope quick", "dashboard nope", "destroy nope", "verify nope --on rehearsal"]
)
def test_a_stack_that_does_not_exist_is_named_before_what_else_is_missing(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert llmd(*command.split()) == 2
    output = "".join(capsys.readouterr())
    assert "there is no Pulumi.nope.yaml" in output
    assert not re.search("make up|credentials|bench-env", output)


@pytest.mark.parametrize(
    ("command", "help_text"),
    [("bench gpu", "Load to send: quick, latency"), ("upgrade gpu", "Release to change to"), ("report", "Stacks: ")],
)
def test_an_argument_that_is_missing_is_explained(
    command: str, help_text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert llmd(*command.split()) == 2
    assert re.search(
        rf"Missing argument '\w+'\. {help_text}", " ".join(capsys.readouterr().err.replace("│", "").split())
    )


@pytest.mark.parametrize("minutes", ["0", "-5"])
def test_a_dashboard_looks_back(minutes: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert llmd("dashboard", "gpu", "--minutes", minutes) == 2
    assert "must be 1 or more" in capsys.readouterr().err


def test_no_meaning_is_that_of_a_command() -> None:
    assert COMMANDS.keys().isdisjoint(MEANINGS)


def test_an_option_means_the_same_everywhere() -> None:
    """`stack` and `-c` are the shared definitions in every command that has them."""
    shared = {"stack": Stack, "config": Changes}
    count = 0
    for name, command in COMMANDS.items():
        assert command is not None
        for parameter in inspect.signature(command, eval_str=True).parameters.values():
            if parameter.name in shared:
                assert parameter.annotation == shared[parameter.name], f"{name} {parameter.name}"
                count += 1
    assert count > 10


@pytest.mark.parametrize("command", ["report", "render", "preview", "up"])
def test_a_refused_stack_shows_every_finding_and_ends_with_2(
    command: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    more = ["--out", str(tmp_path / "rendered")] if command == "render" else []
    assert llmd(command, "gpu", *REFUSED, *more) == 2
    output = capsys.readouterr()
    text = output.out + output.err
    assert "llm-d:paused = perhaps" in text
    assert re.search(r"^\(warning\) \S+ +llm-d:gateway.tls.kind = none( |$)", text, re.MULTILINE)
    assert "Traceback" not in text
    assert max(map(len, text.splitlines())) <= 80
    assert not (tmp_path / "rendered").exists()


def test_a_refused_report_is_written_and_ends_with_2(tmp_path: Path) -> None:
    for ending in (".md", ".html", ".json"):
        output = tmp_path / f"report{ending}"
        assert llmd("report", "gpu", *REFUSED, "--out", str(output)) == 2
        assert "paused" in output.read_text(encoding="utf-8")


def test_a_change_without_a_value_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("report", "preview", "render"):
        assert llmd(command, "gpu", "-c", "paused") == 2
        assert "is not PATH=VALUE" in capsys.readouterr().err


def test_stacks_are_completed() -> None:
    environment = {**os.environ, "_LLMD_COMPLETE": "complete_bash", "COMP_WORDS": "llmd report kserve-p"}
    done = subprocess.run(
        [PROJECT_ROOT / "bin" / "llmd"],
        env={**environment, "COMP_CWORD": "2"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["kserve-prefix-cache-gpu", "kserve-prefix-cache-tpu"]


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("llm_d_gke.rehearsal", ["preview", "--help"]),
        ("llm_d_gke", ["report", "--help"]),
    ],
)
def test_every_door_opens(module: str, arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], cwd=PROJECT_ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert f"Usage: python -m {module}" in done.stdout or "Usage: llmd" in done.stdout


def test_the_door_from_before_the_move_still_opens() -> None:
    command = [sys.executable, "-m", "rehearsal", "preview", "--help"]
    done = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
    assert "Usage: python -m llm_d_gke.rehearsal preview" in done.stdout, done.stderr


def test_logged_starts_are_judged_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = tmp_path / "rows.json"
    rows.write_text("[]", encoding="utf-8")
    assert llmd("logs-check", str(rows), "--out", str(tmp_path / "result.json")) == 0
    assert (tmp_path / "result.json").exists()
    log = tmp_path / "start.log"
    log.write_text("Model loading took 1.5 GiB memory\n", encoding="utf-8")
    capsys.readouterr()
    assert llmd("logs-read", str(log), "--add", "accelerator=nvidia-l4") == 0
    assert '"accelerator": "nvidia-l4"' in capsys.readouterr().out


def test_every_path_of_out_reaches_the_one_place_that_explains_it() -> None:
    """`cli.run` knows the path by the parameter's name."""
    named = 0
    for name, command in COMMANDS.items():
        assert command is not None
        for parameter in inspect.signature(command, eval_str=True).parameters.values():
            declared = [
                option
                for part in getattr(parameter.annotation, "__metadata__", ())
                for option in (part.default, *(part.param_decls or ()))
            ]
            if "--out" in declared:
                assert parameter.name == "out", name
                assert Path in (parameter.annotation.__origin__, *get_args(parameter.annotation.__origin__)), name
                named += 1
    assert named >= 11


@pytest.mark.parametrize("path", ["file/result.md"])
@pytest.mark.parametrize(
    "command",
    [
        ("report", "gpu"),
        ("diff", "gpu", "tpu"),
        ("logs-check", "file"),
        ("logs-read", "start.log"),
    ],
)
def test_a_path_that_cannot_be_written_is_refused_in_one_sentence(
    command: tuple[str, ...],
    path: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "file").write_text("[]", encoding="utf-8")
    (tmp_path / "start.log").write_text("Model loading took 1.5 GiB memory\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert llmd(*command, "--out", path) == 2
    sentence = f"{path} cannot be written: a folder of this path is a file. Write to another path with --out."
    assert sentence in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("review-stack", "x", "--from", "gpu"), "must be a whole number"),
        (("why", "gpu", "--last", "0"), "must be 1 or more"),
        (("review-stack", "1", "--from", "gpu", "--hours", "soon"), "must be a number"),
        (("up", "gpu", "--engine", "x"), "'--engine': 'x' is not one of"),
        (("logs-read", "file", "--add", "accelerator"), "'accelerator' is not FIELD=VALUE"),
        (("adopt-manifests", str(PROJECT_ROOT / "examples" / "manifests"), "--write", "../x"), "is no name of a stack"),
        (("size", "Qwen/Qwen3-8B", "--write", "a/b"), "is no name of a stack"),
        (("fleet", "gqu"), "Did you mean gpu?"),
        (("status", "gqu"), "Did you mean gpu?"),
        (("endpoint", "gqu"), "Did you mean gpu?"),
        (("down", "gqu"), "Did you mean gpu?"),
        (("verify", "gqu"), "Did you mean gpu?"),
        (("diagnose", "gqu"), "Did you mean gpu?"),
        (("report", "Pulumi.gpu.yaml"), "Did you mean gpu?"),
        (("report", "GPU"), "Did you mean gpu?"),
        (("report", "gpu", "-c", "base=/etc"), "llm-d:base = /etc"),
        (("logs-check", "deep.json"), "A file has brackets within each other"),
        (("adopt-manifests", "deep.json"), "A file has brackets within each other"),
        (("import", "gpu", "--described", "file"), "does not describe a cluster"),
        (("import", "gpu", "--described", "bytes"), "is no text in UTF-8"),
        (("import", "gpu", "--described", "pools.yaml"), "does not describe a cluster"),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, tuple) else None,
)
def test_a_mistake_on_the_command_line_is_refused_in_plain_words(
    command: tuple[str, ...],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "file").write_text("a log", encoding="utf-8")
    (tmp_path / "deep.json").write_text("[" * 100_000, encoding="utf-8")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "pools.yaml").write_text("nodePools: 5\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert llmd(*command) == 2
    assert words in " ".join(capsys.readouterr().err.replace("│", " ").split())


@pytest.mark.parametrize("command", [("catalog", "releases"), ("catalog", "machines"), ("preflight", "gpu")], ids=str)
@pytest.mark.parametrize(("make", "status"), [({}, CLOSED_PIPE), ({"MAKELEVEL": "1"}, 0)], ids=("shell", "make"))
def test_a_reader_that_leaves_early_ends_a_command_in_silence(
    command: tuple[str, ...], make: dict[str, str], status: int
) -> None:
    """make would print an error for any other status than 0."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [PROJECT_ROOT / "bin" / "llmd", *command],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env={name: value for name, value in os.environ.items() if name != "MAKELEVEL"} | make,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (status, "")


def test_an_interrupted_upgrade_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("llm_d_gke.operations.upgrades.command.upgrade", interrupted)
    assert llmd("upgrade", "gpu", "llm-d-0.10") == INTERRUPTED
    error = capsys.readouterr().err
    assert "`make upgrade STACK=gpu TO=llm-d-0.10` goes on" in error
    assert "`make rollback STACK=gpu` goes back" in error


def test_the_load_of_size_may_be_an_option(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    loads: list[str] = []

    def print_sizes(_model: str, load: str, *_: object) -> int:
        loads.append(load)
        return 0

    monkeypatch.setattr("llm_d_gke.operations.size.command.print_sizes", print_sizes)
    assert llmd("size", "a/model", "3/s 500+100") == 0
    assert llmd("size", "a/model", "--load", "4/s 500+100") == 0
    assert llmd("size", "a/model") == 0
    assert loads == ["3/s 500+100", "4/s 500+100", "1/s 1000+200"]
    assert llmd("size", "a/model", "3/s 500+100", "--load", "4/s 500+100") == 2
    assert "LOAD is given twice, as '3/s 500+100' and as --load '4/s 500+100'" in " ".join(
        capsys.readouterr().err.split()
    )


@pytest.mark.parametrize(
    ("word", "kind"),
    [("modls", "models"), ("gpus", "accelerators"), ("prices", "machines"), ("regions", "zones"), ("zone", "zones")],
)
def test_another_word_for_a_kind_of_the_catalog_leads_to_the_kind(
    capsys: pytest.CaptureFixture[str], word: str, kind: str
) -> None:
    assert llmd("catalog", word) == 2
    text = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert f"did you mean {kind}?" in text
    assert "Value error" not in text


def test_the_zones_of_the_catalog_are_searched() -> None:
    assert llmd("catalog", "zones", "europe-west4-a") == 0


@pytest.mark.parametrize(
    ("arguments", "function", "says"),
    [
        (["verify", "gpu"], "llm_d_gke.operations.verify.command.run_verify", "the stack is refused"),
        (["diagnose", "gpu"], "llm_d_gke.operations.diagnose.command.run_diagnose", "the stack is refused"),
        (["preview", "gpu"], "llm_d_gke.rehearsal.commands.preview", "the stack is refused"),
        (["render", "gpu"], "llm_d_gke.rehearsal.commands.render", "the stack is refused"),
        (["up", "gpu"], "llm_d_gke.rehearsal.commands.up", "nothing was changed"),
        (["destroy", "gpu"], "llm_d_gke.operations.teardown.command.destroy", "nothing was changed"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "-",
)
def test_only_commands_that_change_something_say_that_nothing_was_changed(
    arguments: list[str],
    function: str,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    error = Finding(id="LLMD-X", path="llm-d:x", value="x", rule="x cannot work", fix="use y")

    def refuse(*_: object, **__: object) -> None:
        raise RefusedError([error])

    monkeypatch.setattr(function, refuse)
    assert llmd(*arguments) == 2
    assert capsys.readouterr().err.startswith(f"1 error, {says}:\n\nLLMD-X")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["size", "Qwen/Qwen3-8B", "-1/s"], "load '-1/s': every number must be above zero"),
        (["size", "Qwen/Qwen3-8B", "-5 2000+300"], "load '-5 2000+300': every number must be above zero"),
        (["size", "--location", "europe", "Qwen/Qwen3-8B", "2/s 2000+-3"], "every number must be above zero"),
        (["size", "-1/s", "--location", "europe"], "the catalog has no model '-1/s'"),
        (["report", "-gpu"], "-gpu begins with a dash, so it is read as an option"),
        (["report", "gpu", "-c", "-gpu"], "-gpu"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_value_that_begins_with_a_dash_is_a_value_or_is_named(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert llmd(*arguments) == 2
    error = capsys.readouterr().err
    assert says in " ".join(re.sub("[│╭╮╰╯─]", " ", error).split())
    assert "No such option" not in error
