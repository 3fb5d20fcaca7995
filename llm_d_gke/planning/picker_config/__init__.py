"""EndpointPickerConfig: its shapes, what this program writes with them, and what is wrong with what users write."""

from llm_d_gke.planning.picker_config.build import (
    PreciseIndex,
    PrefixIndex,
    Queue,
    Weights,
    can_count,
    can_disaggregate,
    can_index_precisely,
    can_queue,
    can_spread_misses,
    disaggregated,
    load_and_prefix,
)
from llm_d_gke.planning.picker_config.check import check_config, parsed_config, queues_requests, written_config
from llm_d_gke.planning.picker_config.check_engine import (
    check_blocks,
    check_scraping,
    check_state,
    check_tokenizers,
    prefix_plugin,
)

__all__ = [
    "PreciseIndex",
    "PrefixIndex",
    "Queue",
    "Weights",
    "can_count",
    "can_disaggregate",
    "can_index_precisely",
    "can_queue",
    "can_spread_misses",
    "check_blocks",
    "check_config",
    "check_scraping",
    "check_state",
    "check_tokenizers",
    "disaggregated",
    "load_and_prefix",
    "parsed_config",
    "prefix_plugin",
    "queues_requests",
    "written_config",
]
