"""The engine's side of the provider protocol: values, differences, errors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from llm_d_gke.google_types import under
from llm_d_gke.rehearsal.providers.base import Provider, serve
from llm_d_gke.rehearsal.providers.properties import (
    Change,
    Diff,
    Properties,
    difference,
    dotted,
    rewrap_secrets,
    unmarshal,
    unwrap_secrets,
)
from llm_d_gke.rehearsal.providers.requests import Created, CreateRequest, Invalid, Refused, UpdateRequest
from llm_d_gke.resource_graph.values import UNKNOWN, Secret, contains_unknown
from llm_d_gke.resource_graph.wire import encode_struct

URN = "urn:pulumi:gpu::llm-d::llm-d:network:Network$test:index:Thing::main"


class TestValues:
    """Values pass between a program and a stand-in without loss, above all their secret marks."""

    @pytest.mark.parametrize(
        "value",
        [None, True, 7, -1, 2.5, "text", [], {}, [1, [None]], {"a": {"b": [True]}}, UNKNOWN, [UNKNOWN], Secret("s")],
    )
    def test_every_value_comes_back(self, value: Any) -> None:
        assert unmarshal(encode_struct({"key": value})) == {"key": value}

    def test_whole_numbers_are_integers(self) -> None:
        assert [type(value) for value in unmarshal(encode_struct({"a": [1.0, 1.5, 2**60]}))["a"]] == [int, float, float]

    def test_a_secret_keeps_what_is_in_it(self) -> None:
        wrapped = {"a": [Secret({"b": UNKNOWN, "c": 1})]}
        assert unmarshal(encode_struct(wrapped)) == wrapped
        assert unwrap_secrets(wrapped) == {"a": [{"b": UNKNOWN, "c": 1}]}
        assert contains_unknown(wrapped)

    def test_a_secret_does_not_show_itself(self) -> None:
        assert "hunter2" not in repr({"a": Secret("hunter2")})

    def test_answers_are_secret_where_requests_were(self) -> None:
        requested = {"password": Secret("p"), "list": [{"token": Secret("t")}], "open": 1}
        answer = {"password": "p", "list": [{"token": "t"}, {"token": "u"}], "open": 1, "id": "x"}
        assert rewrap_secrets(answer, requested) == {
            "password": Secret("p"),
            "list": [{"token": Secret("t")}, {"token": "u"}],
            "open": 1,
            "id": "x",
        }


class TestDifferences:
    """A preview shows the deepest path that changed, and a replacement only where one is due."""

    def test_paths_and_kinds(self) -> None:
        old = {"a": 1, "b": {"c": [1, {"d": "x"}]}, "gone": True, "null": None}
        new = {"a": 1.0, "b": {"c": [1, {"d": "y"}, 3]}, "app.kubernetes.io/name": "n"}
        diff = difference(old, new)
        assert {dotted(path): change for path, change in diff.changes.items()} == {
            "b.c[1].d": Change.UPDATE,
            "b.c[2]": Change.ADD,
            "gone": Change.DELETE,
            '["app.kubernetes.io/name"]': Change.ADD,
        }

    def test_true_is_not_one(self) -> None:
        assert difference({"a": True}, {"a": 1}).changes

    def test_the_unknown_may_be_a_change(self) -> None:
        assert difference({"a": 1}, {"a": UNKNOWN}).changes == {("a",): Change.UPDATE}

    def test_only_changed_paths_replace(self) -> None:
        diff = difference({"a": {"x": 1}, "b": 1}, {"a": {"x": 2}, "b": 1}, replaces=lambda path: under(path, "a", "b"))
        assert diff.replaces == {("a", "x")}

    def test_list_positions_do_not_count_in_prefixes(self) -> None:
        assert under(("spec", "containers", 0, "image"), "spec.containers.image")
        assert not under(("spec", "containersX"), "spec.containers")


class Thing(Provider):
    """Does what the inputs say."""

    name = "test"
    version = "1.2.3"

    def configure(self, config: Properties) -> None:
        if config.get("broken"):
            raise Refused("this configuration cannot work")

    def create(self, request: CreateRequest) -> Created:
        match request.inputs.get("do"):
            case "refuse":
                raise Refused("the quota is used up")
            case "fail":
                raise KeyError("a fault")
        return Created("id-1", {**request.inputs, "region": request.config.get("region"), "name": request.name})

    def diff(self, request: UpdateRequest) -> Diff:
        return difference(request.old_inputs, request.news, replaces=lambda path: path == ("size",))

    def check(self, request: Any) -> Properties:
        if "size" not in request.news:
            raise Invalid(("size", "is missing"))
        return {**request.news, "default": request.olds is None}


@pytest.fixture
def stub() -> Iterator[provider_pb2_grpc.ResourceProviderStub]:
    with serve(Thing()) as server, grpc.insecure_channel(f"127.0.0.1:{server}") as channel:
        yield provider_pb2_grpc.ResourceProviderStub(channel)


def create(stub: Any, **inputs: Any) -> Any:
    return stub.Create(provider_pb2.CreateRequest(urn=URN, properties=encode_struct(inputs)))


class TestProtocol:
    def test_the_engine_learns_what_is_supported(self, stub: Any) -> None:
        answer = stub.Configure(provider_pb2.ConfigureRequest(args=encode_struct({})))
        assert (answer.acceptSecrets, answer.supportsPreview, answer.acceptOutputs) == (True, True, False)
        assert stub.Handshake(provider_pb2.ProviderHandshakeRequest()).accept_secrets

    def test_secrets_stay_secret_in_outputs(self, stub: Any) -> None:
        created = create(stub, token=Secret("t"))
        assert unmarshal(created.properties)["token"] == Secret("t")

    def test_each_connection_keeps_its_own_configuration(self) -> None:
        """One server may serve an old and a new provider resource in the same update."""
        with serve(Thing()) as server:
            stubs = []
            for region in ("us", "eu"):
                channel = grpc.insecure_channel(f"127.0.0.1:{server}", [("grpc.use_local_subchannel_pool", 1)])
                stubs.append(provider_pb2_grpc.ResourceProviderStub(channel))
                stubs[-1].Configure(provider_pb2.ConfigureRequest(args=encode_struct({"region": region})))
            assert [unmarshal(create(stub).properties)["region"] for stub in stubs] == ["us", "eu"]

    def test_a_refusal_is_one_sentence_and_leaves_nothing_pending(self, stub: Any) -> None:
        with pytest.raises(grpc.RpcError) as refused:
            create(stub, do="refuse")
        assert refused.value.details() == "the quota is used up"
        # INTERNAL, UNKNOWN and DATA_LOSS make the engine doubt the state and keep a pending operation.
        assert refused.value.code() == grpc.StatusCode.FAILED_PRECONDITION

    def test_a_fault_of_a_stand_in_shows_where(self, stub: Any) -> None:
        with pytest.raises(grpc.RpcError, match="KeyError: 'a fault'"):
            create(stub, do="fail")

    def test_invalid_inputs_name_their_property(self, stub: Any) -> None:
        answer = stub.Check(provider_pb2.CheckRequest(urn=URN, news=encode_struct({"a": 1})))
        assert [(failure.property, failure.reason) for failure in answer.failures] == [("size", "is missing")]

    def test_a_check_knows_whether_the_resource_is_new(self, stub: Any) -> None:
        news = encode_struct({"size": 1})
        fresh = stub.Check(provider_pb2.CheckRequest(urn=URN, news=news))
        second_check = stub.Check(provider_pb2.CheckRequest(urn=URN, news=news, olds=encode_struct({"size": 1})))
        assert [unmarshal(answer.inputs)["default"] for answer in (fresh, second_check)] == [True, False]

    def test_replacements_reach_the_engine(self, stub: Any) -> None:
        requested = provider_pb2.DiffRequest(
            urn=URN, old_inputs=encode_struct({"size": 1, "a": 1}), news=encode_struct({"size": Secret(2), "a": 2})
        )
        answer = stub.Diff(requested)
        kinds = provider_pb2.PropertyDiff.Kind
        assert list(answer.replaces) == ["size"]
        assert {path: kinds.Name(diff.kind) for path, diff in answer.detailedDiff.items()} == {
            "size": "UPDATE_REPLACE",
            "a": "UPDATE",
        }

    def test_nothing_changed_is_said_so(self, stub: Any) -> None:
        answer = stub.Diff(
            provider_pb2.DiffRequest(urn=URN, old_inputs=encode_struct({"a": 1}), news=encode_struct({"a": 1}))
        )
        assert answer.changes == provider_pb2.DiffResponse.DIFF_NONE

    def test_a_bad_configuration_is_refused(self, stub: Any) -> None:
        with pytest.raises(grpc.RpcError, match="this configuration cannot work"):
            stub.Configure(provider_pb2.ConfigureRequest(args=encode_struct({"broken": True})))
