"""Profile handlers, which run scheduling profiles in turn, the deciders they ask, and pickers, which end a profile."""

from typing import Literal, Self

from pydantic import Field, model_validator

from llm_d_gke.planning.picker_config.parameters.base import (
    AtLeastOne,
    Count,
    Parameters,
    PluginName,
    Port,
    Strict,
    Text,
)


class MaxEndpoints(Parameters):
    """Pickers: how many replicas to name, best first."""

    max_num_of_endpoints: AtLeastOne = 1


class StageProfiles(Strict):
    """Profile of each stage."""

    decode: Text = "decode"
    prefill: Text = "prefill"
    encode: Text = "encode"


class StageDeciders(Strict):
    """A stage without a decider does not run apart."""

    prefill: PluginName | None = None
    encode: PluginName | None = None


class StagesDecodeFirst(Parameters):
    """Of v0.7."""

    profiles: StageProfiles = Field(default_factory=StageProfiles)
    deciders: StageDeciders = Field(default_factory=StageDeciders)


class Disaggregation(StagesDecodeFirst):
    stage_order: Literal["decode-first", "prefill-first"] = "decode-first"

    @model_validator(mode="after")
    def _nobody_decides_afterwards(self) -> Self:
        if self.stage_order == "prefill-first" and self.deciders.prefill is not None:
            raise ValueError("with prefill first there is nothing left for deciders.prefill to decide")
        return self


class PrefillDecode(Parameters):
    """Prefill and decode of v0.10 under its older name."""

    decode_profile: Text = "decode"
    prefill_profile: Text = "prefill"
    prefix_plugin_type: str = ""
    prefix_plugin_name: str = ""
    primary_port: Port | None = None
    decider_plugin_name: PluginName = "prefix-based-pd-decider"
    prefix_match_info_producer_name: PluginName | None = None


class PrefillDecodeThreshold(Parameters):
    """Prefill and decode of v0.4, which decides by itself: `threshold` counts characters that no cache holds."""

    threshold: Count = 0
    decode_profile: Text = "decode"
    prefill_profile: Text = "prefill"
    prefix_plugin_name: PluginName = "prefix-cache-scorer"
    hash_block_size: AtLeastOne = 64
    primary_port: Port | None = None


class NonCachedDecider(Parameters):
    """Prefill apart where at least `non_cached_tokens` of a prompt are new; 0 never does."""

    non_cached_tokens: Count = 0


class PrefixDecider(NonCachedDecider):
    prompt_tokens: Count = 0


class StageHeaders(Parameters):
    prefill_profile: Text = "prefill"
    encode_profile: Text = "encode"


class PrefillHeader(Parameters):
    prefill_profile: Text = "prefill"


class DataParallel(Parameters):
    primary_port: Port = 8000


class HeaderProfile(Parameters):
    header_name: Text = "EPP-Profile"
    default_profile: Text = "decode"
