"""The age of a stack's oldest price."""

from __future__ import annotations

import datetime
import shutil
from pathlib import Path

from llm_d_gke.maintenance.price_ages import main, price_ages
from llm_d_gke.stackfile import PROJECT_ROOT
from tests.stacks import plan_of


def test_a_stack_is_as_old_as_its_oldest_price(tmp_path: Path) -> None:
    for name in ("Pulumi.yaml", "Pulumi.gpu.yaml"):
        shutil.copy(PROJECT_ROOT / name, tmp_path)
    text = (tmp_path / "Pulumi.gpu.yaml").read_text(encoding="utf-8")
    refused = text.replace("maxModelLen: 2048", "maxModelLen: 9000000")
    (tmp_path / "Pulumi.refused.yaml").write_text(refused, encoding="utf-8")
    oldest = datetime.date.fromisoformat(plan_of("gpu").cost.date)
    ages = dict(price_ages(tmp_path, oldest + datetime.timedelta(days=30)))
    assert ages == {"gpu": 30, "refused": None}


def test_old_prices_fail() -> None:
    assert main(["--days", "-1"]) == 1
    assert main(["--days", "100000"]) == 0
