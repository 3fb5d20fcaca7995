"""The checksum of the Hub's token on pods: it restarts them, and does not show which token it is."""

from __future__ import annotations

import hashlib

import pytest

from llm_d_gke.planning.serving.pod_volumes import token_digest
from tests.stacks import TOKEN, plan_of

KEY = "checksum/hugging-face-token"


def checksum(stack: str, changes: dict[str, object] | None = None) -> str:
    [server] = plan_of(stack, changes).models[0].servers
    return server.pod.annotations[KEY]


@pytest.mark.parametrize(
    ("stack", "changes", "same"),
    [
        ("prefix-cache-gpu", {}, False),
        ("gpu", {"project": "another-project"}, False),
        ("gpu", {"huggingFace.token": "hf_another_token_of_somebody"}, False),
        ("gpu", {"models[0].maxNumSeqs": 16}, True),
    ],
    ids=["another stack", "another project", "another token", "another setting"],
)
def test_it_belongs_to_one_token_of_one_stack(stack: str, changes: dict[str, object], same: bool) -> None:
    assert (checksum("gpu") == checksum(stack, changes)) is same


def test_a_dictionary_of_leaked_tokens_does_not_hold_it() -> None:
    """No plain digest of the token begins so, and neither does one with an attacker's own salt of the same form."""
    digest = checksum("gpu")
    dictionary = {
        getattr(hashlib, name)(text.encode()).hexdigest()[: len(digest)]
        for name in ("md5", "sha1", "sha256", "sha512")
        for text in (TOKEN, f"{TOKEN}\n", f"gpu{TOKEN}", f"{TOKEN}gpu", f"golden-project/gpu{TOKEN}")
    }
    assert digest not in dictionary | {token_digest(TOKEN, stack) for stack in ("", "gpu", "another-project/gpu")}


def test_each_guess_costs_100_000_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    rounds = []
    derive = hashlib.pbkdf2_hmac

    def counted(name: str, password: bytes, salt: bytes, iterations: int) -> bytes:
        rounds.append(iterations)
        return derive(name, password, salt, iterations)

    monkeypatch.setattr(hashlib, "pbkdf2_hmac", counted)
    token_digest("hf_never_seen_before", "project/stack")
    assert rounds == [100_000]
