"""A stack for a pull request has a time to live and a budget, and ends by the schedule."""

from __future__ import annotations

import datetime
import shutil
from pathlib import Path

import pytest

from llm_d_gke.operations.environments.command import ReviewError, expired, write_review_stack
from llm_d_gke.planning import plan_raw
from llm_d_gke.stackfile import PROJECT_ROOT, StackFileError, load
from llm_d_gke.stackfile.assumptions import assume_unset

NOW = datetime.datetime(2026, 11, 28, 17, 30, tzinfo=datetime.UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("Pulumi.yaml", "Pulumi.gpu.yaml", "Pulumi.tpu.yaml"):
        shutil.copy(PROJECT_ROOT / name, tmp_path)
    return tmp_path


def test_it_is_the_source_with_a_name_and_an_end_of_its_own(folder: Path) -> None:
    file, dollars = write_review_stack(folder, 12, "gpu", hours=8, budget=50, now=NOW)
    assert file.name == "Pulumi.pr-12.yaml"
    source, review = (
        plan_raw(name, (config := assume_unset(load(folder, name))).settings(), config.encrypted())
        for name in ("gpu", "pr-12")
    )
    assert review.cluster.name != source.cluster.name
    assert [model.id for model in review.models] == [model.id for model in source.models]
    assert review.labels["expires"] == "2026-11-29t01-30"
    assert source.cost.at_most.exact is not None
    assert dollars == pytest.approx(8 * source.cost.at_most.exact)
    # Main's program ends it, and may not have the source.
    before = load(folder, "pr-12").settings()
    (folder / "Pulumi.gpu.yaml").unlink()
    assert load(folder, "pr-12").settings() == before


@pytest.mark.parametrize(
    ("source", "budget", "why"), [("gpu", 1.0, "budget is"), ("tpu", 1e6, "price of boot disks is not known")]
)
def test_it_is_not_written_above_its_budget_or_without_a_price(
    folder: Path, source: str, budget: float, why: str
) -> None:
    with pytest.raises(ReviewError, match=why):
        write_review_stack(folder, 12, source, hours=8, budget=budget, now=NOW)
    assert not (folder / "Pulumi.pr-12.yaml").exists()


def test_encrypted_values_have_no_copy(folder: Path) -> None:
    file = folder / "Pulumi.gpu.yaml"
    file.write_text(
        file.read_text(encoding="utf-8") + "  llm-d:huggingFace:\n    token: {secure: v1:x}\n", encoding="utf-8"
    )
    with pytest.raises(StackFileError, match="encrypted"):
        write_review_stack(folder, 12, "gpu", hours=8, budget=50, now=NOW)


def test_it_expires_when_its_time_is_over(folder: Path) -> None:
    write_review_stack(folder, 1, "gpu", hours=1, budget=50, now=NOW)
    write_review_stack(folder, 2, "gpu", hours=9, budget=50, now=NOW)
    (folder / "Pulumi.pr-3.yaml").write_text("config: {}\n", encoding="utf-8")
    files = sorted(folder.glob("Pulumi.pr-*.yaml"))
    assert list(expired(files, NOW + datetime.timedelta(hours=1))) == ["pr-1", "pr-3"]
    assert list(expired(files, NOW + datetime.timedelta(hours=9))) == ["pr-1", "pr-2", "pr-3"]
