"""Picker and engines: prefixes that are cached, blocks of one size, and pickers that know only what they saw."""

from __future__ import annotations

from typing import Any

from llm_d_gke.catalog.pickers import Picker
from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.picker_config.build import APPROXIMATE, METRICS, PRECISE, PREFIX
from llm_d_gke.planning.picker_config.check import parsed_config
from llm_d_gke.planning.picker_config.document import PluginEntry
from llm_d_gke.planning.picker_config.parameters import read_parameters
from llm_d_gke.planning.served_model import ServedModel

# Plugins that are worth something only where engines cache prefixes.
_OF_PREFIXES = frozenset({PREFIX, APPROXIMATE, PRECISE, "precise-prefix-cache-scorer", "prefix-cache-affinity-filter"})
# Plugins that ask engines in HTTP or HTTPS.
_OF_ENGINES = frozenset({METRICS, "models-data-source"})
_CHARACTERS_A_TOKEN = 4


def prefix_plugin(ctx: PlanContext) -> str | None:
    """The plugin by which this stack's picker routes by prefix, None where it does not."""
    document = parsed_config(ctx)
    if ctx.settings.picker.config is not None:
        return next((e.type for e in (document.plugins if document else ()) if e.type in _OF_PREFIXES), None)
    return PREFIX if ctx.settings.picker.scorers.prefix_cache > 0 else None


def check_state(ctx: PlanContext) -> None:
    """Refuses several active pickers: each sees only part of the requests that its plugins would have to know."""
    settings = ctx.settings.picker
    if settings.replicas == 1 or settings.leader_election:
        return
    process_local = [kind for kind in _plugins(ctx) if ctx.picker.plugins[kind].state == "process"]
    if process_local:
        ctx.error(
            "LLMD-PICKER-LEADERLESS",
            "picker.leaderElection",
            replicas=settings.replicas,
            process_local=" and ".join(process_local),
            count="count" if len(process_local) > 1 else "counts",
        )


def check_scraping(ctx: PlanContext, scheme: str) -> None:
    """Sources in a configuration of the user's against what engines answer, "http" or "https"."""
    document = parsed_config(ctx)
    if document is None:
        return
    flag = ctx.release.picker.metrics_scheme_flag
    usual = scheme if flag is not None else "http"
    sources = [(n, entry.parameters or {}) for n, entry in enumerate(document.plugins) if entry.type in _OF_ENGINES]
    for number, parameters in sources:
        configured = parameters.get("scheme", usual)
        # On another port something else answers.
        if configured != scheme and "port" not in parameters:
            ctx.error(
                "LLMD-PICKER-METRICS-SCHEME",
                f"picker.config.plugins[{number}].parameters",
                value=f"scheme: {configured}",
                protocol=scheme.upper(),
                scheme=scheme,
            )
    if usual != scheme and not any(entry.type == METRICS for entry in document.plugins):
        ctx.error("LLMD-PICKER-METRICS-HTTPS", "picker.config.plugins", value=f"no {METRICS}", metrics=METRICS)


def check_tokenizers(ctx: PlanContext) -> None:
    """Models whose tokens a plugin of the user's configuration asks of a vLLM, against those that this stack serves."""
    document = parsed_config(ctx)
    served = {name for model in ctx.settings.models for name in (model.name, model.id, *model.aliases)}
    for number, entry in enumerate(document.plugins if document else ()):
        parameters = entry.parameters or {}
        name = parameters.get("modelName")
        if not isinstance(name, str) or name in served or not isinstance(parameters.get("vllm"), dict):
            continue
        ctx.warning(
            "LLMD-PICKER-MODEL-NAME",
            f"picker.config.plugins[{number}].parameters",
            value=f"modelName: {name}",
            model=ctx.settings.models[0].name,
        )


def _plugins(ctx: PlanContext) -> list[str]:
    """Types of all plugins that the picker will run, each once."""
    document = parsed_config(ctx)
    if document is not None:
        kinds = [entry.type for entry in document.plugins]
    elif ctx.settings.picker.scorers.prefix_cache > 0:
        kinds = [PREFIX, *([PRECISE] if ctx.settings.picker.prefix_routing == "precise" else [])]
    else:
        kinds = []
    if PREFIX in kinds and PRECISE not in kinds:
        # The scorer creates it by default.
        kinds.append(APPROXIMATE)
    return [kind for kind in dict.fromkeys(kinds) if ctx.picker.has(kind)]


def check_blocks(served: ServedModel, engine_block: int) -> None:
    """Sizes of prompt blocks in a configuration of the user's against the engine's, in tokens."""
    ctx = served.ctx
    document = parsed_config(ctx)
    for number, entry in enumerate(document.plugins if document else ()):
        size = _tokens_of(ctx.picker, entry)
        if size is not None and size % engine_block:
            ctx.error(
                "LLMD-PICKER-BLOCK-SIZE",
                f"picker.config.plugins[{number}].parameters",
                value=f"blocks of {size} tokens",
                model=served.settings.name,
                engine_block=engine_block,
                index=served.index,
            )


def _tokens_of(picker: Picker, entry: PluginEntry) -> int | None:
    """Tokens of a block as given. None where none is, and where the picker reads the engine's own from its metrics."""
    plugin = picker.plugins.get(entry.type)
    if plugin is None:
        return None
    try:
        parameters = read_parameters(plugin, entry.parameters)
    except ValueError:
        return None
    sections: dict[str, Any] = parameters.model_dump(exclude_unset=True)
    if parameters.model_dump().get("autoTune"):
        return None
    processor = sections.get("tokenProcessorConfig", sections)
    if "blockSize" in processor and plugin.parameters == "CharacterBlocks":
        return int(processor["blockSize"] / _CHARACTERS_A_TOKEN)
    size: int | None = processor.get("blockSize") or processor.get("blockSizeTokens")
    return size
