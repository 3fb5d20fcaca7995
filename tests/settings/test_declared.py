"""Pulumi.yaml declares what the settings know: `pulumi config` then explains every key."""

from __future__ import annotations

from pathlib import Path

import yaml

from settings.load import keys

PROJECT = Path(__file__).resolve().parents[2] / "Pulumi.yaml"


def test_every_setting_is_declared_with_type_and_description() -> None:
    declared = yaml.safe_load(PROJECT.read_text(encoding="utf-8"))["config"]
    assert set(declared) == set(keys())
    assert not [key for key, one in declared.items() if not one.get("type") or not one.get("description")]


def test_nothing_is_required_by_pulumi_itself() -> None:
    """A missing value is a finding with its fix, together with all others; Pulumi would stop at the first."""
    declared = yaml.safe_load(PROJECT.read_text(encoding="utf-8"))["config"]
    assert not [key for key, one in declared.items() if "default" not in one]
