"""Scenarios of load, and the configuration of inference-perf that each becomes."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from llm_d_gke.catalog.reading import read_yaml

_FILE = Path(__file__).with_name("scenarios.yaml")
# A worker process costs a second of start; more than two share two cores badly.
_WORKERS = 2
_PERCENTILES = (50, 90, 95, 99)
_REQUEST_SECONDS = 300.0


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Stage(_Part):
    """A number of requests at a fixed concurrency."""

    concurrency: int = Field(ge=1)
    requests: int = Field(ge=1)


class Tokens(_Part):
    prompt: int = Field(ge=1)
    output: int = Field(ge=1)


class SharedPrefix(_Part):
    """Groups of prompts; a group shares a prefix of `system_tokens`.

    `fills` is the share of all replicas' KV caches that the beginnings take together. Where one replica holds them all,
    every replica soon has every beginning, and it does not matter which one a request goes to.
    """

    groups: int = Field(ge=1)
    prompts_per_group: int = Field(ge=1)
    # Where the size of the caches is not known.
    system_tokens: int = Field(ge=1)
    fills: float = Field(gt=0, le=1)


class Scenario(_Part):
    title: str
    stages: tuple[Stage, ...] = Field(min_length=1)
    tokens: Tokens | None = None
    shared_prefix: SharedPrefix | None = None


@functools.cache
def scenarios() -> Mapping[str, Scenario]:
    document = read_yaml(_FILE)
    return {name: Scenario.model_validate(entry) for name, entry in document.items()}


def sized(scenario: Scenario, tokens: Tokens, *, cached_tokens: int, longest: int) -> Scenario:
    """The scenario with prefixes sized to its share of `cached_tokens`, the caches of all replicas.

    `longest` is the most tokens of one request, prompt and answer. Where it cuts the beginnings, there are more groups.
    """
    shared = scenario.shared_prefix
    if shared is None:
        return scenario
    room, filled = max(1, longest - tokens.prompt - tokens.output), shared.fills * cached_tokens
    beginning = min(room, max(1, round(filled / shared.groups)))
    groups = max(shared.groups, round(filled / beginning))
    sizes = {"system_tokens": beginning, "groups": groups}
    return scenario.model_copy(update={"shared_prefix": shared.model_copy(update=sizes)})


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where requests go, and how. `tokenizer` is a folder or a repository of the Hub."""

    url: str
    model: str
    headers: Mapping[str, str]
    tokenizer: str


def configuration(scenario: Scenario, tokens: Tokens, target: Target, out: Path) -> dict[str, Any]:
    """inference-perf's configuration (v0.7.0)."""
    headers = {"headers": dict(target.headers)} if target.headers else {}
    return {
        "api": {"type": "completion", "streaming": True, **headers},
        "data": _data(scenario, tokens),
        "load": {
            "type": "concurrent",
            "num_workers": min(_WORKERS, min(stage.concurrency for stage in scenario.stages)),
            "worker_max_concurrency": max(stage.concurrency for stage in scenario.stages),
            "request_timeout": _REQUEST_SECONDS,
            "stages": [
                {"num_requests": stage.requests, "concurrency_level": stage.concurrency} for stage in scenario.stages
            ],
        },
        "server": {"type": "vllm", "model_name": target.model, "base_url": target.url, "ignore_eos": True},
        "tokenizer": {"pretrained_model_name_or_path": target.tokenizer},
        "report": {
            "request_lifecycle": {
                "summary": True,
                "per_stage": True,
                "per_request": True,
                # Times of single requests, of which the intervals of a comparison are computed.
                "per_request_fields": {
                    "request": False,
                    "response": False,
                    "info": False,
                    "response_chunks": False,
                    "computed_metrics": True,
                },
                "percentiles": list(_PERCENTILES),
            }
        },
        "storage": {"local_storage": {"path": str(out)}},
    }


def _data(scenario: Scenario, tokens: Tokens) -> dict[str, Any]:
    shared = scenario.shared_prefix
    if shared is not None:
        prefix = {
            "num_groups": shared.groups,
            "num_prompts_per_group": shared.prompts_per_group,
            "system_prompt_len": shared.system_tokens,
            "question_len": tokens.prompt,
            "output_len": tokens.output,
        }
        return {"type": "shared_prefix", "shared_prefix": prefix}
    # Groups of one prompt each: no two have the same beginning, and no dataset is downloaded.
    most = max(stage.requests for stage in scenario.stages)
    lone = {
        "num_groups": min(most, 200),
        "num_prompts_per_group": 1,
        "system_prompt_len": max(1, tokens.prompt // 2),
        "question_len": max(1, tokens.prompt - tokens.prompt // 2),
        "output_len": tokens.output,
    }
    return {"type": "shared_prefix", "shared_prefix": lone}
