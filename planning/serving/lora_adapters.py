"""LoRA adapters of a model, and other names it answers to."""

from __future__ import annotations

import json

from planning.context import PlanContext
from settings.models import ModelSettings

# vLLM's own limit of the rank where nobody sets another.
_DEFAULT_RANK = 16

# Each slot takes memory of the device whether it is used or not.
_MOST_SLOTS = 8


def other_names(settings: ModelSettings) -> tuple[str, ...]:
    """Names besides the model's own that lead to it: aliases, then adapters."""
    return (*settings.aliases, *(adapter.name for adapter in settings.adapters))


def adapter_arguments(settings: ModelSettings) -> tuple[str, ...]:
    """`vllm serve` arguments that load the adapters at start. Empty without any."""
    if not settings.adapters:
        return ()
    rank = max(adapter.rank for adapter in settings.adapters)
    # JSON and not name=path, because it also names the base: the list of models then says what belongs to what.
    modules = [
        json.dumps({"name": adapter.name, "path": adapter.source, "base_model_name": settings.name})
        for adapter in settings.adapters
    ]
    return (
        "--enable-lora",
        "--max-loras",
        str(min(len(modules), _MOST_SLOTS)),
        *(("--max-lora-rank", str(rank)) if rank > _DEFAULT_RANK else ()),
        "--lora-modules",
        *modules,
    )


def check_adapters(ctx: PlanContext, index: int, settings: ModelSettings) -> None:
    """Adapters are fetched from the Hub, so that the engine must be allowed there; and an adapter is not its base."""
    for number, adapter in enumerate(settings.adapters):
        path = ("models", index, "adapters", number, "source")
        if settings.source.kind != "hugging-face":
            ctx.findings.error(
                "LLMD-ADAPTER-SOURCE",
                *path,
                value=adapter.source,
                rule=f"weights from a {settings.source.kind} are read without the Hub, which this adapter comes from",
                fix="use source.kind: hugging-face for the model, or remove the adapter",
            )
        if adapter.source == settings.id:
            ctx.findings.error(
                "LLMD-ADAPTER-BASE",
                *path,
                value=adapter.source,
                rule="this is the base model's own repository: an adapter is another one, trained on that base",
                fix="name the adapter's repository, or use aliases for another name of the model",
            )
