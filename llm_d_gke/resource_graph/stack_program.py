"""The resource graph of this project's program for one stack, recorded in this process without the engine."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping

from llm_d_gke.resource_graph.model import Graph
from llm_d_gke.resource_graph.recorder import record
from llm_d_gke.resource_graph.values import Secret
from llm_d_gke.stackfile import NAMESPACE, PROJECT_ROOT, StackConfig


def settings_config(values: Mapping[str, object], encrypted: Collection[str]) -> dict[str, str | Secret]:
    """Settings (`models`) as the engine hands them to a program: `llm-d:models`, objects as JSON."""
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
    return {f"{NAMESPACE}:{key}": Secret(text) if key in encrypted else text for key, text in texts.items()}


def record_stack(stack: str, config: StackConfig, *, preview: bool = True) -> Graph:
    """Run `__main__.py` against the recording monitor. `preview=False` also runs what waits for created resources."""
    texts = config.texts()
    secrets = {key: Secret(texts[key]) for key in config.secret_keys()}
    return record(PROJECT_ROOT / "__main__.py", stack=stack, config={**texts, **secrets}, preview=preview)
