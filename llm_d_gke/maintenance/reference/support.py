"""docs/support.md: which models run on which accelerators, by the engine tables."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from llm_d_gke.catalog import Catalog, load
from llm_d_gke.catalog.engine_tables import load_facts, versions
from llm_d_gke.catalog.schema import Accelerator, Model
from llm_d_gke.cli.markdown import table
from llm_d_gke.operations.templates import render
from llm_d_gke.planning.engine_support.deployment import Deployment, Kind
from llm_d_gke.planning.engine_support.refusals import is_known, refusals_of
from llm_d_gke.stackfile import PROJECT_ROOT

PAGE = PROJECT_ROOT / "docs" / "support.md"

# As the stack file spells them; the first is vLLM's own choice.
_DTYPES: tuple[str | None, ...] = (None, "bfloat16", "float16", "float32")
# The letters are explained in the template.
_LETTERS: Mapping[Kind, str] = {
    "architecture": "A",
    "dtype": "D",
    "float16": "F",
    "attention-kernel": "K",
    "experts-kernel": "E",
    "quantization-unknown": "Q",
    "quantization-capability": "Q",
    "quantization-dtype": "Q",
    "tpu-quantization": "Q",
    "kv-cache-dtype": "C",
}
_RUNS, _UNKNOWN = "+", "?"

Cells = tuple[str, ...]


def page() -> str:
    """A table of models and accelerators for each version of vLLM as Markdown."""
    catalog = load()
    tables = [(version, list(_table(catalog, version))) for version in reversed(versions())]
    return render(Path(__file__).with_name("support.md.jinja"), tables=tables) + "\n"


def _table(catalog: Catalog, version: str) -> Iterator[str]:
    accelerators = list(catalog.accelerators.values())
    cells = {
        model.id: tuple(outcome(model, accelerator, version) for accelerator in accelerators)
        for model in catalog.models.values()
    }
    columns = _grouped({a.name: tuple(row[n] for row in cells.values()) for n, a in enumerate(accelerators)})
    kept_columns = [next(n for n, a in enumerate(accelerators) if a.name == names[0]) for names in columns]
    rows = _grouped({name: tuple(row[n] for n in kept_columns) for name, row in cells.items()})
    yield from table(
        ("model", *(", ".join(names) for names in columns)),
        [
            (_names_cell(names), *(f"`{cells[names[0]][n]}`" for n in kept_columns))
            for names in sorted(rows, key=lambda group: (-len(group), group[0]))
        ],
    )
    facts = load_facts(version)
    packages = ", ".join(f"{name} {number}" for name, number in facts.packages.items())
    read = f"; {facts.tpu.package}{'' if facts.tpu.exact else ', the nearest published'}" if facts.tpu else ""
    yield f"\nSources: {packages}{read}."


def outcome(model: Model, accelerator: Accelerator, version: str) -> str:
    """Four characters, one for each dtype."""
    return "".join(_cell_letter(model, accelerator, version, dtype) for dtype in _DTYPES)


def _cell_letter(model: Model, accelerator: Accelerator, version: str, dtype: str | None) -> str:
    deployment = Deployment(model=model, accelerator=accelerator, version=version, dtype=dtype)
    refusals = refusals_of(deployment)
    certain = [refusal for refusal in refusals if refusal.certain]
    if certain:
        return _LETTERS[certain[0].kind]
    if refusals:
        return _LETTERS[refusals[0].kind].lower()
    return _RUNS if is_known(deployment) else _UNKNOWN


def _grouped(rows: Mapping[str, Cells]) -> list[list[str]]:
    """Names with equal cells, in the order of their first."""
    by_row: dict[Cells, list[str]] = {}
    for name, row in rows.items():
        by_row.setdefault(row, []).append(name)
    return list(by_row.values())


def _names_cell(names: Sequence[str]) -> str:
    """Models by organization: `Qwen/{Qwen3-8B, Qwen3-14B}`."""
    by_owner = itertools.groupby(sorted(names, key=str.lower), key=lambda name: name.partition("/")[0])
    texts = []
    for owner, group in by_owner:
        short = [name.partition("/")[2] for name in group]
        texts.append(f"{owner}/{short[0]}" if len(short) == 1 else f"{owner}/: {', '.join(short)}")
    return "; ".join(texts)
