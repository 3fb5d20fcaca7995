"""Finds words that the project does not use, with the file, the line and the replacement."""

from __future__ import annotations

import ast
import io
import re
import subprocess
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from llm_d_gke.catalog.reading import read_yaml

ROOT = Path(__file__).resolve().parents[3]
VOCABULARY = Path(__file__).with_name("vocabulary.yaml")

_SUFFIXES = {".py", ".md", ".yaml", ".yml", ".toml", ".in", ".jinja", ".sh"}
_NAMES = {"Makefile", "run"}
# Recorded output of other programs, generated files, and this list with its test.
_SKIPPED = (
    "tests/golden/",
    "tests/catalog/configs/",
    "tests/planning/figures/",
    "llm_d_gke/maintenance/prose/",
    "tests/maintenance/prose/",
)
# Between two words of a phrase: spaces, or a line break with the next line's indentation and comment sign.
_GAP = r"(?:[ \t]+|[ \t]*\n[ \t]*(?:#|//|>)?[ \t]*)"


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Replacement(_Entry):
    instead_of: tuple[str, ...] = Field(description="Phrases to avoid. A final * stands for any ending.")
    write: str = Field(description="A final * stands for the ending of what was found.")
    except_: tuple[str, ...] = Field(default=(), alias="except", description="Phrases that match but are fine.")


class Exemption(_Entry):
    phrase: str = Field(description="One phrase.")
    paths: tuple[str, ...] = Field(description="Glob patterns of files that may use the phrase.")
    reason: str


class Vocabulary(_Entry):
    """Phrases to avoid. `comments` apply to docstrings and comments of Python, `names` to names that Python binds."""

    replacements: tuple[Replacement, ...]
    comments: tuple[Replacement, ...] = ()
    names: tuple[Replacement, ...] = ()
    exceptions: tuple[Exemption, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Hit:
    """One use of a phrase to avoid."""

    path: str
    line: int
    used: str
    write: str

    def __str__(self) -> str:
        return f'{self.path}:{self.line}: "{self.used}": write "{self.write}"'


def load_vocabulary() -> Vocabulary:
    return Vocabulary.model_validate(read_yaml(VOCABULARY))


def project_files() -> list[Path]:
    """Text files of the project that people write, new ones included."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return [
        ROOT / name
        for name in sorted(set(listed.stdout.splitlines()))
        if not name.startswith(_SKIPPED)
        and (Path(name).suffix in _SUFFIXES or Path(name).name in _NAMES)
        and (ROOT / name).is_file()
    ]


def lint(files: Iterable[Path], vocabulary: Vocabulary, root: Path = ROOT) -> list[Hit]:
    """All uses of phrases to avoid, in the order of the files."""
    everywhere, comments = _rules(vocabulary.replacements), _rules(vocabulary.comments)
    names = {name: entry for entry in vocabulary.names for name in entry.instead_of}
    hits = []
    for file in files:
        relative = file.relative_to(root)
        text = file.read_text(encoding="utf-8")
        exempt = {item.phrase for item in vocabulary.exceptions if any(relative.match(path) for path in item.paths)}
        uses = list(_uses(text, everywhere))
        if file.suffix == ".py":
            read_by_people, bound = comments_and_names(text)
            uses += [use for line, part in read_by_people for use in _uses(part, comments, line)]
            uses += [
                (line, name, names[name.strip("_").lower()]) for line, name in bound if name.strip("_").lower() in names
            ]
        hits += [
            Hit(path=str(relative), line=line, used=used, write=_instead(used, entry))
            for line, used, entry in uses
            if used.lower() not in exempt
        ]
    return sorted(hits, key=lambda hit: (hit.path, hit.line))


@dataclass(frozen=True, kw_only=True)
class _Rule:
    """An entry with its patterns. A text without any of `first_words` cannot match."""

    entry: Replacement
    first_words: tuple[str, ...]
    avoided: re.Pattern[str]
    fine: re.Pattern[str]


def _rules(entries: Iterable[Replacement]) -> list[_Rule]:
    return [
        _Rule(
            entry=entry,
            first_words=tuple({phrase.split()[0].removesuffix("*").lower() for phrase in entry.instead_of}),
            avoided=_pattern(entry.instead_of),
            fine=_pattern(entry.except_),
        )
        for entry in entries
    ]


def _uses(text: str, rules: Iterable[_Rule], first_line: int = 1) -> Iterator[tuple[int, str, Replacement]]:
    lowered = text.lower()
    for rule in rules:
        # A search for a plain word is much quicker than the pattern.
        if not any(word in lowered for word in rule.first_words):
            continue
        for match in rule.avoided.finditer(text):
            used = " ".join(word for word in re.split(r"[\s#/>]+", match[0]) if word)
            if not rule.fine.fullmatch(used):
                yield text.count("\n", 0, match.start()) + first_line, used, rule.entry


def _instead(used: str, entry: Replacement) -> str:
    """The replacement for the words of a hit, with their ending."""
    if not entry.write.endswith("*"):
        return entry.write
    stems = [phrase.removesuffix("*") for phrase in entry.instead_of]
    stem = max((stem for stem in stems if used.lower().startswith(stem)), key=len)
    return entry.write.removesuffix("*") + used[len(stem) :].lower()


def _pattern(phrases: Iterable[str]) -> re.Pattern[str]:
    """Whole words. An underscore ends a word too, as in a name."""
    expressions = [
        _GAP.join(
            re.escape(word.removesuffix("*")) + ("[a-z]*" if word.endswith("*") else "") for word in phrase.split()
        )
        for phrase in phrases
    ]
    return re.compile(rf"(?<![a-z])(?:{'|'.join(expressions) or '(?!)'})(?![a-z])", re.IGNORECASE)


_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def comments_and_names(source: str) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    """Docstrings and comments, and the names of functions, classes, parameters and variables, each with its line.

    A docstring has the number of its first line. Attributes are not listed.
    """
    comments, names = [], []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, _DOCUMENTED) and (text := ast.get_docstring(node, clean=False)) is not None:
            comments.append((node.body[0].lineno, text))
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                names.append((node.lineno, node.name))
            case ast.arg():
                names.append((node.lineno, node.arg))
            case ast.Name(ctx=ast.Store()):
                names.append((node.lineno, node.id))
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            comments.append((token.start[0], token.string))
    return comments, names
