"""Stacks whose replicas have several pods, created once for the tests of groups and of controllers."""

from __future__ import annotations

from typing import Final

WIDE: Final = "mixture-of-experts-wide-gpu"
SLICE: Final = "mixture-of-experts-tpu"
# The first by way of KServe, whose own controller makes its group.
KSERVE: Final = f"kserve-{WIDE}"
NAMESPACE: Final = "llm-d-inference-scheduling"
MODELS: Final = {
    WIDE: "deepseek-ai/DeepSeek-R1",
    SLICE: "deepseek-ai/DeepSeek-V2-Lite-Chat",
    KSERVE: "deepseek-ai/DeepSeek-R1",
}
