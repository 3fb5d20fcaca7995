"""The page of causes is complete."""

from __future__ import annotations

import re
from pathlib import Path

from llm_d_gke.maintenance.reference.causes import page
from llm_d_gke.operations.diagnose import messages as messages_module
from llm_d_gke.operations.diagnose.messages import messages, states


def test_every_cause_has_its_section() -> None:
    text = page()
    assert [name for name in messages() if f"\n### {name}\n" not in text] == []


def test_every_state_is_on_the_page_and_used() -> None:
    text, folder = page(), Path(messages_module.__file__).parent
    code = "".join(
        (folder / name).read_text(encoding="utf-8") for name in ("capacity.py", "planned.py", "pods.py", "routing.py")
    )
    # Of an object that the Gateway refuses, the kind is a part of the id.
    used = {*re.findall(r'cause_of_state\(\s*"([a-z-]+)"', code)}
    used |= {f"{kind}-refused" for kind in ("gateway", "httproute", "inferencepool", "policy")}
    assert used == set(states())
    assert [name for name in states() if f"`{name}`" not in text] == []
