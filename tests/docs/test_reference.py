"""Pages that follow from data are what their data says."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_d_gke.maintenance.reference import __main__ as reference


@pytest.mark.parametrize("name", reference.PAGES)
def test_a_page_is_current(name: str) -> None:
    stale = [path.name for path in reference.stale(name)]
    assert not stale, f"run python -m llm_d_gke.maintenance.reference {name}"


def test_a_page_that_differs_is_reported_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text("as before")
    monkeypatch.setattr(reference, "PROJECT_ROOT", tmp_path)
    monkeypatch.setattr(reference, "PAGES", {"settings": lambda: {page: "as the data says"}})
    assert reference.main(["--check", "settings"]) == 1
    assert page.read_text() == "as before"
    assert reference.main(["settings"]) == 0
    assert page.read_text() == "as the data says"
    assert reference.main(["--check"]) == 0
    assert capsys.readouterr().out.splitlines() == ["old: page.md", "wrote: page.md"]


def test_an_unknown_page_is_refused_with_the_pages_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        reference.main(["other-page"])
    assert "no page other-page" in capsys.readouterr().err
