"""Prints where the value of a field comes from."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping

from llm_d_gke.cli.exits import DONE
from llm_d_gke.operations.explain.explanation import Explainer, Explanation
from llm_d_gke.operations.explain.fields import MISSING, FieldError, parse
from llm_d_gke.operations.explain.inputs import StackInput
from llm_d_gke.operations.explain.origins import Moved
from llm_d_gke.stackfile import NAMESPACE
from llm_d_gke.stackfile.assumptions import load_assumed
from llm_d_gke.stackfile.model_files import model_files
from llm_d_gke.wording import WIDTH, wrapped


def print_explanation(stack: str, field: str, changes: Mapping[str, str]) -> int:
    """Print where the value of a field comes from, and to standard error first what takes its time."""
    print(wrapped(_announcement(field)), file=sys.stderr, flush=True)
    for line in format_explanation(Explainer(stack_input_of(stack, changes)).explain(field)):
        print(wrapped(line))
    return DONE


def _announcement(field: str) -> str:
    try:
        parse(field)
    except FieldError:
        return f"{field!r} is no path of a field: looking for its name in the stack's objects (a few seconds)"
    return "planning the stack again with each input changed (about 8 seconds on one core)"


def stack_input_of(stack: str, changes: Mapping[str, str] | None = None) -> StackInput:
    """Read a stack file's configuration; a project and a token are assumed where it has none."""
    configuration = load_assumed(stack, changes)
    values = configuration.settings()
    return StackInput(stack=stack, values=values, encrypted=configuration.encrypted(), files=model_files(values))


def format_explanation(explanation: Explanation) -> Iterator[str]:
    """The explanation as lines of text."""
    yield f"{explanation.path} = {_short(explanation.value)}"
    yield f"  registered by {explanation.component or 'the program'}"
    if explanation.planned is not None:
        yield f"  planned as {explanation.planned}"
    existence = [origin for origin in explanation.origins if origin.becomes is MISSING]
    moving = [origin for origin in explanation.origins if origin.becomes is not MISSING]
    settings = [origin for origin in moving if origin.origin.name.startswith(NAMESPACE)]
    facts = [origin for origin in moving if not origin.origin.name.startswith(NAMESPACE)]
    if not moving:
        yield "  no setting and no fact gives it another value: it is a constant of the code named above"
    for title, group in (("settings", settings), ("facts", facts)):
        if group:
            yield f"  from {title}:"
        for origin in group:
            yield f"    {_origin_text(origin)}"
            yield f"      with {_short(origin.other, 40)}: {difference(explanation.value, origin.becomes)}"
            if origin.origin.source:
                yield f"      source: {_short(origin.origin.source, 200)}"
    if existence:
        yield "  exists only with:"
    for origin in existence:
        yield f"    {_origin_text(origin)}; not with {_short(origin.other, 40)}"


def _origin_text(moved: Moved) -> str:
    return f"{moved.origin.name} = {_short(moved.origin.value, 60)}{'' if moved.origin.is_set else ' (default)'}"


def difference(before: object, after: object) -> str:
    """How another value changes the field. Long values are shown as removed and added parts only."""
    if isinstance(before, list) and isinstance(after, list):
        removed, new = (
            [_short(item) for item in before if item not in after],
            [item for item in after if item not in before],
        )
    elif isinstance(before, str) and isinstance(after, str) and "\n" in before + after:
        removed = [line.strip() for line in before.splitlines() if line not in after.splitlines()]
        new = [line.strip() for line in after.splitlines() if line not in before.splitlines()]
    else:
        return _short(after, 80)
    parts = [
        f"{word} {_short(' '.join(map(_short, items)), 60)}"
        for word, items in (("without", removed), ("with", new))
        if items
    ]
    return ", ".join(parts) or f"in another order: {_short(after, 80)}"


def _short(value: object, width: int = WIDTH) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 3] + "..."
