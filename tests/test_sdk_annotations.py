"""Annotations that are left as texts give the types that evaluated ones give."""

from __future__ import annotations

import inspect
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import cache_from_source, find_spec, module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest
from pulumi import _types as sdk_types

from llm_d_gke import sdk_annotations
from llm_d_gke.sdk_annotations import leave_annotations_unread

MODULE = "pulumi_gcp.container.node_pool"


def loaded(loader: type[SourceFileLoader]) -> ModuleType:
    """The module by a loader, beside the one that is imported."""
    original = find_spec(MODULE)
    assert original is not None
    assert original.origin is not None
    spec = spec_from_loader(MODULE, loader(MODULE, original.origin))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_sdk_reads_the_same_types() -> None:
    evaluated, texts = (loaded(loader) for loader in (SourceFileLoader, sdk_annotations._Loader))
    for module, unread in ((evaluated, False), (texts, True)):
        annotations = inspect.get_annotations(module.NodePoolArgs.__init__)
        assert all(isinstance(value, str) == unread for value in annotations.values() if value is not None)
    expected, types = (sdk_types.input_type_types(module.NodePoolArgs) for module in (evaluated, texts))
    assert types == expected
    assert len(types) > 10
    outputs = [sdk_types.resource_types(module.NodePool) for module in (evaluated, texts)]
    assert outputs[0] == outputs[1]


def test_where_nothing_compiled_is_kept_python_imports_as_always(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "pulumi_gcp"
    package.mkdir()
    file = package / "extra.py"
    file.write_text("number: int = 1\n", encoding="utf-8")

    def loader() -> object:
        spec = sdk_annotations._Finder.find_spec("pulumi_gcp.extra", [str(package)])
        return spec and type(spec.loader)

    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert loader() is None
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    assert loader() is sdk_annotations._Loader
    sdk_annotations._Loader("pulumi_gcp.extra", str(file)).get_code("pulumi_gcp.extra")
    assert [compiled.name for compiled in package.rglob("*.pyc")] == [
        Path(cache_from_source("extra.py", optimization="annotations")).name
    ]
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert loader() is sdk_annotations._Loader


def test_finding_is_installed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    leave_annotations_unread()
    leave_annotations_unread()
    assert sys.meta_path.count(sdk_annotations._Finder) == (sys.version_info < (3, 14))
