"""Step times from operators that NVIDIA measured by GPU and vLLM version (package aiconfigurator-core).

It is imported on demand only: it takes seconds to load and depends on pandas and pyarrow. Planning never uses
it, so that one stack file gives one plan whether the package is installed or not.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import logging
from typing import Any

from llm_d_gke.planning.sizing.memory import EngineRun

PACKAGE = "aiconfigurator_core"

# The package's data by the catalog's accelerators. Its other cards have a data sheet but no measurement for vLLM.
SYSTEMS = {
    "nvidia-tesla-a100": "a100_sxm",
    "nvidia-a100-80gb": "a100_sxm",
    "nvidia-h100-80gb": "h100_sxm",
    "nvidia-h100-mega-80gb": "h100_sxm",
    "nvidia-h200-141gb": "h200_sxm",
    "nvidia-b200": "b200_sxm",
    "nvidia-gb200": "gb200",
    "nvidia-gb300": "gb300",
    "nvidia-rtx-pro-6000": "rtx_pro_6000_server",
}

# Checkpoints that the package lists under another name with the same configuration.
_SAME = {
    "meta-llama/Llama-3.1-8B-Instruct": "meta-llama/Meta-Llama-3.1-8B",
    "meta-llama/Llama-3.1-70B-Instruct": "meta-llama/Meta-Llama-3.1-70B",
    "meta-llama/Llama-3.3-70B-Instruct": "meta-llama/Meta-Llama-3.1-70B",
    "meta-llama/Llama-3.1-405B-Instruct": "meta-llama/Meta-Llama-3.1-405B",
    "mistralai/Mixtral-8x7B-Instruct-v0.1": "mistralai/Mixtral-8x7B-v0.1",
    "mistralai/Mixtral-8x22B-Instruct-v0.1": "mistralai/Mixtral-8x22B-v0.1",
}


class MeasuredSteps:
    """Step times of one rank, interpolated between measured operators."""

    name = "aiconfigurator"

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._seconds_by_step: dict[tuple[int, int, int, int], float] = {}

    def step(self, decoding: float, context: float, chunk: float = 0.0, depth: float = 0.0) -> float:
        """One token of `decoding` sequences and `chunk` tokens of a prompt of which `depth` tokens are cached."""
        key = (round(decoding), round(context), round(chunk), round(depth))
        if key not in self._seconds_by_step:
            self._seconds_by_step[key] = self._milliseconds(*key) / 1000
        return self._seconds_by_step[key]

    def _milliseconds(self, decoding: int, context: int, chunk: int, depth: int) -> float:
        if chunk == 0:
            return float(self._engine.decode_step_latency(max(1, decoding), max(1, context - 1), 2))
        if decoding == 0:
            return float(self._engine.predict_prefill_latency(1, depth + chunk, depth))
        # The package takes one length for both: that of the decoding sequences, of which the chunk is a part.
        return float(self._engine.mixed_step_latency(chunk, decoding, max(chunk, context), 2))


def installed() -> bool:
    """Whether the optional package can be imported."""
    return importlib.util.find_spec(PACKAGE) is not None


def measured_steps(run: EngineRun, accelerator: str) -> MeasuredSteps | None:
    """Step times of a run, or None where the package lacks the card, the model, or how the engine divides it."""
    system = SYSTEMS.get(accelerator)
    quantized = run.quantization is not None or run.dtype not in (None, "auto", "bfloat16")
    if system is None or quantized or run.data_parallel > 1 or run.pipeline_parallel > 1 or not installed():
        return None
    engine = _engine(
        _SAME.get(run.model.id, run.model.id), system, run.tensor_parallel, run.expert_parallel, run.kv_bytes
    )
    return None if engine is None else MeasuredSteps(engine)


@functools.cache
def _engine(model: str, system: str, tensor: int, experts: bool, kv_bytes: int) -> Any:
    """The package's compiled engine, or None if the package does not cover the model or GPU. Needs no network."""
    utilities = importlib.import_module(f"{PACKAGE}.sdk.utils")
    if not (utilities._get_model_config_path() / f"{model.replace('/', '--')}_config.json").is_file():
        return None
    logging.disable(logging.WARNING)
    try:
        compiled = importlib.import_module(f"{PACKAGE}.sdk.engine").EngineHandle.compile(
            model,
            system,
            "vllm",
            tp_size=tensor,
            moe_tp_size=1 if experts else tensor,
            moe_ep_size=tensor if experts else 1,
            kvcache_quant_mode="fp8" if kv_bytes == 1 else None,
        )
        compiled.decode_step_latency(1, 128, 2)
        compiled.predict_prefill_latency(1, 128)
    except Exception:  # the package raises no common class for what it does not cover
        return None
    finally:
        logging.disable(logging.NOTSET)
    return compiled
