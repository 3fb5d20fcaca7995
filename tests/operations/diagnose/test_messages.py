"""Every known message is recognized, by its own entry, in the noise of a real log; other words are not."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.operations.diagnose.messages import Message, last_exception, last_words, messages, recognize

ROOT = Path(__file__).resolve().parents[3]
PITFALLS = {
    int(number)
    for number in re.findall(r"^### (\d+)\.", (ROOT / "docs" / "pitfalls.md").read_text(encoding="utf-8"), re.MULTILINE)
}
PUBLISHED: list[dict[str, Any]] = read_yaml(Path(__file__).with_name("public_messages.yaml"))
# Of vllm-project/vllm issue 33447: what surrounds an error of an engine process.
BEFORE = (
    '(EngineCore_DP0 pid=406) ERROR 01-30 13:26:29 [core.py:946]   File "/usr/local/lib/python3.12/dist-packages/'
    'vllm/v1/engine/core.py", line 105, in __init__\n'
    "(EngineCore_DP0 pid=406) ERROR 01-30 13:26:29 [core.py:946] "
)
AFTER = (
    "\n(APIServer pid=1) RuntimeError: Engine core initialization failed. See root cause above. "
    "Failed core proc(s): {}\n"
)


@pytest.mark.parametrize("name", messages())
def test_a_message_is_recognized_by_its_own_entry(name: str) -> None:
    message = messages()[name]
    cause = recognize(message.origin, message.example, "Pod/a")
    assert cause is not None
    assert (cause.id, cause.subject, cause.fix) == (name, "Pod/a", message.fix)


@pytest.mark.parametrize("name", [name for name, message in messages().items() if message.origin == "engine"])
def test_the_engines_own_words_count_more_than_those_that_follow_from_them(name: str) -> None:
    message = messages()[name]
    cause = recognize("engine", f"{BEFORE}{message.example}{AFTER}", "Pod/a")
    assert cause is not None
    assert cause.id == name
    assert len(cause.evidence) <= 300
    words = message.contains[:1] or message.contains_one
    assert any(word in cause.evidence for word in words), cause.evidence


def test_an_engine_that_ended_over_something_unknown_shows_its_own_exception() -> None:
    """The last line of such a log says only that there is a root cause above."""
    cause = recognize("engine", f"{BEFORE}ValueError: head size 72 is not supported{AFTER}", "Pod/a")
    assert cause is not None
    assert (cause.id, cause.evidence) == ("engine-core", "ValueError: head size 72 is not supported")


@pytest.mark.parametrize(
    ("log", "exception"),
    [
        (
            "INFO a\nTraceback:\ntriton.compiler.errors.CompilationError: at 1:2\nINFO ends\n",
            "triton.compiler.errors.CompilationError: at 1:2",
        ),
        ("ERROR: out of luck\n", None),
        ("", None),
    ],
)
def test_the_last_exception_of_a_log(log: str, exception: str | None) -> None:
    assert last_exception(log) == exception


def test_each_names_its_source_and_pitfalls_that_exist() -> None:
    for name, message in messages().items():
        assert message.source.strip(), name
        assert message.cause.endswith("."), name
        assert message.fix.endswith((".", ")", "reader.")), name
        assert set(message.pitfalls) <= PITFALLS, name


@pytest.mark.parametrize("published", PUBLISHED, ids=[f"{row['cause']} {row['source']}" for row in PUBLISHED])
def test_what_people_published_is_recognized(published: dict[str, Any]) -> None:
    text = published["text"]
    cause = recognize(published["in"], f"{BEFORE}{text}{AFTER}" if published["in"] == "engine" else text, "Pod/a")
    assert cause is not None
    assert cause.id == published["cause"]


def test_words_of_a_start_that_succeeds_are_no_cause() -> None:
    """Of a start of vLLM 0.11 on a T4: warnings, arguments and progress are not errors."""
    log = (
        "INFO non-default args: {'model': 'google/gemma-2b-it', 'trust_remote_code': True, 'dtype': 'half'}\n"
        "WARNING Casting torch.bfloat16 to torch.float16.\n"
        "INFO Available KV cache memory: 6.08 GiB\n"
        "INFO GPU KV cache size: 354,272 tokens\n"
        "INFO Maximum concurrency for 4,096 tokens per request: 86.49x\n"
        "INFO Application startup complete.\n"
    )
    assert recognize("engine", log, "Pod/a") is None


def test_a_message_counts_only_where_it_belongs() -> None:
    assert recognize("engine", "no healthy upstream", "Pod/a") is None
    assert recognize("picker", "CUDA out of memory. Tried to allocate 2 GiB", "Pod/a") is None


def test_an_entry_without_words_matches_nothing() -> None:
    empty = Message.model_validate({"in": "engine", "cause": "c.", "fix": "f.", "example": "", "source": "s"})
    assert not empty.matches("anything")


def test_a_long_line_is_shown_around_the_words() -> None:
    line = f'{{"level":"error","padding":"{"x" * 400}","error":"strict decoding error: unknown field \\"a\\""}}'
    cause = recognize("picker", line, "Pod/a")
    assert cause is not None
    assert 'strict decoding error: unknown field \\"a\\"' in cause.evidence
    assert cause.evidence.startswith("...")


def test_the_last_words_are_the_last_line_that_is_not_empty() -> None:
    assert last_words("a\nb\n\n") == "b"
    assert last_words("\n") == "the log is empty"


SCHEMA = json.loads((ROOT / "docs" / "settings.schema.json").read_text(encoding="utf-8"))
STACK_SETTINGS = {
    name.removeprefix("llm-d:"): schema
    for name, schema in SCHEMA["properties"]["config"]["properties"].items()
    if name.startswith("llm-d:")
}
SETTING = re.compile(rf"\b(?:{'|'.join(STACK_SETTINGS)})(?:\[\])?(?:\.[a-zA-Z]+(?:\[\])?)+")
SOURCES = [
    *(ROOT / "llm_d_gke" / "operations" / "diagnose").glob("*.yaml"),
    *(ROOT / "llm_d_gke" / "operations" / "diagnose").glob("[pr]o*.py"),
]


def properties_of(schema: Any) -> dict[str, Any]:
    """Keys below a schema, through references, lists and alternatives."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        return properties_of(SCHEMA["$defs"][name])
    fields = dict(schema.get("properties", {}))
    for part in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())):
        fields |= properties_of(part)
    return fields | (properties_of(schema["items"]) if isinstance(schema.get("items"), dict) else {})


def is_setting(path: str) -> bool:
    below: dict[str, Any] = STACK_SETTINGS
    for segment in path.replace("[]", "").split("."):
        if segment not in below:
            return False
        below = properties_of(below[segment])
    return True


def test_every_setting_that_a_fix_names_exists() -> None:
    fixes = [message.fix for message in messages().values()]
    fixes += [text for file in SOURCES for text in re.findall(r'fix="[^)]*', file.read_text(encoding="utf-8"))]
    paths = {path for fix in fixes for path in SETTING.findall(fix)}
    assert "models[].gpuMemoryUtilization" in paths
    assert [path for path in sorted(paths) if not is_setting(path)] == []
