"""The keys of a Secret, as the Gateway reads them."""

from __future__ import annotations

from base64 import b64encode

import pytest

from llm_d_gke.rehearsal.terminal.chat import names_by_key


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("rehearsal sk-1\nother sk-2\n", {"sk-1": "rehearsal", "sk-2": "other"}),
        ("rehearsal.old sk-1\nrehearsal.new sk-2", {"sk-1": "rehearsal.old", "sk-2": "rehearsal.new"}),
        ("without-a-key\n\nrehearsal sk-1", {"sk-1": "rehearsal"}),
        ("", {}),
    ],
)
def test_each_line_is_a_name_and_its_key(text: str, names: dict[str, str]) -> None:
    secret = {"kind": "Secret", "data": {"api-keys": b64encode(text.encode()).decode()}}
    assert names_by_key(secret, "api-keys") == names
    assert names_by_key(secret, "other-entry") == {}
