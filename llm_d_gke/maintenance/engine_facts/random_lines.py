"""Random stacks for one version of vLLM: a public or default configuration, settings, and options of `vllm serve`.

Values are mostly of the kind that an option takes, as the version's table says; some are of another kind.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any, Final

from llm_d_gke.catalog.engine_tables import EngineFacts
from llm_d_gke.maintenance.engine_facts.families import family
from llm_d_gke.planning.engine_support.owned import owned_options

Tree = dict[str, Any]

# Accelerator, machine type, zone, and accelerators of a node.
MACHINES: Final = (
    ("nvidia-h100-80gb", "a3-highgpu-8g", "us-central1-a", 8),
    ("nvidia-l4", "g2-standard-96", "us-central1-a", 8),
    ("nvidia-tesla-t4", "n1-standard-32", "us-central1-a", 4),
)
# Options about files and addresses, which neither side looks for, and those that end a command with a text.
_LEFT_OUT: Final = """--help --version --chat-template --ssl-keyfile --ssl-certfile --ssl-ca-certs --tokenizer
    --hf-config-path --tool-parser-plugin --reasoning-parser-plugin --middleware --otlp-traces-endpoint --download-dir
    --log-config-file --tool-server --allowed-local-media-path --code-revision --tokenizer-revision
    --mm-processor-kwargs --io-processor-plugin --response-role --worker-cls --worker-extension-cls --scheduler-cls
    --logits-processors --trust-request-chat-template --show-hidden-metrics-for-version --generation-config
    --default-mm-loras""".split()  # noqa: SIM905 - a word each
# The share of models that get options of a family beside or in place of single ones.
_FAMILIES: Final = 0.6
_GUESSING: Final = ("ngram", "ngram_gpu", "mtp")
_WHOLE: Final = (0, 1, 2, 3, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096, 8192, 32768, -1, 10**7)
_PARTS: Final = (0.0, 0.1, 0.5, 0.9, 1.0, 1.5, -0.5, 100)
_TEXTS: Final = ("auto", "none", "word", "mp", "xgrammar", "FLASH_ATTN", "FULL", "fp8", "cuda", "random", "")


def _draw(random: Random, facts: EngineFacts, configurations: Mapping[str, Tree], *, plain: bool) -> Tree:
    """Settings of a stack, as a stack file has them; `plain` is almost without options."""
    accelerator, machine, zone, devices = random.choice(MACHINES)
    model: Tree = {
        "id": random.choice(sorted(configurations)),
        "config": "own.json",
        "image": f"vllm/vllm-openai:v{facts.version}",
        "tensorParallel": random.choice([ranks for ranks in (1, 1, 2, 4, 8) if ranks <= devices]),
        "gpuMemoryUtilization": 0.9,
    }
    model |= {name: value(random, facts) for name, (share, value) in _SETTINGS.items() if random.random() < share}
    if model["tensorParallel"] > 1 and random.random() < 0.1:
        model["expertParallel"] = True
    part = family(random, facts) if not plain and random.random() < _FAMILIES else {}
    single = random.choice((0, 0, 1) if part or plain else (1, 1, 2, 2, 3))
    arguments = [word for _ in range(single) for word in _option(random, facts)]
    model |= part | {"allowExtraArgs": True, "extraArgs": [*part.get("extraArgs", ()), *arguments]}
    settings: Tree = {"type": accelerator, "machineType": machine, "nodes": {"min": 0, "max": 2}}
    if machine.startswith("n1-"):
        settings["perNode"] = devices
    return {
        "project": "my-project-123456",
        "location": zone,
        "pattern": "single-replica",
        "accelerator": settings,
        "models": [model],
    }


_Draw = Callable[[Random, EngineFacts], Any]


def _one_of(*values: Any) -> _Draw:
    return lambda random, _: random.choice(values)


# Settings of a model with the share of stacks that have them.
_SETTINGS: Final[Mapping[str, tuple[float, _Draw]]] = {
    "dtype": (0.15, _one_of("half", "bfloat16", "float32", "auto")),
    "quantization": (0.1, lambda random, facts: random.choice(sorted(facts.quantization))),
    "kvCacheDtype": (0.12, lambda random, facts: random.choice(facts.option_values["--kv-cache-dtype"])),
    "maxModelLen": (0.3, _one_of(512, 2048, 8192, 40960, 200000)),
    "maxNumSeqs": (0.15, _one_of(1, 16, 256, 1024)),
    "maxNumBatchedTokens": (0.15, _one_of(128, 1024, 2048, 8192, 16384)),
    "blockSize": (0.08, _one_of(8, 16, 32, 64, 128, 256)),
    "prefixCaching": (0.1, _one_of(True, False)),
    "pipelineParallel": (0.08, _one_of(2, 4)),
    "speculativeDecoding": (
        0.1,
        _one_of(*({"method": name, "tokens": tokens} for name in _GUESSING for tokens in (1, 2, 3, 5))),
    ),
    "toolCallParser": (0.06, lambda random, facts: random.choice(facts.tool_parsers)),
    "reasoningParser": (0.06, lambda random, facts: random.choice(facts.reasoning_parsers)),
    "adapters": (0.06, _one_of([{"name": "mine", "source": "acme/mine", "rank": 16}])),
    "kvOffloadGib": (0.05, _one_of(8)),
}


def _option(random: Random, facts: EngineFacts) -> list[str]:
    """An option with its value, in one of the parser's spellings."""
    owned = owned_options()
    names = [name for name in facts.options if name not in owned and name not in _LEFT_OUT]
    # Switches are most of the options, and few of them can be wrong.
    switches = random.random() < 0.3
    name = random.choice([name for name in names if (_kind(facts, name) == "nothing") == switches])
    kind = _kind(facts, name)
    if name in facts.option_keys and random.random() < 0.5:
        key = random.choice(facts.option_keys[name])
        name = f"{name}.{key}"
        if name in facts.option_keys and random.random() < 0.5:
            name = f"{name}.{random.choice(facts.option_keys[name])}"
        value = _json_value(random, facts, name)
        return _spelled(random, name, value if isinstance(value, str) else json.dumps(value))
    if random.random() < 0.04:
        name = name[: -random.choice((1, 2, 3))]
    if kind == "nothing":
        return [name] if random.random() < 0.95 else [name, "true"]
    if kind.startswith(("several", "one or more")):
        words = [random.choice(("1", "2", "8") if kind.endswith("integers") else _TEXTS[:-1]) for _ in range(2)]
        return [name, *words]
    return _spelled(random, name, _text_value(random, facts, name, kind))


def _spelled(random: Random, name: str, value: str) -> list[str]:
    if random.random() < 0.05:
        name = f"--{name[2:].replace('-', '_')}"
    return [f"{name}={value}"] if random.random() < 0.3 or value.startswith("-") else [name, value]


def _kind(facts: EngineFacts, name: str) -> str:
    if name.startswith("--no-"):
        return "nothing"
    return next((str(kind) for kind, names in facts.option_takes.items() if name in names), "text")


def _text_value(random: Random, facts: EngineFacts, name: str, kind: str) -> str:
    words = [word for word, names in facts.option_words.items() if name in names]
    if words and random.random() < 0.1:
        return random.choice(words)
    if kind in ("object", "json", "json or text") or name in facts.option_keys:
        return json.dumps(_object(random, facts, name))
    value = _json_value(random, facts, name)
    return value if isinstance(value, str) else json.dumps(value)


def _object(random: Random, facts: EngineFacts, name: str) -> Tree:
    keys = facts.option_keys.get(name)
    if keys is None:
        return {random.choice(("image", "key", "video")): random.choice((1, 0, "word"))}
    chosen = random.sample(keys, min(len(keys), random.choice((1, 1, 2, 3))))
    return {key: _json_value(random, facts, f"{name}.{key}") for key in chosen}


def _json_value(random: Random, facts: EngineFacts, name: str) -> Any:
    """A value of the kind of an option or key; one in ten is of any kind."""
    pools: Mapping[str, _Draw] = {
        "flag": _one_of(True, False),
        "integer": _one_of(*_WHOLE),
        "number": _one_of(*_PARTS),
        "object": lambda random, facts: _object(random, facts, name),
        "list of integers": _one_of([1, 2, 4], [8], [], [0], [4, 2]),
        "list of numbers": _one_of([0.5], [0.9, 0.5], []),
        "list of texts": _one_of(["none"], ["all"], ["+rms_norm"], []),
        "list": _one_of([], [1, 2], ["cudagraph_capture_sizes"]),
        "text": _one_of(*_TEXTS),
    }
    if random.random() < 0.1:
        return random.choice([*_WHOLE, *_PARTS, *_TEXTS, True, None, [], {}])
    choices = facts.option_values.get(name)
    if choices:
        word = random.choice(choices)
        return int(word) if word.isdigit() and "." in name else word
    return pools.get(_kind(facts, name), pools["text"])(random, facts)


def stacks(seed: int, facts: EngineFacts, configurations: Mapping[str, Tree], *, plain: bool = False) -> Iterator[Tree]:
    random = Random(seed)  # noqa: S311 - the same lines for the same seed
    while True:
        yield _draw(random, facts, configurations, plain=plain)
