"""What options of `extraArgs` name: a chat template in the pod, an architecture of vLLM, a number of blocks."""

from __future__ import annotations

from collections.abc import Iterator

from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.catalog.engine_tables import facts_of
from llm_d_gke.planning.engine_support.deployment import default_length
from llm_d_gke.planning.engine_support.options import object_value, option_value
from llm_d_gke.planning.served_model import ServedModel
from llm_d_gke.planning.serving.engine_paths import WEIGHTS
from llm_d_gke.planning.serving.kv_block_size import engine_block
from llm_d_gke.planning.sizing.memory import judge
from llm_d_gke.planning.sizing.memory_check import run_of
from llm_d_gke.planning.suggest import nearest

Named = tuple[str, str, str, bool]  # the option, why it is refused as a clause, what to write, whether it is certain

_TEMPLATE, _OVERRIDES, _BLOCKS = "--chat-template", "--hf-overrides", "--num-gpu-blocks-override"
# validate_chat_template of vllm/entrypoints/chat_utils.py, 0.11.1 to 0.32.0: a text with one of these is the template.
_JINJA = "{}\n"
# The working directory of vLLM's images, and a folder in it (docker/Dockerfile).
_IMAGE_FOLDERS = ("/vllm-workspace/", "examples/", "./examples/")
_GENERATES = ("ForCausalLM", "ForConditionalGeneration", "LMHeadModel")
# v1/core/kv_cache_utils.py (get_kv_cache_configs) compares the longest request with the stated blocks in 0.26.0, and
# with the memory alone in 0.19.1. One block stays empty.
_COMPARED_SINCE, _EMPTY = "0.26", 1
_BEYOND = 1.25  # more blocks than the estimate by this share are no error of the estimate


def template_file(served: ServedModel) -> Iterator[Named]:
    """A template that is no file of the pod: the engine ends as soon as it reads it."""
    value = option_value(served.settings.extra_args, _TEMPLATE)
    if value is None or any(mark in value for mark in _JINJA):
        return
    if any(value in names and served.has(since) for since, names in load_engine().chat_templates.items()):
        return
    if value.startswith((*_IMAGE_FOLDERS, f"{WEIGHTS}/")):
        return
    own_image = not (served.settings.image or "vllm/").startswith("vllm/")
    yield (
        f"{_TEMPLATE} {value}",
        "no volume of the pod has this file, and an image without it ends: appears path-like, but doesn't exist",
        "set chatTemplate to a file beside the stack file",
        not own_image and not value.startswith("/"),
    )


def named_architecture(served: ServedModel) -> Iterator[Named]:
    """An architecture that takes the model's place, and that no table has."""
    tables = facts_of(served.version)
    if served.other_kind is not None:
        return
    names = (object_value(served.settings.extra_args, _OVERRIDES) or {}).get("architectures")
    for name in names if isinstance(names, list) and tables else ():
        architectures = sorted({other for facts in tables for other in facts.architectures})
        if isinstance(name, str) and name not in architectures:
            close = nearest(name, architectures, 0.85)
            yield (
                f"{_OVERRIDES} architectures",
                f"{name} is none of the architectures that generate text: not supported for now",
                f"did you mean {close}?" if close else "remove it",
                name.endswith(_GENERATES),
            )


def named_blocks(served: ServedModel) -> Iterator[Named]:
    """Blocks that are fewer than the longest request takes, or more than the memory holds."""
    value, model = option_value(served.settings.extra_args, _BLOCKS), served.model
    block = engine_block(served)
    if value is None or not value.isdecimal() or model is None or block is None or len(model.attention_kinds) != 1:
        return
    tokens = (int(value) - _EMPTY) * block
    length = served.settings.max_model_len or default_length(model, served.version)
    option = f"{_BLOCKS} {value}"
    if tokens < length:
        least = -(-length // block) + _EMPTY
        reason = f"{value} blocks of {block} tokens are fewer than the longest request takes, {length}"
        yield option, reason, f"use {least} or more, or remove it", served.has(_COMPARED_SINCE)
        return
    run = run_of(served)
    capacity = judge(run).kv_tokens if run is not None else None
    if capacity is not None and tokens > capacity * _BEYOND:
        reason = f"{value} blocks of {block} tokens are more than the memory holds, about {capacity} tokens"
        yield option, reason, "remove it: vLLM takes what fits", False
