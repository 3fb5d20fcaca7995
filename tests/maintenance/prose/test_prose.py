"""The words to avoid are found wherever people write: in documents, comments, names and over line breaks."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_d_gke.maintenance.prose.lint import (
    ROOT,
    Exemption,
    Replacement,
    Vocabulary,
    lint,
    load_vocabulary,
    project_files,
)

VOCABULARY = Vocabulary(
    replacements=(
        Replacement(instead_of=("by and by",), write="eventually"),
        Replacement(instead_of=("quantis*",), write="quantiz*"),
        Replacement.model_validate({"instead_of": ["optimis*"], "write": "optimiz*", "except": ["optimistic*"]}),
    ),
    comments=(Replacement(instead_of=("nobody",), write="no pod"),),
    names=(Replacement(instead_of=("found", "one"), write="the content"),),
    exceptions=(Exemption(phrase="by and by", paths=("quoted/*.md",), reason="a quotation"),),
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It ends by and by.", ['page.md:1: "by and by": write "eventually"']),
        ("one\nIt ends By\n  and by.", ['page.md:2: "By and by": write "eventually"']),
        ("# It ends by and\n    # by.", ['page.md:1: "by and by": write "eventually"']),
        ("def is_quantised_copy(): ...", ['page.md:1: "quantised": write "quantized"']),
        ("Quantisation", ['page.md:1: "Quantisation": write "quantization"']),
        ("optimised, optimistically", ['page.md:1: "optimised": write "optimized"']),
        ("nearby and bygone, quantized", []),
    ],
)
def test_a_phrase_is_found_with_its_line_and_what_to_write(tmp_path: Path, text: str, found: list[str]) -> None:
    file = tmp_path / "page.md"
    file.write_text(text, encoding="utf-8")
    assert [str(hit) for hit in lint([file], VOCABULARY, tmp_path)] == found


@pytest.mark.parametrize(
    ("source", "uses"),
    [
        ("# nobody\n", ["1 nobody"]),
        ('def f():\n    """First.\n\n    Nobody.\n    """\n', ["4 Nobody"]),
        ('text = "nobody"\n', []),
        ("for one in pods: print(one)\n", ["1 one"]),
        ("def _found(one): ...\n", ["1 _found", "1 one"]),
        ("names = [one for one in pods]\nFOUND = 1\n", ["1 one", "2 FOUND"]),
        ("reply.found, everyone = 1, found_pods\n", []),
    ],
)
def test_comments_and_names_of_python_have_words_of_their_own(tmp_path: Path, source: str, uses: list[str]) -> None:
    (tmp_path / "module.py").write_text(source, encoding="utf-8")
    hits = lint([tmp_path / "module.py"], VOCABULARY, tmp_path)
    assert [f"{hit.line} {hit.used}" for hit in hits] == uses


def test_an_exemption_holds_for_its_files_only(tmp_path: Path) -> None:
    for folder in ("quoted", "own"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "page.md").write_text("by and by", encoding="utf-8")
    hits = lint(sorted(tmp_path.glob("*/page.md")), VOCABULARY, tmp_path)
    assert [hit.path for hit in hits] == ["own/page.md"]


def test_documents_and_code_are_looked_at_and_recorded_files_are_not() -> None:
    names = {str(file.relative_to(ROOT)) for file in project_files()}
    assert {
        "README.md",
        "docs/architecture.md",
        "Makefile",
        ".ci/run",
        "llm_d_gke/settings/stack.py",
        "Pulumi.gpu.yaml",
    } <= names
    assert not [name for name in names if name.startswith(("tests/golden/", "requirements.txt"))]


def test_no_replacement_is_itself_to_be_avoided() -> None:
    vocabulary = load_vocabulary()
    avoided = {phrase for entry in vocabulary.replacements for phrase in entry.instead_of}
    assert not avoided & {entry.write for entry in vocabulary.replacements}
    assert len(avoided) == sum(len(entry.instead_of) for entry in vocabulary.replacements)
