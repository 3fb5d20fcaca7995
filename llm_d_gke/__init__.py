"""llm-d inference on GKE: settings, the plan that follows from them, and the Pulumi resources that create it.

    from llm_d_gke import InferenceStack

    chat = InferenceStack("chat", {"project": "my-project", "location": "us-central1-a", ...})
    pulumi.export("endpoint", chat.endpoint)

The names below are the library's interface (docs/library.md). Everything else may change in any version.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llm_d_gke.components.stack import InferenceStack, ServedModel
    from llm_d_gke.planning import Finding, RefusedError, StackPlan, plan_stack
    from llm_d_gke.settings import StackSettings

__all__ = ["Finding", "InferenceStack", "RefusedError", "ServedModel", "StackPlan", "StackSettings", "plan_stack"]

# Each module is imported when one of its names is first used: planning takes half a second, the Pulumi SDKs take two.
_MODULES = {
    "Finding": "llm_d_gke.planning",
    "InferenceStack": "llm_d_gke.components.stack",
    "RefusedError": "llm_d_gke.planning",
    "ServedModel": "llm_d_gke.components.stack",
    "StackPlan": "llm_d_gke.planning",
    "StackSettings": "llm_d_gke.settings",
    "plan_stack": "llm_d_gke.planning",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    value = getattr(importlib.import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
