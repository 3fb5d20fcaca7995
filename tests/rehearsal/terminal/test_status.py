"""What `endpoint` and `status` add to an address."""

from __future__ import annotations

from typing import Any, cast

import pytest

from llm_d_gke.kube import Kube
from llm_d_gke.rehearsal.terminal.status import host_note


class Gateways:
    def __init__(self, *listeners: dict[str, Any]) -> None:
        self._listeners = listeners

    def list(self, *_: str) -> list[dict[str, Any]]:
        return [{"spec": {"listeners": list(self._listeners)}}]


@pytest.mark.parametrize(
    ("listener", "note"),
    [({"hostname": "llm.example.com"}, "curl -k -H 'Host: llm.example.com'"), ({}, "")],
    ids=["a host name", "any name"],
)
def test_a_gateway_with_a_host_name_answers_to_it_only(listener: dict[str, Any], note: str) -> None:
    output = host_note(cast("Kube", Gateways({"name": "https", **listener})))
    assert note in output
    assert bool(output) is bool(note)
