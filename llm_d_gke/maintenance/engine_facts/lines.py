"""`python -m llm_d_gke.maintenance.engine_facts.lines VERSION`: compare verdicts on random command lines.

With `--models` the configurations are random, too, and there are few options.

The engine's are those of its own parser and `create_engine_config`, the planner's are its errors.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import ValidationError

from llm_d_gke import catalog
from llm_d_gke.catalog.engine_tables import load_facts
from llm_d_gke.maintenance.engine_facts.__main__ import answers
from llm_d_gke.maintenance.engine_facts.environment import EngineEnvironment, build
from llm_d_gke.maintenance.engine_facts.questions import capability_numbers, reported
from llm_d_gke.maintenance.engine_facts.random_lines import MACHINES, Tree, stacks
from llm_d_gke.maintenance.engine_facts.random_models import models
from llm_d_gke.planning.findings import Findings, Severity
from llm_d_gke.planning.rules import load_subject
from llm_d_gke.planning.sequence import plan_once
from llm_d_gke.planning.serving.custom_models import with_own_models
from llm_d_gke.settings import StackSettings
from llm_d_gke.stackfile.model_files import ModelFile

_CONFIGS = Path("tests/planning/figures/found_configs")
# Tables of transformers that name a class for each model type.
_MAPPINGS = tuple(f"MODEL_FOR_{task}_MAPPING_NAMES" for task in ("CAUSAL_LM", "IMAGE_TEXT_TO_TEXT", "MASKED_LM"))
# Variables of a pod that say where the engine's caches are, not what it does.
_PLACES = ("HOME", "USER", "PATH", "CACHE", "HF_", "TRITON_", "TORCH", "TMP")
# Rules about what the engine's configuration sees: reports of starts, and of these subjects what is not the project's.
_SUBJECTS = ("models", "engine", "engine_features", "parallelism")
# Names that the planner wants in full, and memory.
_UNSEEN = ("LLMD-ENGINE-OPTION-SHORT", "LLMD-KV-OFFLOAD-MEMORY", "LLMD-CONFIG-ARCHITECTURE")
_POLICY = "LLMD-EXTRA-ARGS-PLANNED"
# What no GPU, absent libraries, this host's memory and a tokenizer of a few marks leave unanswered.
_GAPS = (
    *("failed to be inspected", "unanswered", "Sleep mode is not supported", "cumem allocator is not supported"),
    *("KeyError: 'Ġ</'", "AmbiguousGlobalPerLayerAttributeError", "Invalid repository ID"),
    *("attribute name must be string, not 'NullObject'", "Too large swap space", "Can't load image processor"),
    *("Can't load feature extractor", "requires `response_template` metadata in the tokenizer"),
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m llm_d_gke.maintenance.engine_facts.lines", description=__doc__)
    parser.add_argument("version", help="a version of vLLM that has a table")
    parser.add_argument("--folder", type=Path, required=True, help="where the engine is installed, 2 GB")
    parser.add_argument("--count", type=int, default=180, help="command lines (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="another seed, other lines (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="a file for the rows, in JSON")
    parser.add_argument("--again", type=Path, help="such a file, whose lines the planner alone judges again")
    parser.add_argument("--models", action="store_true", help="draw configurations of models rather than options")
    options = parser.parse_args()
    folder = options.folder / options.version
    environment = build(options.version, folder)
    public = {f"acme/{path.stem}": json.loads(path.read_text(encoding="utf-8")) for path in _CONFIGS.glob("*.json")}
    configurations = _configurations(environment, folder) | public
    if options.again:
        former = json.loads(options.again.read_text("utf-8"))
        answered = {json.dumps(row["stack"]): row["engine"] for row in former}
        configurations = {_model(row)["id"]: row["config"] for row in former}
        rows = list(judged(map(json.loads, answered), configurations))
        for row in rows:
            row["engine"] = answered[json.dumps(row["stack"])]
    else:
        if options.models:
            configurations = models(options.seed, 3 * options.count, configurations)
        drawn = stacks(options.seed, load_facts(options.version), configurations, plain=options.models)
        rows = list(itertools.islice(judged(drawn, configurations), options.count))
        for name in {row["accelerator"] for row in rows}:
            cases = [row for row in rows if row["accelerator"] == name]
            drawn_models = {_model(row)["id"]: row["config"] for row in cases}
            question = {"command_lines": {"models": drawn_models, "cases": cases}}
            [result] = answers(environment, folder, [{"card": _card(name), "questions": question}])
            for row, error in zip(cases, result["command_lines"]["answer"], strict=True):
                row["engine"] = error
    if options.out:
        options.out.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    print(summary(rows))
    return 0


def summary(rows: list[Tree]) -> str:
    """Counts, and what only one of both refuses."""
    answered = [row for row in rows if not any(text in (row["engine"] or "") for text in _GAPS)]
    missed = [row for row in answered if row["engine"] and not row["errors"]]
    alone = [row for row in answered if row["errors"] and not row["engine"]]
    both = sum(1 for row in answered if row["errors"] and row["engine"])
    warned = sum(1 for row in missed if row["warnings"])
    counts = Counter(error.partition(" ")[0] for row in alone for error in row["errors"][:1])
    return "\n".join(
        (
            f"{len(answered)} lines: both take {len(answered) - both - len(missed) - len(alone)}, both refuse {both}",
            f"not answered, by gaps of the stand-in: {len(rows) - len(answered)}",
            f"the engine alone refuses {len(missed)}, with a warning of the planner {warned}",
            *(f"  {_line(row)}: {row['engine']} {row['warnings']}" for row in missed),
            f"the planner alone refuses {len(alone)}: {dict(counts.most_common())}",
            *(f"  {_line(row)}: {row['errors'][0]}" for row in alone),
        )
    )


def _line(row: Tree) -> str:
    return f"{_model(row)['id']} on {row['accelerator']}, {' '.join(row['arguments'][1:])}"


def _model(row: Tree) -> Tree:
    model: Tree
    [model] = row["stack"]["models"]
    return model


def judged(drawn: Iterator[Tree], configurations: Mapping[str, Tree]) -> Iterator[Tree]:
    """Stacks with what the planner says of them, and the command line that they render whatever it says."""
    full_catalog = catalog.load()
    seen = _seen_rules()
    for values in drawn:
        [model] = values["models"]
        findings = Findings()
        try:
            settings = StackSettings.model_validate(values, by_alias=True, by_name=False)
        except ValidationError:
            continue
        files = {model["id"]: ModelFile(config=configurations[model["id"]])}
        own = with_own_models(full_catalog, settings, files, findings)
        plan = plan_once("lines", settings, own, frozenset({"huggingFace"}), findings)
        if plan is None or any(f.id == _POLICY for f in findings):
            continue
        texts: dict[Severity, list[str]] = {severity: [] for severity in Severity}
        for finding in findings:
            if finding.id in seen:
                texts[finding.severity].append(f"{finding.id} {finding.path}: {finding.rule}")
        pod = plan.models[0].servers[0].pod
        variables = {
            entry.name: entry.value
            for entry in pod.env
            if entry.value is not None and (entry.of_stack_file or not any(place in entry.name for place in _PLACES))
        }
        yield {
            "stack": values,
            "config": configurations[model["id"]],
            "accelerator": values["accelerator"]["type"],
            # A number of a pod in its group, which its node knows.
            "arguments": [re.sub(r"\$\(\w+\)", "0", word) for word in pod.args],
            "variables": variables,
            "errors": texts[Severity.ERROR],
            "warnings": texts[Severity.WARNING],
        }


def _seen_rules() -> set[str]:
    rules = {name: rule for subject in _SUBJECTS for name, rule in load_subject(subject).rules.items()}
    own = {name for name, rule in rules.items() if rule.basis != "project" and name not in _UNSEEN}
    return {"LLMD-START-REPORTED", *own}


def _configurations(environment: EngineEnvironment, folder: Path) -> dict[str, Tree]:
    """Default configurations of the engine's transformers, asked once."""
    file = folder / "default_configurations.json"
    if not file.exists():
        question = {"card": _card(MACHINES[0][0]), "questions": {"configurations": {"mappings": _MAPPINGS}}}
        [answer] = answers(environment, folder, [question])
        file.write_text(json.dumps(answer["configurations"]["answer"]), encoding="utf-8")
    return {f"acme/{name}": config for name, config in json.loads(file.read_text(encoding="utf-8")).items()}


def _card(name: str) -> Tree:
    accelerator = catalog.load().accelerators[name]
    return {
        "capability": capability_numbers(accelerator.compute_capability or 0.0),
        "name": name,
        "title": reported(accelerator),
        "gib": accelerator.usable_gib or accelerator.nominal_gib,
        "devices": 8,
    }


if __name__ == "__main__":
    raise SystemExit(main())
