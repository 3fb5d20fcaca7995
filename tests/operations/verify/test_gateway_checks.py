"""Checks of the Gateway, its pools and policies, and the exit status: each fails where its promise is broken."""

from __future__ import annotations

import datetime
import json
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme

from llm_d_gke.operations.diagnose.facts import gather
from llm_d_gke.operations.live_stack.stack import Endpoint
from llm_d_gke.operations.verify import command
from llm_d_gke.operations.verify.checks import gateway, objects, requests
from llm_d_gke.operations.verify.result import Checked, Outcome, Result, Verification, failed, passed
from llm_d_gke.operations.verify.run import criteria_for
from llm_d_gke.planning.routing.network_policies import GATEWAY_LABEL
from tests.command_line import llmd
from tests.stacks import plan_of

from .fake_stack import Answer, Body, Choose, FakeEngine, context_of, serving
from .test_checks import GPU, always, by_model, condition, engines_of

HOST = "llm.example.com"


@contextmanager
def https(certificate: trustme.LeafCert) -> Iterator[str]:
    """A server on this machine that presents a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield f"https://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("name", "host", "days", "trusted", "outcome", "words"),
    [
        (HOST, HOST, 30, True, Outcome.PASSED, "verified for llm.example.com"),
        ("other.example.com", HOST, 30, True, Outcome.FAILED, "does not verify as llm.example.com"),
        (HOST, HOST, -1, True, Outcome.FAILED, "the certificate is valid from"),
        # A rehearsal's stand-in for a certificate that only Google has.
        (HOST, HOST, 30, False, Outcome.PASSED, "a stand-in, not verified"),
    ],
    ids=["valid", "another name", "expired", "stand-in"],
)
def test_a_certificate_has_to_be_valid_for_the_host_name(
    name: str,
    host: str,
    days: int,
    trusted: bool,
    outcome: Outcome,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
    with https(authority.issue_cert(name, not_after=until)) as url, context_of(GPU, engines_of(), by_model) as ctx:
        ctx.live = replace(ctx.live, endpoint=Endpoint(url=url, host=host, trusted=trusted))
        result = gateway.certificate(ctx)
    assert (result.outcome, words in result.evidence) == (outcome, True), result


def test_an_authority_that_is_not_public_and_a_port_without_tls_fail() -> None:
    with https(trustme.CA().issue_cert(HOST)) as url, context_of(GPU, engines_of(), by_model) as ctx:
        plain = ctx.live.endpoint
        assert plain is not None
        ctx.live = replace(ctx.live, endpoint=Endpoint(url=url, host=HOST, trusted=True))
        assert "does not verify" in gateway.certificate(ctx).evidence
        ctx.live = replace(ctx.live, endpoint=plain)
        assert "no TLS at 127.0.0.1" in gateway.certificate(ctx).evidence


KEYS = {
    "gateway": {"implementation": "istio", "exposure": "internal", "auth": {"kind": "api-keys"}},
    "apiKeys": {"search-team": "0123456789abcdef01234567"},
}


@contextmanager
def guarded(status_by_key: Mapping[str, int]) -> Iterator[Endpoint]:
    """A Gateway that takes the key `own`: it reads x-api-key first, and answers by the key: none, wrong, own."""

    def reply(_path: str, _body: Body, headers: Mapping[str, str]) -> Answer:
        key = headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")
        return status_by_key["own" if key == "own" else "wrong" if key else "none"], {"data": []}

    with serving(reply) as port:
        url = f"http://127.0.0.1:{port}"
        yield Endpoint(url=url, host="127.0.0.1", trusted=True, headers={"x-api-key": "own"})


@pytest.mark.parametrize(
    ("status", "outcome", "words"),
    [
        (401, Outcome.PASSED, "401 without credentials"),
        (302, Outcome.PASSED, "302 without credentials"),
        # An EnvoyFilter that was deleted, or that the Gateway ignores.
        (200, Outcome.FAILED, "whoever reaches the address can use the models"),
        (500, Outcome.FAILED, "not refused for its missing credentials: HTTP 500"),
    ],
)
def test_a_gateway_that_no_longer_asks_for_keys_fails(status: int, outcome: Outcome, words: str) -> None:
    with guarded({"none": status, "own": 200}) as endpoint, context_of(GPU, engines_of(), by_model) as ctx:
        ctx.live = replace(ctx.live, endpoint=endpoint)
        result = requests.credentials_required(ctx)
    assert (result.outcome, words in result.evidence) == (outcome, True), result


@pytest.mark.parametrize(("changes", "applies"), [(None, False), (KEYS, True)], ids=["open", "keys"])
def test_credentials_are_looked_at_where_the_stack_asks_for_them(changes: Any, applies: bool) -> None:
    with context_of(GPU, engines_of(), by_model, changes=changes) as ctx:
        assert ("credentials" in [criterion.id for criterion in criteria_for(ctx.live)]) is applies


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ({}, 200),
        ({"Authorization": "Bearer wrong"}, 403),
        ({"X-API-Key": "wrong"}, 403),
        ({"Authorization": "Bearer own"}, 200),
        ({"x-request-id": "1"}, 200),
    ],
)
def test_a_key_that_is_given_replaces_the_rehearsals_own(header: dict[str, str], status: int) -> None:
    with guarded({"none": 401, "wrong": 403, "own": 200}) as endpoint, context_of(GPU, engines_of(), by_model) as ctx:
        answer = gather(replace(ctx.live, endpoint=endpoint), header).answer
    assert answer is not None
    assert answer.status == status


def test_a_pool_that_no_gateway_accepts_fails() -> None:
    def result_of(status: str) -> Result:
        parents = [{"conditions": [condition("Accepted", status, "no picker"), condition("ResolvedRefs", "True")]}]
        pool = {("InferencePool", plan_of(GPU).models[0].pool.name): {"status": {"parents": parents}}}
        with context_of(GPU, engines_of(), by_model, objects=pool) as ctx:
            return gateway.pools_accepted(ctx)

    assert result_of("True").outcome is Outcome.PASSED
    assert "Accepted: no picker" in result_of("False").evidence


def test_a_policy_that_is_not_attached_fails() -> None:
    def result_of(*statuses: str) -> Result:
        policies = {
            (kind, kind): {"metadata": {"name": "a"}, "status": {"conditions": [condition("Attached", status, "why")]}}
            for kind, status in zip(("HealthCheckPolicy", "GCPBackendPolicy"), statuses, strict=False)
        }
        with context_of(GPU, engines_of(), by_model, objects=policies) as ctx:
            return gateway.policies_attached(ctx)

    assert result_of("True", "True").evidence == "2 policies attached"
    assert result_of("True", "False").evidence == "GCPBackendPolicy/a: why"
    assert result_of().evidence == "no policy exists"


def test_a_network_policy_that_selects_no_pod_fails() -> None:
    policies = plan_of(GPU).network_policies
    pods = [FakeEngine(policy.name, "m", dict(policy.selector)) for policy in policies]
    with context_of(GPU, lambda _plan: pods, by_model) as ctx:
        assert gateway.network_policies_select(ctx).outcome is Outcome.PASSED
    with context_of(GPU, lambda _plan: [], always(503, "")) as ctx:
        result = gateway.network_policies_select(ctx)
    assert result.outcome is Outcome.FAILED
    assert all(policy.name in result.evidence for policy in policies)


def test_istios_gateway_pods_are_expected_on_gke_only() -> None:
    stack = "kserve-istio-single-replica-gpu"
    policies = [policy for policy in plan_of(stack).network_policies if GATEWAY_LABEL not in policy.selector]
    assert len(policies) < len(plan_of(stack).network_policies)
    pods = [FakeEngine(policy.name, "m", dict(policy.selector)) for policy in policies]
    with context_of(stack, lambda _plan: pods, by_model) as ctx:
        assert gateway.network_policies_select(ctx).outcome is Outcome.FAILED
        rehearsed = replace(ctx, live=replace(ctx.live, target="rehearsal"))
        assert gateway.network_policies_select(rehearsed).outcome is Outcome.PASSED


def test_a_changed_stack_file_fails() -> None:
    with context_of(GPU, engines_of(), by_model) as ctx:
        assert objects.settings_as_applied(ctx).outcome is Outcome.PASSED
        ctx.live = replace(ctx.live, changed_settings=("llm-d:paused = true",))
        result = objects.settings_as_applied(ctx)
        # The other checks that fail name the same command.
        assert {result.next_command, ctx.live.diagnose} == {"make up STACK=gpu"}
    assert (result.outcome, result.evidence) == (Outcome.FAILED, "llm-d:paused = true")


def test_an_address_without_health_fails() -> None:
    for status, outcome in ((200, Outcome.PASSED), (503, Outcome.FAILED)):
        with context_of(GPU, engines_of(), always(status, "")) as ctx:
            assert requests.health(ctx).outcome is outcome


def test_an_alias_that_nobody_answers_fails() -> None:
    changes = {"models[0].aliases": ["gemma"]}

    def by_alias(engines: list[FakeEngine]) -> Choose:
        def choose(body: Body) -> Answer:
            return engines[0].reply({**body, "model": engines[0].model})

        return choose

    with context_of(GPU, engines_of(), by_alias, changes=changes) as ctx:
        assert requests.other_names(ctx).evidence == "1 further names answered"
    with context_of(GPU, engines_of(), by_model, changes=changes) as ctx:
        assert requests.other_names(ctx).evidence.startswith("gemma: HTTP 404")


@pytest.mark.parametrize(("result", "status"), [(passed("fine"), 0), (failed("broken", "make x"), 2)])
@pytest.mark.parametrize("form", ["table", "json", "junit"])
def test_the_exit_status_says_whether_every_promise_is_kept(
    result: Result, status: int, form: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def verify(live: Any, *, report: Any, headers: Mapping[str, str], **_: Any) -> Verification:
        assert headers == {"Authorization": "Bearer abc"}
        checked = Checked(id="chat", summary="Each model answers.", result=result, seconds=0.1)
        report(checked)
        return Verification(stack=live.name, looked_at=live.looked_at, checks=(checked,), seconds=0.1)

    @contextmanager
    def opened(*_: object) -> Iterator[Any]:
        with context_of(GPU, engines_of(), by_model) as ctx:
            yield ctx.live

    monkeypatch.setattr(command, "open_stack", opened)
    monkeypatch.setattr(command, "verify", verify)
    assert llmd("verify", GPU, "--format", form, "-H", "Authorization: Bearer abc") == status
    output = capsys.readouterr().out
    assert result.evidence in output
    assert "a stack of a test" in output
    if form == "json":
        assert json.loads(output)["failed"] is (status == 2)
