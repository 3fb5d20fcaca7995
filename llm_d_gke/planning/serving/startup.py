"""The startup time limit of a model server: download, engine, compilation."""

from __future__ import annotations

import math
from typing import Literal

# Hugging Face slows anonymous and crowded downloads down: a third of what one node sees on a quiet day.
_DOWNLOAD_MIB_PER_SECOND = 40
# Process start, imports, CUDA or libtpu initialization.
_ENGINE_SECONDS = {"gpu": 120, "tpu": 180}
# Measured: XLA precompilation of Qwen2.5-3B on v6e took 151 s; torch.compile and CUDA graphs of an 8B take 60 to 90 s.
_COMPILE_SECONDS = {"gpu": 120, "tpu": 240}
# The guides this stack replaces allow 30 minutes, and starts of 15 minutes have been seen.
_MIN_BUDGET_SECONDS = 1800

# Until a node exists and has pulled an image of 10 to 20 GiB.
NODE_SECONDS = 1200


# What of the weights crosses the network between the container's start and its readiness, by where they come from. A
# bucket or a volume is nearer than the Hub, and twice as fast at least; an image is on the node before that.
_FETCHED = {"hugging-face": 1.0, "bucket": 0.5, "volume-claim": 0.5, "image": 0.0}


def start_up_budget(
    kind: Literal["gpu", "tpu"],
    weights_gib: float,
    source: Literal["hugging-face", "bucket", "volume-claim", "image"] = "hugging-face",
) -> int:
    """Seconds from the container's start until it must answer, in whole minutes.

    Three times the expected time for engine and compiler; the download's rate is a slow one already.
    """
    download = weights_gib * _FETCHED[source] * 1024 / _DOWNLOAD_MIB_PER_SECOND
    longest = download + 3 * (_ENGINE_SECONDS[kind] + _COMPILE_SECONDS[kind])
    return max(_MIN_BUDGET_SECONDS, math.ceil(longest / 60) * 60)


def pull_seconds(weights_gib: float) -> int:
    """Seconds that weights inside an image add to the time before the container starts, in whole minutes."""
    return math.ceil(weights_gib * 1024 / _DOWNLOAD_MIB_PER_SECOND / 60) * 60
