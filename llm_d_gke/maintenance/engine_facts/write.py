"""From an engine's answers to catalog/engines/<version>.yaml: the same facts, grouped for a diff to be reviewed."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

_HEAD = """\
# What vLLM {version} can do, asked of its code and read in its sources. Written by make engine-facts VERSION={version}
# Read by llm_d_gke/catalog/engine_tables.py, which says what each field means.
"""
# Ends of kinds whose words the parser converts.
_CONVERTED = ("integer", "integers", "number", "json")


class _Answers:
    """The answers of all cards. What the engine did not answer is noted in `missing`."""

    def __init__(self) -> None:
        self.missing: dict[str, str] = {}

    def get(self, task: Mapping[str, Any], question: str) -> Any:
        entry = task.get(question, {"unanswered": task.get("unanswered", "not asked")})
        if "unanswered" in entry:
            self.missing[f"{task['card']}: {question}"] = str(entry["unanswered"])
            return None
        return entry["answer"]

    def rows(self, task: Mapping[str, Any], question: str, title: str, keys: Sequence[str]) -> list[dict[str, Any]]:
        """Answered rows of a table. The others are noted as missing, by their fields `keys`."""
        rows: list[dict[str, Any]] = self.get(task, question) or []
        for row in rows:
            if "unanswered" in row:
                self.missing[f"{task['card']}: {title} {' '.join(str(row[key]) for key in keys)}"] = row["unanswered"]
        return [row for row in rows if "unanswered" not in row]


def digest(
    version: str,
    answers: Sequence[Mapping[str, Any]],
    tpu: Mapping[str, Any] | None,
    packages: Mapping[str, str],
    date: datetime.date,
) -> dict[str, Any]:
    """The document of one engine version. What the engine did not answer is listed under `unanswered`."""
    collected = _Answers()
    document: dict[str, Any] = {"version": version, "date": date, "packages": dict(packages)}
    document |= _engine(collected, answers[0])
    document |= {"capabilities": {}, "batches": {}}
    for task in answers:
        document["batches"] |= collected.get(task, "batches") or {}
        document["capabilities"][task["card"]] = _card(collected, task)
    if tpu is not None:
        document["tpu"] = dict(tpu)
    if collected.missing:
        document["unanswered"] = collected.missing
    return document


def _engine(collected: _Answers, first: Mapping[str, Any]) -> dict[str, Any]:
    """What does not depend on the card."""
    options = collected.get(first, "options") or {}
    parsers = collected.get(first, "parsers") or {}
    return {
        "float16_refused": collected.get(first, "float16_refused"),
        "automatic_dtype": collected.get(first, "automatic_dtype") or {},
        "longrope_default": collected.get(first, "longrope_default"),
        "architectures": _generative(collected.get(first, "architectures") or []),
        "former_architectures": collected.get(first, "former_architectures") or {},
        "sink_architectures": _generative(collected.get(first, "sink_architectures") or []),
        "recurrent_architectures": _generative(collected.get(first, "recurrent_architectures") or []),
        "lacking_interfaces": {
            feature: _generative(names) for feature, names in (collected.get(first, "lacking_interfaces") or {}).items()
        },
        "eagle3_model_types": collected.get(first, "eagle3_model_types") or [],
        **option_fields(options),
        "tool_parsers": parsers.get("tool", []),
        "reasoning_parsers": parsers.get("reasoning", []),
        "speculative_methods": collected.get(first, "speculative_methods") or [],
        "kv_offload_hybrid": bool(collected.get(first, "kv_offload_hybrid")),
        "quantization": _quantization(collected.get(first, "quantization") or {}),
        "compressed_tensors": {
            name: max(0, number) / 10 for name, number in (collected.get(first, "compressed_tensors") or {}).items()
        },
        "experts_padded": collected.get(first, "experts_padded"),
        "configurations": collected.get(first, "configuration_classes"),
    }


def _card(collected: _Answers, task: Mapping[str, Any]) -> dict[str, Any]:
    attention = collected.rows(task, "attention", "attention", ("use", "dtype", "head"))
    kernels = collected.rows(task, "triton_shared_memory", "kernel", ("dtype", "head"))
    return {
        "dtypes": collected.get(task, "dtypes"),
        "experts": collected.get(task, "experts") or [],
        "block_sizes": collected.get(task, "block_sizes") or {},
        "attention": _attention(attention),
        "triton_shared_memory": [
            {"dtype": row["dtype"], "head": row["head"], "windowed": row["window"] is not None, "bytes": row["bytes"]}
            for row in kernels
        ],
    }


def option_fields(options: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of the document for the engine's options and their values."""
    return {
        "options": sorted(name for name in options if "." not in name),
        "deprecated_options": sorted(name for name, entry in options.items() if entry.get("deprecated")),
        "option_values": {name: entry["values"] for name, entry in options.items() if entry.get("values")},
        "option_takes": _options_by_value_kind(options),
        "option_words": _options_by_word(options),
        "option_ranges": _options_by_range(options),
        "option_keys": {name: entry["keys"] for name, entry in sorted(options.items()) if entry.get("keys")},
        "option_needs": {name: entry["needs"] for name, entry in sorted(options.items()) if entry.get("needs")},
    }


def render(document: Mapping[str, Any]) -> str:
    body = yaml.safe_dump(dict(document), sort_keys=False, width=120, default_flow_style=None, allow_unicode=True)
    return _HEAD.format(version=document["version"]) + body


def _options_by_value_kind(options: Mapping[str, Any]) -> dict[str, list[str]]:
    """Options by the kind of their value. Options that take any text, and negations, are left out; keys are not."""
    by_kind: dict[str, list[str]] = defaultdict(list)
    for name, entry in sorted(options.items()):
        kind = entry.get("takes")
        if kind is not None and (kind != "text" or "." in name) and not name.startswith("--no-"):
            by_kind[kind].append(name)
    return dict(sorted(by_kind.items()))


def _options_by_word(options: Mapping[str, Any]) -> dict[str, list[str]]:
    """Options of numbers and JSON by the words that they take as well."""
    by_word: dict[str, list[str]] = defaultdict(list)
    for name, entry in sorted(options.items()):
        kind = entry.get("takes", "")
        if "." in name or kind.startswith("object") or kind.endswith(_CONVERTED):
            for word in entry.get("words", ()):
                by_word[word].append(name)
    return dict(sorted(by_word.items()))


def _options_by_range(options: Mapping[str, Any]) -> dict[str, list[str]]:
    """Options of numbers by the bounds that their configuration sets."""
    by_range: dict[str, list[str]] = defaultdict(list)
    for name, entry in sorted(options.items()):
        if entry.get("range"):
            by_range[entry["range"]].append(name)
    return dict(sorted(by_range.items()))


def _generative(architectures: Sequence[str]) -> list[str]:
    """Architectures that generate text; the registry also lists embedders, classifiers and draft models."""
    return [name for name in architectures if name.endswith(("ForCausalLM", "ForConditionalGeneration", "LMHeadModel"))]


def _quantization(answers: Mapping[str, Any]) -> dict[str, Any]:
    methods: dict[str, Any] = {}
    for method, entry in sorted(answers.items()):
        if "minimum_capability" not in entry:
            methods[method] = {"minimum_capability": None}
            continue
        number = entry["minimum_capability"]
        fields: dict[str, Any] = {"minimum_capability": number / 10 if number is not None and number > 0 else 0.0}
        if entry.get("dtypes"):
            fields["dtypes"] = [name for name in entry["dtypes"] if name in ("bfloat16", "float16", "float32")]
        if entry.get("deprecated"):
            fields["deprecated"] = True
        methods[method] = fields
    return methods


def _attention(rows: Any) -> list[dict[str, Any]]:
    """Rows with the same use and back ends as one: which head sizes, then which dtypes have the same sizes."""
    heads: dict[tuple[str, tuple[str, ...], str], list[int]] = defaultdict(list)
    for row in rows:
        heads[row["use"], tuple(row["backends"]), row["dtype"]].append(row["head"])
    dtypes: dict[tuple[str, tuple[str, ...], tuple[int, ...]], list[str]] = defaultdict(list)
    for (use, backends, dtype), sizes in heads.items():
        dtypes[use, backends, tuple(sorted(sizes))].append(dtype)
    return [
        {"use": use, "dtypes": names, "heads": list(sizes), "backends": list(backends)}
        for (use, backends, sizes), names in dtypes.items()
    ]
