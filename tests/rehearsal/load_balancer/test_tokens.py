"""The rehearsed Gateway verifies tokens with a real Envoy, as Istio sets it up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from llm_d_gke.operations.diagnose.messages import recognize
from llm_d_gke.rehearsal.load_balancer.gateway_filters import filters_of
from llm_d_gke.rehearsal.load_balancer.tokens import JWT_FILTER, RBAC_FILTER, signed_token, token_filters
from tests.envoy import serving
from tests.planning.routing.test_edge import ENVOY_FILTER, GATEWAY, JWT, PICKER_HEADERS, revealed
from tests.stacks import graph_of

PER_MINUTE = 40
CLAIMS = {"iss": "https://accounts.example.com", "aud": "llm", "sub": "search"}


def objects() -> tuple[Any, list[Any], list[Any], list[Any]]:
    """The stack's Gateway, RequestAuthentications, AuthorizationPolicies and EnvoyFilters."""
    graph = graph_of("gpu", JWT | {"gateway.limits": {"requestsPerMinute": PER_MINUTE, "per": "key"}})
    kinds = ("RequestAuthentication", "AuthorizationPolicy")
    checks = [[revealed(graph.one(f"kubernetes:security.istio.io/v1:{kind}").inputs)] for kind in kinds]
    return revealed(graph.one(GATEWAY).inputs), *checks, [revealed(graph.one(ENVOY_FILTER).inputs)]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


@pytest.fixture(scope="module")
def client(keys: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    gateway, authentications, policies, envoy_filters = objects()
    filters, _ = filters_of(gateway, envoy_filters, token_filters(gateway, authentications, policies, keys))
    assert [entry["name"] for entry in filters] == ["llm-d.headers", JWT_FILTER, RBAC_FILTER, "llm-d.requests"]
    seen = ("x-llm-d-client", "authorization", *PICKER_HEADERS)
    with serving(filters, tmp_path_factory.mktemp("envoy"), seen) as client:
        yield client


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def refused(answer: httpx.Response) -> int:
    """The status of an answer, whose words the diagnosis knows."""
    recognized = recognize("endpoint", answer.text, "the endpoint")
    assert recognized is not None, answer.text
    assert recognized.id == "key-refused"
    return answer.status_code


def test_no_token_is_403(client: httpx.Client) -> None:
    assert refused(client.get("/v1/models")) == 403


@pytest.mark.parametrize(
    ("claims", "seconds", "status"),
    [
        (CLAIMS | {"iss": "https://elsewhere.example.com"}, 60.0, 401),
        (CLAIMS | {"aud": "another"}, 60.0, 403),
        (CLAIMS | {"nbf": 4_000_000_000}, 60.0, 401),
        # Envoy allows clocks to differ by a minute.
        (CLAIMS, -120.0, 401),
    ],
    ids=["another issuer", "another audience", "not yet valid", "expired"],
)
def test_a_token_that_is_not_for_this_gateway_is_refused(
    client: httpx.Client, keys: Path, claims: dict[str, Any], seconds: float, status: int
) -> None:
    answer = client.get("/v1/models", headers=bearer(signed_token(keys, claims, seconds=seconds)))
    assert refused(answer) == status


def test_a_token_of_another_key_or_with_other_claims_is_401(client: httpx.Client, keys: Path, tmp_path: Path) -> None:
    head, body, signature = signed_token(keys, CLAIMS).split(".")
    forged = ".".join((head, signed_token(keys, CLAIMS | {"sub": "admin"}).split(".")[1], signature))
    unsigned = ".".join(("eyJhbGciOiJub25lIn0", body, ""))
    for token in (signed_token(tmp_path, CLAIMS), forged, unsigned, "nonsense"):
        assert refused(client.get("/v1/models", headers=bearer(token))) == 401


def test_a_token_without_a_subject_is_403(client: httpx.Client, keys: Path) -> None:
    claims = {name: value for name, value in CLAIMS.items() if name != "sub"}
    assert refused(client.get("/v1/models", headers=bearer(signed_token(keys, claims)))) == 403


def test_a_right_token_names_its_client_and_nothing_else_does(client: httpx.Client, keys: Path) -> None:
    claimed = dict.fromkeys(("x-llm-d-client", *PICKER_HEADERS), "admin")
    answer = client.get("/v1/models", headers=bearer(signed_token(keys, CLAIMS)) | claimed)
    assert answer.status_code == 200
    seen = {name: answer.headers.get(f"seen-{name}", "-") for name in (*claimed, "authorization")}
    named = {name for name, value in seen.items() if value == "search"}
    assert named == {"x-llm-d-client", "x-llm-d-inference-fairness-id", "x-gateway-inference-fairness-id"}
    assert {value for name, value in seen.items() if name not in named} <= {"", "-"}


def test_a_client_cannot_leave_its_limit_by_another_name(client: httpx.Client, keys: Path) -> None:
    """The last test of this proxy: it spends the minute's requests of one client, and no more than those."""
    busy, quiet = (bearer(signed_token(keys, CLAIMS | {"sub": name})) for name in ("busy", "quiet"))
    codes = [
        client.get("/v1/models", headers=busy | {"x-llm-d-client": f"name-{number}"}).status_code
        for number in range(PER_MINUTE + 20)
    ]
    assert codes[:PER_MINUTE] == [200] * PER_MINUTE
    assert 429 in codes[PER_MINUTE:]
    assert client.get("/v1/models", headers=quiet).status_code == 200
