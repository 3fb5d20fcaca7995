"""One model of a stack: what is looked up for it, and where its findings point."""

from __future__ import annotations

import pytest

from llm_d_gke.planning.served_model import served_model
from tests.planning.parallelism.test_layout import CATALOG, context_for

L4 = {"type": "nvidia-l4"}


def test_the_catalog_entry_is_looked_up_by_the_id() -> None:
    assert served_model(context_for(L4, {"id": "Qwen/Qwen3-4B"}), 0).model is CATALOG.models["Qwen/Qwen3-4B"]
    assert served_model(context_for(L4, {"id": "nobody/unknown-model"}), 0).model is None


def test_findings_point_below_the_model() -> None:
    ctx = context_for(L4, {"id": "Qwen/Qwen3-4B"})
    before = len(ctx.findings)
    served_model(ctx, 0).error("LLMD-MODEL-CASE", "source", "revision", value="x", model="y")
    served_model(ctx, 0).warning("LLMD-MODEL-CASE", "env", "A.B", value="x", model="y")
    paths = [finding.path for finding in ctx.findings[before:]]
    assert paths == ["llm-d:models[0].source.revision", 'llm-d:models[0].env["A.B"]']


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--enforce-eager", "--max-model-len", "99999"], "--max-model-len 99999"),
        (["-q=awq", "--max_model_len=1"], "--max_model_len=1"),
    ],
    ids=str,
)
def test_a_finding_about_a_further_argument_is_at_that_argument(arguments: list[str], text: str) -> None:
    model = {"id": "Qwen/Qwen3-4B", "extraArgs": arguments, "allowExtraArgs": True}
    served = served_model(context_for(L4, model), 0)
    served.error(
        "LLMD-MEMORY-KV-CACHE", "maxModelLen", value="(by default, 1)", rule="too long", fix="use maxModelLen: 512"
    )
    [finding] = served.ctx.findings[-1:]
    assert (finding.path, finding.value) == ("llm-d:models[0].extraArgs[1]", text)
    assert finding.fix == f"use maxModelLen: 512, in place of {text} in extraArgs"


def test_other_settings_change_what_follows_from_them() -> None:
    served = served_model(context_for({"type": "nvidia-l4", "machineType": "g2-standard-96"}, {"id": "some/model"}), 0)
    assert (served.parallelism.tensor, served.with_settings(tensor_parallel=2).parallelism.tensor) == (8, 2)
    image = "vllm/vllm-openai:v0.11.2"
    assert served.with_settings(image=image).version == "0.11.2" != served.version


@pytest.mark.parametrize(
    ("image", "version"),
    [
        (None, None),
        ("vllm/vllm-openai:v0.11.2", "0.11.2"),
        ("mirror.example:5000/vllm/vllm-openai:v0.21.0-cu129", "0.21.0"),
        ("vllm/vllm-openai:latest", None),
        ("ghcr.io/llm-d/llm-d-cuda:v0.4.0", None),
        ("registry.redhat.io/rhaiis/vllm-cuda-rhel9:3.0.0", None),
    ],
)
def test_the_version_is_the_tags_where_vllm_numbers_it(image: str | None, version: str | None) -> None:
    ctx = context_for(L4, {"id": "Qwen/Qwen3-4B", "image": image})
    assert served_model(ctx, 0).version == (version or ctx.engine_image.version)
