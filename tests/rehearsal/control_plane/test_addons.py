"""CRDs without the descriptions of their fields."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from llm_d_gke.rehearsal.control_plane.addons import GATEWAY_API, without_descriptions
from llm_d_gke.rehearsal.toolchain.build import module_dir

pytestmark = pytest.mark.rehearsal

TEXT = """\
kind: CustomResourceDefinition
properties:
  description:
    description: |-
      What the route is for.

      Example: `description: nothing`
    type: string
  name:
    description: A name,
      in one word.
    type: string
    x-kubernetes-validations:
    - message: say 'description' once
      rule: self != 'description'
"""


def test_a_property_of_this_name_stays() -> None:
    rule = {"message": "say 'description' once", "rule": "self != 'description'"}
    assert yaml.safe_load(without_descriptions(TEXT)) == {
        "kind": "CustomResourceDefinition",
        "properties": {
            "description": {"type": "string"},
            "name": {"type": "string", "x-kubernetes-validations": [rule]},
        },
    }


def test_objects_of_other_kinds_stay() -> None:
    text = TEXT.replace("CustomResourceDefinition", "ConfigMap")
    assert without_descriptions(text) == text


def test_nothing_else_of_the_modules_kinds_is_left_out() -> None:
    texts = [file.read_text("utf-8") for file in (module_dir(GATEWAY_API) / "config/crd/standard").glob("*.yaml")]
    assert texts
    for text in texts:
        kinds, shortened = (
            list(yaml.load_all(document, yaml.CSafeLoader)) for document in (text, without_descriptions(text))
        )
        assert shortened == [_stripped(kind) for kind in kinds]


def _stripped(tree: Any, *, of_names: bool = False) -> Any:
    """A schema without its descriptions. `of_names`: the keys are names of properties."""
    if isinstance(tree, list):
        return [_stripped(item) for item in tree]
    if not isinstance(tree, dict):
        return tree
    return {
        key: _stripped(value, of_names=key == "properties" and not of_names)
        for key, value in tree.items()
        if of_names or key != "description"
    }
