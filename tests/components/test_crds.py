"""The InferencePool CRD that the stack installs on older clusters keeps the rules of the published one."""

from __future__ import annotations

from typing import Any

import yaml

from components.crds import DEFINITION
from rehearsal.toolchain.build import module_dir


def _without_prose(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _without_prose(item)
            for key, item in value.items()
            if not (key == "description" and isinstance(item, str))
        }
    return [_without_prose(item) for item in value] if isinstance(value, list) else value


def test_the_definition_is_the_published_one_without_its_prose() -> None:
    published = module_dir("sigs.k8s.io/gateway-api-inference-extension") / "config" / "crd" / "bases"
    upstream = yaml.safe_load((published / "inference.networking.k8s.io_inferencepools.yaml").read_text())
    ours = yaml.safe_load(DEFINITION.read_text())
    assert ours["spec"] == _without_prose(upstream["spec"])
    assert ours["metadata"]["name"] == upstream["metadata"]["name"]
    # The API server refuses a definition in a k8s.io group without it.
    approved = "api-approved.kubernetes.io"
    assert ours["metadata"]["annotations"][approved] == upstream["metadata"]["annotations"][approved]
