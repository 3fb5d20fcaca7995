"""Engine images whose names show that they are for other hardware, or another engine."""

from __future__ import annotations

import re

from llm_d_gke.catalog.images import load_images
from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.platform.engine_images import image_of


def check_image_kinds(ctx: PlanContext) -> None:
    """A warning for each image that by its name does not serve a model on this accelerator with vLLM's command line."""
    names, own = load_images().names, "TPUs" if ctx.accelerator.kind == "tpu" else "NVIDIA GPUs"
    for index, settings in enumerate(ctx.settings.models):
        if settings.image is None:
            continue
        repository = re.sub(r"(:[^/:]+)?(@.*)?$", "", image_of(ctx, settings))
        words = set(re.split(r"[/._-]", repository))
        named = {arm for word, arm in names.processors.items() if word in image_of(ctx, settings)}
        engine = next((title for part, title in names.engines.items() if part in repository), None)
        hardware = next((title for word, title in names.hardware.items() if word in words), None)
        if "tpu" in words and ctx.accelerator.kind != "tpu":
            hardware = "TPUs"
        elif ctx.accelerator.kind == "tpu" and (words & {"cuda", "openai"}) and "tpu" not in words:
            hardware = "NVIDIA GPUs"
        if hardware is None and len(named) == 1 and named != {ctx.machine.arm}:
            hardware, own = (
                ("x86 processors", f"Arm hosts ({ctx.machine.name}, arm64)")
                if ctx.machine.arm
                else ("Arm processors", "x86 hosts (amd64)")
            )
        if engine is None and hardware is None:
            continue
        ctx.warning(
            "LLMD-IMAGE-KIND",
            f"models[{index}].image",
            case="engine" if engine is not None else "hardware",
            image=ctx.engine_image.image,
            own=own,
            engine=engine,
            hardware=hardware,
        )
