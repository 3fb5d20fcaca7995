"""Compare this project's memory model and llm-d-planner's with what vLLM logged. Writes a Markdown table.

llm-d-planner is not a dependency; give it a separate environment with everything this script needs:

    python3 -m venv /tmp/planner && /tmp/planner/bin/pip install llm-d-planner==0.3.3 pyyaml pydantic
    /tmp/planner/bin/python -m llm_d_gke.maintenance.measure.planners

The library asks the Hub for each model's configuration and tensor sizes; both are given to it from the catalog
instead, so that the two are compared on the same facts. In-sample for both: the constants of activations, the library's
and this project's, were fitted to a collection of logs of which these are a part.
"""

from __future__ import annotations

import importlib
import json
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from llm_d_gke import catalog
from llm_d_gke.catalog.parameters import count_parameters
from llm_d_gke.catalog.schema import Model
from llm_d_gke.cli import markdown
from llm_d_gke.operations.logs_check.judgment import Judgment, judge_rows
from llm_d_gke.operations.logs_check.row import Row, start_of
from llm_d_gke.operations.logs_check.summary import summarize
from llm_d_gke.operations.logs_check.summary import table as summary_table
from llm_d_gke.planning.sizing.memory import EngineRun, judge
from llm_d_gke.planning.sizing.memory.weights import weights_gib

FIGURES = Path(__file__).parents[3] / "tests" / "planning" / "figures"
# Twenty logs of vLLM 0.19.0, each figure of the rank that decides.
LOGS = FIGURES / "first_starts.json"
PUBLISHED = FIGURES / "published_starts.json"
# Collections of logged starts with a table of their own, in the order in which they were found.
COLLECTIONS = {
    "vLLM 0.20 and later, and TPUs:": FIGURES / "later_starts.json",
    "Starts found later:": FIGURES / "found_starts.json",
    "Starts collected last:": FIGURES / "collected_starts.json",
    "Further starts:": FIGURES / "further_starts.json",
}
_NEW = tuple(FIGURES / f"{name}_starts.json" for name in ("unseen", "held_out", "blind", "fresh"))
CARD = "nvidia-h100-80gb"
NOMINAL_GIB = 80  # what the library's own catalog gives for this card
_LIBRARY = "llm-d-planner 0.3.3"

_NAMES = {"bfloat16": "BF16", "float16": "F16", "half": "F16", "float32": "F32"}


@dataclass(frozen=True)
class Answer:
    """A planner's answer for one start, or the log's. GiB of one rank."""

    weights: float
    activation: float
    available: float
    tokens: int
    concurrency: float


def read_rows(path: Path = LOGS) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return rows


def run_of(row: Row) -> EngineRun:
    """The engine that wrote the log, from its settings alone."""
    return start_of(row, FIGURES).run


def logged_answer(row: Row) -> Answer:
    return Answer(*(row[name] for name in ("weightsGib", "activationGib", "availableGib", "kvTokens", "concurrency")))


def own_answer(row: Row) -> Answer:
    run = run_of(row)
    verdict = judge(run)
    heaviest = max(weights_gib(run, stage) for stage in range(run.pipeline_parallel))
    figures = (verdict.parts.activation, verdict.available_gib, verdict.kv_tokens, verdict.max_concurrency)
    return Answer(heaviest, *figures)


def library_answer(run: EngineRun, planner: ModuleType, memory_gib: float) -> Answer:
    """The answer of llm-d-planner, which has no settings for on-line quantization and the cache's type."""
    dtype = run.dtype if run.dtype in _NAMES else run.model.dtype
    config, stored = _config(run.model, dtype), _stored(run.model, dtype)
    planner.model_params_by_dtype = lambda _name, _token=None: stored  # type: ignore[attr-defined]
    name, tensor, pipeline = run.model.id, run.tensor_parallel, run.pipeline_parallel
    memory = planner.allocatable_kv_cache_memory(name, config, memory_gib, run.utilization, tp=tensor, pp=pipeline)
    # Not `total_kv_cache_blocks`: with several ranks it divides the memory of all by the bytes of one.
    tokens = int(memory * 2**30 / planner.KVCacheDetail(name, config, 1, 1).per_token_memory_bytes)
    return Answer(
        weights=planner.per_gpu_model_memory_required(name, config, tensor, pipeline),
        activation=planner.estimate_vllm_activation_memory(config, tensor),
        available=memory / tensor,
        tokens=tokens,
        concurrency=tokens / run.max_model_len,
    )


def table(logs: Sequence[Answer], answers: Mapping[str, Sequence[Answer]]) -> str:
    """Errors of each planner: average, median and worst of absolute relative ones; GiB for activations."""
    rows = []
    for name, outcomes in answers.items():
        pairs = list(zip(logs, outcomes, strict=True))
        weights = [abs(answer.weights / log.weights - 1) for log, answer in pairs]
        activations = [abs(answer.activation - log.activation) for log, answer in pairs]
        tokens = [abs(answer.tokens / log.tokens - 1) for log, answer in pairs]
        at_once = [abs(answer.concurrency / log.concurrency - 1) for log, answer in pairs]
        rows.append(
            (
                name,
                _shares((statistics.mean(weights), max(weights))),
                f"{statistics.mean(activations):.2f} / {max(activations):.2f} GiB",
                _shares((statistics.median(tokens), statistics.mean(tokens), max(tokens))),
                _shares((statistics.mean(at_once), max(at_once))),
            )
        )
    head = ("planner", "weights mean / worst", "activations mean / worst", "KV tokens median / mean / worst")
    return "\n".join(markdown.table((*head, "concurrency mean / worst"), rows))


def _shares(values: Iterable[float]) -> str:
    return " / ".join(f"{value:.2%}" for value in values)


def _config(model: Model, dtype: str) -> SimpleNamespace:
    """The fields of config.json that the library reads."""
    fields: dict[str, object] = {
        "architectures": [model.architecture],
        "torch_dtype": dtype,
        "num_hidden_layers": model.layers,
        "hidden_size": model.hidden,
        "num_attention_heads": model.attention_heads,
        "num_key_value_heads": model.kv_heads,
        "head_dim": model.head_dim,
        "vocab_size": model.vocabulary,
        "intermediate_size": model.intermediate,
        "max_position_embeddings": model.context,
    }
    if model.mla is not None:
        fields |= {"kv_lora_rank": model.mla.kv_lora_rank, "qk_rope_head_dim": model.mla.qk_rope_head_dim}
    if model.experts is not None:
        fields["num_experts"] = model.experts.count
    if model.quantization is not None:
        weights = {"num_bits": int(model.quantization.bits)}
        fields["quantization_config"] = {
            "quant_method": model.quantization.method,
            "config_groups": {"group_0": {"weights": weights}},
        }
    return SimpleNamespace(**fields)


def _stored(model: Model, dtype: str) -> dict[str, int]:
    """Numbers of parameters by type, as the headers of the model's files give them."""
    parts, quantization = count_parameters(model), model.quantization
    if quantization is None:
        return {_NAMES[dtype]: model.parameters or parts.total}
    plain = {_NAMES[model.dtype]: parts.total - parts.layers}
    if quantization.bits == 8:
        return plain | {"F8_E4M3": parts.layers}
    packed = round(parts.layers * quantization.bits / 32)
    scales = parts.layers // quantization.group if quantization.group else 0
    return {name: number + scales for name, number in plain.items()} | {"I32": packed}


def starts_table(planner: ModuleType | None) -> str:
    """Starts of 0.11 published with their weights and remaining memory, with the answer of each planner.

    A start counts as failed if no memory is left, or less than one request needs; several did.
    """
    rows = read_rows(PUBLISHED)
    lines = []
    for row, judgment in zip(rows, judge_rows(rows, FIGURES), strict=True):
        answers = [(judgment.prediction["weightsGib"], judgment.prediction["availableGib"])]
        if planner is not None:
            answer = library_answer(run_of(row), planner, NOMINAL_GIB)
            answers.append((answer.weights, answer.available))
        lines.append(
            (
                f"{row['model'].rpartition('/')[2]}, {row.get('tensorParallel', 1)} GPU, {row['maxModelLen']} tokens",
                "yes" if row["ran"] else "no",
                judgment.call,
                *(
                    _with_logged(predicted, row.get(name))
                    for pair in answers
                    for predicted, name in zip(pair, ("weightsGib", "availableGib"), strict=True)
                ),
            )
        )
    head = ("start", "ran", "this project", "weights", "GiB left")
    others = () if planner is None else ("llm-d-planner: weights", "GiB left")
    return "\n".join(markdown.table((*head, *others), lines))


def later_table() -> str:
    """Starts of vLLM 0.20 and later and of TPUs by group, those found since, and the share of marginal rows."""
    calls = [judgment.call for path in (PUBLISHED, LOGS) for judgment in _judged(path)]
    parts: list[str] = []
    for title, path in COLLECTIONS.items():
        judgments = _judged(path)
        calls += [judgment.call for judgment in judgments]
        parts += [title, summary_table(summarize(judgments))]
    return "\n\n".join([*parts, f"{calls.count('marginal')} of all {len(calls)} rows are marginal."])


def _judged(path: Path) -> list[Judgment]:
    return judge_rows(read_rows(path), FIGURES)


def new_rows_table(planner: ModuleType) -> str:
    """Errors of KV tokens on the starts of newer versions: of all, and of those that the library can express.

    Rows whose settings or machine no stack file can have are left out (`cache only`, `under WSL`).
    """
    of_all: list[tuple[float, float]] = []
    of_some: list[tuple[float, float]] = []
    unanswered = 0
    for path in (*list(COLLECTIONS.values())[1:], *_NEW):
        rows = read_rows(path)
        for row, judgment in zip(rows, judge_rows(rows, FIGURES), strict=True):
            logged, predicted = row.get("kvTokens"), judgment.prediction.get("kvTokens")
            excluded = judgment.group in ("cache only", "under WSL")
            if not logged or not predicted or excluded or str(row.get("accelerator")).startswith("tpu"):
                continue
            run = run_of(row)
            try:
                tokens = library_answer(run, planner, run.total_gib).tokens
            except Exception:
                unanswered += 1
                continue
            errors = (abs(predicted / logged - 1), abs(tokens / logged - 1))
            of_all.append(errors)
            if _is_expressible(run):
                of_some.append(errors)
    lines = []
    for name, pairs in (("all with an answer", of_all), ("expressible", of_some)):
        for index, planner_name in enumerate(("this project", _LIBRARY)):
            errors_of = sorted(pair[index] for pair in pairs)
            shares = (statistics.median(errors_of), errors_of[int(0.9 * (len(errors_of) - 1))], errors_of[-1])
            lines.append((f"{len(pairs)} {name}", planner_name, _shares(shares)))
    head = ("starts", "planner", "KV tokens, median / 90 % below / worst")
    return "\n".join([*markdown.table(head, lines), "", f"No answer of the library: {unanswered}."])


def _is_expressible(run: EngineRun) -> bool:
    """It knows neither windows nor states, 8-bit caches, drafts nor quantization while loading."""
    plain = all(group.kind in ("full", "mla") for group in run.model.attention)
    further = run.kv_cache_dtype not in (None, "auto"), run.quantization, run.draft, run.draft_model, run.lora_slots
    return plain and run.data_parallel == 1 and not any(further)


def _with_logged(predicted: float, logged: float | None) -> str:
    return f"{predicted:.2f}" if logged is None else f"{predicted:.2f} of {logged:.2f}"


def main() -> int:
    rows = read_rows()
    logs = [logged_answer(row) for row in rows]
    answers: dict[str, Sequence[Answer]] = {"this project": [own_answer(row) for row in rows]}
    try:
        planner = importlib.import_module("planner.capacity_planner")
    except ImportError:
        print(table(logs, answers))
        print(f"\nStarts of vLLM 0.11.0:\n\n{starts_table(None)}")
        print(f"\n{later_table()}")
        print(f"\nllm-d-planner is not installed here; how to compare with it:\n{__doc__}", file=sys.stderr)
        return 1
    usable = catalog.load().accelerators[CARD].usable_gib or NOMINAL_GIB
    for name, memory in ((_LIBRARY, NOMINAL_GIB), (f"{_LIBRARY}, told {usable} GiB", usable)):
        answers[name] = [library_answer(run_of(row), planner, memory) for row in rows]
    print(f"All {len(logs)} logs:\n\n{table(logs, answers)}")
    # Settings that it has no option for, and several ranks, distort its result: once more without them.
    plain = [i for i, row in enumerate(rows) if row.get("quantization") != "fp8" and "kvCacheDtype" not in row]
    some = {name: [outcomes[i] for i in plain] for name, outcomes in answers.items()}
    print(f"\nThe {len(plain)} whose settings it can express:\n\n{table([logs[i] for i in plain], some)}")
    errors = [answer.tokens / log.tokens - 1 for log, answer in zip(logs, answers[_LIBRARY], strict=True)]
    worst = sorted(zip(errors, rows, strict=True), key=lambda pair: -abs(pair[0]))
    listed = ", ".join(f"{row['id']} {row['model']} {error:+.0%}" for error, row in worst[:5])
    print(f"\nIts largest errors of KV tokens: {listed}")
    print(f'\nStarts of vLLM 0.11.0, logged figures after "of":\n\n{starts_table(planner)}')
    print(f"\n{later_table()}")
    print(f"\nThe starts found since, by both:\n\n{new_rows_table(planner)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
