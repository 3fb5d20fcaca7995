"""Gives every option of vLLM right and wrong values, and compares vLLM's own parser with the planner.

`python -m llm_d_gke.maintenance.conformance.option_values [--engines FOLDER] [VERSION ...]` asks the parsers whose
package is installed below FOLDER and writes option_values.yaml, which docs/conformance.md shows.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from llm_d_gke import catalog
from llm_d_gke.catalog.engine_tables import EngineFacts, facts_of
from llm_d_gke.cli.markdown import table
from llm_d_gke.cli.text import print_step
from llm_d_gke.maintenance.conformance import engines, stored
from llm_d_gke.maintenance.conformance.names import engines_of
from llm_d_gke.maintenance.conformance.rendered import Rendered
from llm_d_gke.planning.engine_support.option_values import wrong_values
from llm_d_gke.planning.engine_support.options import unknown_options
from llm_d_gke.planning.engine_support.owned import owned_options
from llm_d_gke.rehearsal.toolchain.targets import cache_root

FILE: Final = Path(__file__).with_name("option_values.yaml")
_MODEL: Final = "my-org/model"
_COUNTS: Final = ("options", "values", "refused by both")
# Words of every kind that an option may take, and no word at all.
_VALUES: Final = (
    None,
    "8",
    "0.5",
    "8k",
    "-1",
    "word",
    "auto",
    "true",
    "false",
    "",
    "None",
    "{}",
    '{"another": 1}',
    "[1]",
    "{word}",
)
# They end the program, read files, or name models, parsers and modules, which the planner judges by other tables.
_LEFT_OUT: Final = frozenset(
    {
        "--help",
        "--version",
        "--config",
        "--model-tag",
        "--chat-template",
        "--tool-call-parser",
        "--reasoning-parser",
        "--quantization",
        "--speculative-config",
    }
)


@dataclass(frozen=True)
class Probe:
    """One option with one value; None where nothing follows the option."""

    option: str
    value: str | None

    @property
    def arguments(self) -> tuple[str, ...]:
        return (self.option,) if self.value is None else (self.option, self.value)

    def __str__(self) -> str:
        return " ".join((self.option, *(() if self.value is None else (self.value or '""',))))


def probes(facts: EngineFacts) -> Iterator[Probe]:
    """Every option of a table that a stack may write, with each kind of value and with each of its own choices."""
    for option in facts.options:
        if option in _LEFT_OUT or option in owned_options():
            continue
        for value in dict.fromkeys((*_VALUES, *facts.option_values.get(option, ()))):
            yield Probe(option, value)


def refusal_here(version: str, probe: Probe) -> str | None:
    """Why the planner says that vLLM ends on an argument; None where it does not."""
    unknown = unknown_options(version, probe.arguments)
    wrong = wrong_values(version, probe.arguments)
    return f"no option {unknown[0][1]}" if unknown else wrong[0].reason if wrong else None


def compared(version: str, folder: Path) -> tuple[dict[str, int], list[list[str]]]:
    """The number of values tried, and the values that only one side refuses: option and value, which side, why."""
    tried = list(probes(facts_of(version)[-1]))
    answers = engines.messages(version, [Rendered((_MODEL, *probe.arguments)) for probe in tried], folder)
    counts = {"options": len({probe.option for probe in tried}), "values": len(tried), "refused by both": 0}
    differences = []
    for probe, lines in zip(tried, answers, strict=True):
        engine_says = next((line for line in lines if not line.startswith("deprecated")), None)
        planner_says = refusal_here(version, probe)
        counts["refused by both"] += engine_says is not None and planner_says is not None
        if engine_says is None and planner_says is not None:
            differences.append([str(probe), "planner", planner_says])
        elif engine_says is not None and planner_says is None:
            differences.append([str(probe), "vLLM", " ".join(engine_says.split())[:160]])
    return counts, differences


def lines() -> Iterator[str]:
    """The table of docs/conformance.md."""
    results: dict[str, Any] = stored.read(FILE) or {}
    rows = []
    for version, result in results.items():
        counts = [result["counts"][name] for name in _COUNTS]
        alone = [who for _, who, _ in result["differences"]]
        rows.append((version, *counts, alone.count("vLLM"), alone.count("planner"), result["date"]))
    return table(("vLLM", *_COUNTS, "refused by vLLM alone", "refused by the planner alone", "date"), rows)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m llm_d_gke.maintenance.conformance.option_values")
    parser.add_argument("versions", nargs="*", help="default: of every release whose package is installed")
    parser.add_argument("--engines", type=Path, default=cache_root() / "engines")
    options = parser.parse_args(arguments)
    images = [image for release in catalog.load().releases.values() for image in engines_of(release).values()]
    installed = {image.version for image in images if image is not None}
    installed = {version for version in installed if (options.engines / version / "complete").exists()}
    for version in options.versions or sorted(installed):
        counts, differences = compared(version, options.engines)
        results = stored.read(FILE) or {}
        results[version] = {"date": stored.today(), "counts": counts, "differences": differences}
        stored.write(FILE, "Values of vLLM's options.", results)
        print_step(f"vLLM {version}: {counts}, {len(differences)} judged differently")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
