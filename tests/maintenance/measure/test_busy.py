"""The repetition of tests on a busy machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_d_gke.maintenance.measure.busy import burning, run_tests


def test_what_passed_failed_and_was_skipped_is_told_apart(tmp_path: Path) -> None:
    file = tmp_path / "test_three.py"
    file.write_text(
        "import pytest\ndef test_good(): pass\ndef test_bad(): assert 0\n@pytest.mark.skip\ndef test_left(): pass\n",
        encoding="utf-8",
    )
    passed, bad = run_tests((str(file), "--rootdir", str(tmp_path), "-c", "/dev/null"), tmp_path / "log")
    assert passed == 1
    assert [name.rsplit("::", 1)[1] for name in bad] == ["test_bad"]


def test_a_run_without_tests_is_no_success(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="ran no test"):
        run_tests(("--there-is-no-such-option",), tmp_path / "log")


def test_burners_end_with_the_block() -> None:
    with burning(2) as burners:
        assert [burner.poll() for burner in burners] == [None, None]
    assert all(burner.poll() is not None for burner in burners)
