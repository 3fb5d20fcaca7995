"""What is wrong with the text of a stack file that is not YAML, or that YAML takes for something else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import yaml

from llm_d_gke.stackfile.paths import StackFileError


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """What is wrong in a line (counted from 1), and what to write."""

    line: int
    what: str
    fix: str


def refuse(name: str, faults: Iterable[Fault]) -> None:
    """Raise StackFileError with every fault. Those of the same words are one, with the lines of all."""
    lines: dict[str, list[int]] = {}
    first: dict[str, Fault] = {}
    for fault in sorted(faults):
        lines.setdefault(fault.what, []).append(fault.line)
        first.setdefault(fault.what, fault)
    if not first:
        return
    raise StackFileError(
        "\n".join(
            f"{name}, line {fault.line}: {what}. {fault.fix}{_also(lines[what][1:])}" for what, fault in first.items()
        )
    )


def _also(lines: Sequence[int]) -> str:
    return f". The same in {'line' if len(lines) == 1 else 'lines'} {', '.join(map(str, lines))}" if lines else ""


def merge_faults(text: str) -> Iterator[Fault]:
    """Where Git left a conflict: what is between its marks stands twice."""
    for number, line in enumerate(text.splitlines(), start=1):
        if re.match(r"<{7} ", line):
            yield Fault(
                number,
                "Git left a conflict here",
                "Keep one of the two versions, and remove the lines that begin with <<<<<<<, ======= and >>>>>>>",
            )


def sign_faults(text: str) -> Iterator[Fault]:
    """Signs that are easily mistyped: tabs, dashes without a blank, other blanks, colons and quotes. One of a line."""
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        wrong = _tab(line) or _dash(line) or _lookalike(line)
        if wrong is not None:
            yield Fault(number, *wrong)


def _tab(line: str) -> tuple[str, str] | None:
    indent = line[: len(line) - len(line.lstrip())]
    if "\t" in indent:
        return (
            "the line is indented with a tab, and YAML indents with spaces only",
            f"Write {'  ' * max(1, len(indent))}{line.strip()}",
        )
    if re.match(r"\s*(- +)?[\w.:-]+:[ ]*\t", line):
        return "a tab stands after the colon, and YAML takes blanks only", f"Write {' '.join(line.split())}"
    if "\t" in re.sub(r"\"[^\"]*\"|'[^']*'|(?<!\S)#.*", "", line.strip()):
        return "the line has a tab, and YAML takes blanks only", f"Write {' '.join(line.split())}"
    return None


def _dash(line: str) -> tuple[str, str] | None:
    """`-id: x` is a key that begins with a dash."""
    match = re.fullmatch(r"\s*-([A-Za-z][A-Za-z0-9_]*:( .*)?)", line.rstrip())
    if match is None:
        return None
    return "a blank is missing after the dash, so this is no element of a list", f"Write - {match[1]}"


# A colon as East Asian keyboards write it.
_COLON = "\uff1a"
# Signs that word processors and web pages put in place of blanks and quotation marks.
_BLANKS = "\u00a0\u2007\u202f\u3000\u200b\u2060\ufeff"
_QUOTES = "\u201c\u201d\u201e\u2018\u2019"


def _lookalike(line: str) -> tuple[str, str] | None:
    """YAML takes a no-break space for a letter of a key, and a typographic quotation mark for one of a value."""
    around = re.match(rf"\s*(?:- *)?[\w.:-]*[\s{_BLANKS}]*", line)
    if around is not None and any(sign in around[0] for sign in _BLANKS):
        plain = re.sub(f"[{_BLANKS}]", " ", line)
        return (
            "the line has a blank of another kind, such as a no-break space from a web page, which YAML takes for a"
            " letter",
            f"Write {plain.rstrip()!r} with ordinary blanks",
        )
    if re.match(rf"\s*(?:- *)?[\w.:-]+{_COLON}", line):
        return (
            "the colon after the key is a full-width one, which YAML takes for a letter",
            f"Write {re.sub(f'{_COLON} *', ': ', line.strip(), count=1)}",
        )
    if re.search(rf"(?:^|[:\-\[,{{])\s*[{_QUOTES}]", line):
        plain = re.sub(f"[{_QUOTES}]", '"', line.strip())
        return "the value is in typographic quotation marks, which YAML takes for letters", f"Write {plain}"
    return None


def syntax_error(name: str, text: str, error: yaml.MarkedYAMLError) -> str:
    """A parser's error with the line that is wrong, which is often the one before."""
    lines = text.splitlines()
    mark = error.problem_mark or error.context_mark
    if error.context_mark is not None and re.search("quoted scalar|flow (mapping|sequence)", str(error.context or "")):
        # What is not closed is wrong where it was opened; the parser notices at the end.
        mark = error.context_mark
    at = min(mark.line, len(lines) - 1) if mark is not None and lines else 0
    for number in _before(lines, at):
        repaired = _repaired(lines[number], number == at)
        if repaired is not None:
            reason, instead = repaired
            return f"{name}, line {number + 1}: {reason}. Write {instead}"
    line_text = lines[at].strip() if lines else ""
    return f"{name} is not valid YAML: line {at + 1}, {line_text!r}, {_reason(error, line_text)}"


def _before(lines: list[str], at: int) -> list[int]:
    """The line of an error and the last one before it that has text."""
    above = next((number for number in range(at - 1, -1, -1) if lines[number].split("#")[0].strip()), None)
    return [at] if above is None else [at, above]


def _repaired(line: str, is_marked: bool) -> tuple[str, str] | None:
    """The error in a line by itself, and the corrected line."""
    body = line.split(" #")[0].strip()
    equals = re.fullmatch(r"(- )?([A-Za-z][A-Za-z0-9_:-]*?) *= *(.+)", body)
    if equals and not is_marked:
        return "a colon stands between key and value, not an equals sign", f"{equals[1] or ''}{equals[2]}: {equals[3]}"
    joined = re.fullmatch(r"(- )?([A-Za-z][A-Za-z0-9_]*):([^\s/:].*)", body)
    if joined and ":" not in joined[3].split("/")[0] and not body.startswith("llm-d:"):
        return "a blank is missing after the colon", f"{joined[1] or ''}{joined[2]}: {joined[3]}"
    if not is_marked and re.fullmatch(r"(- )?[A-Za-z][A-Za-z0-9_:-]*", body) and not body.endswith(":"):
        return "the colon after the key is missing", f"{body}:"
    return None


def _reason(error: yaml.MarkedYAMLError, line_text: str) -> str:
    problem = str(error.problem or "")
    if "single document" in str(error.context or "") or "another document" in problem:
        return "begins a second document, and Pulumi reads one. Remove the line, and put all settings below one config:"
    if "unhashable key" in problem or "{{" in line_text or "${" in line_text:
        return "has a placeholder of a template, which nothing fills in here. Write the value itself"
    if "could not determine a constructor" in problem:
        return "has a tag with an exclamation mark, which Pulumi does not know. Write the value without it"
    if "unknown escape" in problem or "escape sequence" in problem:
        return "has a backslash in double quotes, which begins a special sign. Use single quotes"
    if "mapping values are not allowed" in problem:
        return (
            "has a key where none can stand: the line above has a value already, or this line is indented more than its"
            " neighbors. Indent keys of one group alike, with spaces"
        )
    if "could not find expected ':'" in problem:
        return "lacks a colon after its key. Write key: value"
    if "expected ',' or" in problem or "expected the node content" in problem or "<stream end>" in problem:
        return "opens a bracket that is not closed, or lacks a comma. Write {a: 1, b: 2} or [a, b]"
    if "block end" in problem or "block mapping" in problem or "block collection" in problem:
        return "is indented differently from its neighbors. Indent keys of one group alike, with spaces"
    if "quoted scalar" in problem or "quoted scalar" in str(error.context or ""):
        return "opens a quotation mark that is not closed. Close it, or remove it"
    if "cannot start any token" in problem:
        return "begins with a sign that means something to YAML. Put the value into quotes"
    if "undefined alias" in problem:
        return "refers by * to an anchor (&) that no line above has. Write the value itself, or put it into quotes"
    if "alias" in problem or "anchor" in problem:
        return "begins with * or &, which YAML reads as a reference. Put the value into quotes"
    return "cannot be read. Check its brackets, quotes and indentation"
