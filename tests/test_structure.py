"""Modules stay short enough to be read at once."""

from __future__ import annotations

from llm_d_gke.stackfile import PROJECT_ROOT

_LINES = 400


def test_no_module_is_longer_than_it_may_be() -> None:
    modules = (PROJECT_ROOT / "llm_d_gke").rglob("*.py")
    lengths = {module: len(module.read_text(encoding="utf-8").splitlines()) for module in modules}
    assert {str(module): lines for module, lines in lengths.items() if lines > _LINES} == {}
