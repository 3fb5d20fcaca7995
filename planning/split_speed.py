"""How fast prefill and decode on servers of their own answer: an *estimate*, from the same roofline as planning/speed.

Decode is not interrupted by other requests' prompts, which is the gain; the cache has to travel, a hop is added, and
fewer servers compute prompts, which is the loss. Prompts queue as at one server of fixed service time per replica.
"""

from __future__ import annotations

from catalog.engine import load_engine
from catalog.schema import Accelerator
from planning.memory import EngineRun
from planning.speed import Load, SpeedEstimate, cache_bytes, estimate, prefill_seconds

# A queue of fixed service times is computed up to this share of busy time; beyond, prompts are what limits the rate.
_BUSIEST = 0.95


def estimate_split(
    prefill: EngineRun,
    prefill_accelerator: Accelerator,
    prefill_replicas: int,
    decode: EngineRun,
    decode_accelerator: Accelerator,
    decode_replicas: int,
    load: Load,
    *,
    rdma: bool,
) -> SpeedEstimate | None:
    """Speed of both stages together under an evenly spread load. None where `estimate` of one of them is None."""
    engine = load_engine().speed
    computing = prefill_seconds(prefill, prefill_accelerator, load.prompt_tokens)
    steps = estimate(decode, decode_accelerator, load, decode_replicas, interrupted=False)
    if computing is None or steps is None or prefill_replicas < 1:
        return None
    cached = cache_bytes(decode, load.prompt_tokens)
    kind = "rdma" if rdma else "network"
    # Over RDMA each accelerator sends its part by itself; the network is the node's.
    sent = cached if rdma else cached * decode.tensor_parallel
    sending = sent / engine.transfer_bytes_per_second[kind]
    decoding = (load.output_tokens - 1) * steps.time_per_output_token
    hops = 2 * engine.request_seconds[decode.kind]
    alone = hops + computing + sending
    concurrency = max(1.0, load.concurrency)
    most = prefill_replicas / computing if computing > 0 else float("inf")
    rate = min(concurrency / (alone + decoding), most * _BUSIEST)
    busy = rate / most
    waiting = max(busy * computing / (2 * (1 - busy)), concurrency / rate - alone - decoding)
    latency = alone + waiting + decoding
    return SpeedEstimate(
        time_to_first_token=alone + waiting,
        time_per_output_token=steps.time_per_output_token,
        latency=latency,
        requests_per_second=concurrency / latency,
        output_tokens_per_second=concurrency / latency * load.output_tokens,
        batch=steps.batch,
        bound=steps.bound,
        error=engine.error,
    )
