"""KV events: engines tell which blocks they cache, and a picker with a precise index follows every one of them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from llm_d_gke.planning.alternatives import releases_with_picker
from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.engine_support.media import takes_no
from llm_d_gke.planning.picker_config.build import APPROXIMATE, PRECISE, can_index_precisely
from llm_d_gke.planning.picker_config.check import ROOT, parsed_config
from llm_d_gke.planning.picker_config.parameters import parameters_of, read_parameters
from llm_d_gke.planning.served_model import ServedModel
from llm_d_gke.planning.serving.backends import backend_of

# Where each engine publishes; the picker dials it.
EVENTS_PORT = 5557
EVENTS = "kv-events"
_NOTIFICATIONS = "endpoint-notification-source"
_DECIDER = "prefix-based-pd-decider"
# Field of a plugin's parameters that names the index which the plugin reads.
_PRODUCER = "prefixMatchInfoProducerName"


class EnginePublisher(BaseModel):
    """Value of vLLM's --kv-events-config (vllm/config/kv_events.py)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enable_kv_cache_events: bool = True
    publisher: Literal["zmq"] = "zmq"
    endpoint: str
    topic: str


def follows_events(ctx: PlanContext) -> bool:
    """Whether the picker of this stack has a precise index. Engines then publish events, a Service renders prompts."""
    document = parsed_config(ctx)
    if ctx.settings.picker.config is not None:
        precise = document is not None and any(entry.type == PRECISE for entry in document.plugins)
    else:
        precise = ctx.settings.picker.prefix_routing == "precise" and ctx.settings.picker.scorers.prefix_cache > 0
    return precise and can_index_precisely(ctx.picker)


def publisher(served_name: str, port: int) -> str:
    """The engine's argument. The picker identifies a replica by its address, which only the pod itself knows."""
    value = EnginePublisher(endpoint=f"tcp://*:{EVENTS_PORT}", topic=f"kv@$(POD_IP):{port}@{served_name}")
    return value.model_dump_json()


def check_events(ctx: PlanContext) -> None:
    """Check that the release supports KV events, that all names are indexed, and that a user's picker config fits."""
    picker = ctx.settings.picker
    if picker.prefix_routing == "precise" and not can_index_precisely(ctx.picker):
        releases = releases_with_picker(ctx.catalog, can_index_precisely)
        ctx.error("LLMD-KV-EVENTS-RELEASE", "picker.prefixRouting", releases=" or ".join(releases))
    if not follows_events(ctx):
        return
    if not backend_of(ctx.settings).creates_tokenizer_service:
        ctx.error("LLMD-KV-EVENTS-KSERVE", *_precise_path(ctx), value="precise" if picker.config is None else PRECISE)
    for index, model in enumerate(ctx.settings.models):
        if model.data_parallel > 1:
            ctx.error("LLMD-KV-EVENTS-RANKS", f"models[{index}].dataParallel")
    for path, names, models in ctx.settings.further_names():
        ctx.warning("LLMD-KV-EVENTS-ALIASES", *path, value=", ".join(names), model=" or ".join(models))
    _check_own(ctx)
    _check_readers(ctx)


def check_image_prompts(served: ServedModel) -> None:
    """Warn of pictures in prompts whose tokens a precise index has to know."""
    ctx, model = served.ctx, served.model
    if not follows_events(ctx) or model is None or not model.vision_language:
        return
    if takes_no("image", served.settings.extra_args):
        return
    ctx.warning(
        "LLMD-KV-EVENTS-IMAGES",
        *_precise_path(ctx),
        value="precise" if ctx.settings.picker.config is None else PRECISE,
        model=served.settings.id,
    )


def _precise_path(ctx: PlanContext) -> tuple[str | int, ...]:
    """The setting that asks for a precise index."""
    return ("picker", "prefixRouting") if ctx.settings.picker.config is None else (*ROOT, "plugins")


def _check_readers(ctx: PlanContext) -> None:
    """Plugins that read the approximate index beside a precise one; a picker without it creates one, with defaults."""
    decider = ctx.picker.plugins.get(_DECIDER)
    bound = decider is not None and _PRODUCER not in parameters_of(decider).model_fields
    document = parsed_config(ctx)
    if document is None:
        stages = ctx.settings.disaggregation
        if bound and ctx.transfers_kv_cache and (stages is None or stages.prefill_from_tokens):
            _warn_of_reader(
                ctx,
                ("picker", "prefixRouting"),
                "precise",
                _DECIDER,
                "use prefixRouting: approximate, or disaggregation.prefillFromTokens: 0, which always prefills apart",
            )
        return
    if APPROXIMATE in {entry.called for entry in document.plugins}:
        return
    precise = next(entry.called for entry in document.plugins if entry.type == PRECISE)
    for index, entry in enumerate(document.plugins):
        path = (*ROOT, "plugins", index)
        takes = parameters_of(ctx.picker.plugins[entry.type]).model_fields
        if entry.type == _DECIDER and bound:
            _warn_of_reader(ctx, path, entry.called, entry.called, f"add {{type: {APPROXIMATE}}}, sized like the other")
        elif _PRODUCER in takes and not (entry.parameters or {}).get(_PRODUCER):
            _warn_of_reader(ctx, path, entry.called, entry.called, f"add parameters: {{{_PRODUCER}: {precise}}}")


def _warn_of_reader(ctx: PlanContext, path: tuple[str | int, ...], value: str, reader: str, fix: str) -> None:
    ctx.warning("LLMD-KV-EVENTS-READERS", *path, value=value, reader=reader, approximate=APPROXIMATE, fix=fix)


def _check_own(ctx: PlanContext) -> None:
    document = parsed_config(ctx)
    if document is None:
        return
    layer = getattr(document, "data_layer", None)
    types = {entry.called: entry.type for entry in document.plugins}
    for index, entry in enumerate(document.plugins):
        if entry.type != PRECISE:
            continue
        receives_events = any(
            types.get(source.plugin_ref) == _NOTIFICATIONS and entry.called in [e.plugin_ref for e in source.extractors]
            for source in (layer.sources if layer else ())
        )
        if not receives_events:
            ctx.error(
                "LLMD-KV-EVENTS-SOURCE",
                "picker.config.dataLayer",
                value=f"without {entry.called}",
                notifications=_NOTIFICATIONS,
                called=entry.called,
            )
        try:
            producer = read_parameters(ctx.picker.plugins[entry.type], entry.parameters)
        except ValueError:
            continue
        events = producer.model_dump()["kvEventsConfig"]
        port = events["podDiscoveryConfig"]["socketPort"]
        if events["zmqEndpoint"] or not events["discoverPods"] or port != EVENTS_PORT:
            ctx.error(
                "LLMD-KV-EVENTS-PORT",
                f"picker.config.plugins[{index}].parameters.kvEventsConfig",
                value=events["zmqEndpoint"] or f"discoverPods {str(events['discoverPods']).lower()}, port {port}",
                events_port=EVENTS_PORT,
            )
