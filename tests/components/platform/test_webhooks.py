"""A custom resource is tried again while its controller's webhooks do not listen, and for nothing else."""

from __future__ import annotations

import asyncio

import pulumi
import pytest

from llm_d_gke.components.platform import webhooks

UNREACHABLE = 'Internal error occurred: failed calling webhook "mleaderworkerset.kb.io": connection refused'
REFUSED = 'admission webhook "vleaderworkerset.kb.io" denied the request: subGroupSize'


@pytest.fixture(autouse=True)
def _without_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "_PAUSE_SECONDS", 0.0)


@pytest.mark.parametrize(
    ("errors", "is_retried"),
    [
        ([UNREACHABLE], True),
        ([REFUSED], False),
        # The last error decides.
        ([REFUSED, UNREACHABLE], False),
        ([UNREACHABLE] * 60, True),
        ([UNREACHABLE] * 61, False),
        ([], False),
    ],
)
def test_it_is_tried_again(errors: list[str], is_retried: bool) -> None:
    args = pulumi.ErrorHookArgs(
        urn="urn", id="", name="group", type="LeaderWorkerSet", failed_operation="create", errors=errors
    )
    assert asyncio.run(webhooks._should_retry(args)) is is_retried
