"""Weights that `--cpu-offload-gb` keeps in the host's memory."""

from __future__ import annotations

from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.catalog.schema import Model
from llm_d_gke.planning.engine_support.options import option_value
from llm_d_gke.planning.served_model import ServedModel
from llm_d_gke.settings.models import ModelSettings

OFFLOAD = "--cpu-offload-gb"
_RUNNER = "VLLM_USE_V2_MODEL_RUNNER"


def offloaded_gib(settings: ModelSettings) -> float:
    """GiB of each device's weights, 0 where nothing is offloaded or the value is no number."""
    value = option_value(settings.extra_args, OFFLOAD) or ""
    return float(value) if value.replace(".", "", 1).isdecimal() else 0.0


def chosen_runner(settings: ModelSettings) -> bool | None:
    """Whether the variable asks for Model Runner V2. None where it decides nothing."""
    return {"0": False, "1": True}.get(settings.env.get(_RUNNER, ""))


def runs_in_first_runner(served: ServedModel, model: Model) -> bool:
    """Whether Model Runner V1 runs the model, by default or by its variable."""
    chosen = served.settings.env.get(_RUNNER)
    dense = model.experts is None and not model.recurrent
    default = load_engine().defaults_to_model_runner_v2(served.version, model.architecture, dense=dense)
    return chosen == "0" or (chosen is None and not default)


def offload_without_effect(served: ServedModel, model: Model) -> bool:
    """Whether all weights stay on the devices although the option is given: nothing of TPUs' was read."""
    if served.accelerator.kind != "gpu":
        return True
    return not runs_in_first_runner(served, model) and not served.has(load_engine().model_runner_v2.offloads_since)
