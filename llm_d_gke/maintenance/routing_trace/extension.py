"""Envoy's side of a callout to an endpoint picker: one request, the endpoint that the picker names for it.

The messages are those parts of envoy/service/ext_proc/v3/external_processor.proto (Envoy 1.36) that a picker reads and
writes, with their field numbers.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_METHOD: Final = "/envoy.service.ext_proc.v3.ExternalProcessor/Process"
_DESTINATION: Final = "x-gateway-destination-endpoint"
_PACKAGE: Final = "llmd.ext_proc"

# By message: field, number, type ("name" of another message, or a scalar), repeated.
_MESSAGES: Final[dict[str, list[tuple[str, int, str, bool]]]] = {
    "HeaderValue": [("key", 1, "string", False), ("value", 2, "string", False), ("raw_value", 3, "bytes", False)],
    "HeaderMap": [("headers", 1, "HeaderValue", True)],
    "HttpHeaders": [("headers", 1, "HeaderMap", False), ("end_of_stream", 3, "bool", False)],
    "HttpBody": [("body", 1, "bytes", False), ("end_of_stream", 2, "bool", False)],
    "ProcessingRequest": [
        ("request_headers", 2, "HttpHeaders", False),
        ("response_headers", 3, "HttpHeaders", False),
        ("request_body", 4, "HttpBody", False),
        ("response_body", 5, "HttpBody", False),
    ],
    "HeaderValueOption": [("header", 1, "HeaderValue", False)],
    "HeaderMutation": [("set_headers", 1, "HeaderValueOption", True)],
    "CommonResponse": [("header_mutation", 2, "HeaderMutation", False)],
    "PhaseResponse": [("response", 1, "CommonResponse", False)],
    "ImmediateResponse": [("body", 3, "bytes", False)],
    "ProcessingResponse": [
        ("request_headers", 1, "PhaseResponse", False),
        ("response_headers", 2, "PhaseResponse", False),
        ("request_body", 3, "PhaseResponse", False),
        ("response_body", 4, "PhaseResponse", False),
        ("immediate_response", 7, "ImmediateResponse", False),
    ],
}
_FIELD = descriptor_pb2.FieldDescriptorProto
_SCALARS: Final = {"string": _FIELD.TYPE_STRING, "bytes": _FIELD.TYPE_BYTES, "bool": _FIELD.TYPE_BOOL}


def _messages() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="llmd_ext_proc.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind, repeated in fields:
            message.field.add(
                name=field,
                number=number,
                type=_SCALARS.get(kind, _FIELD.TYPE_MESSAGE),
                type_name=None if kind in _SCALARS else f".{_PACKAGE}.{kind}",
                label=_FIELD.LABEL_REPEATED if repeated else _FIELD.LABEL_OPTIONAL,
            )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")) for name in _MESSAGES
    }


_TYPES: Final = _messages()


class CalloutRefusedError(RuntimeError):
    """The picker answered the request itself."""


class Picker:
    """Callouts to a picker that serves without TLS on a local port."""

    def __init__(self, port: int) -> None:
        self._channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
        self._call = self._channel.stream_stream(
            _METHOD,
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=_TYPES["ProcessingResponse"].FromString,
        )

    @asynccontextmanager
    async def endpoint(self, model: str, prompt: str, request_id: str) -> AsyncIterator[str]:
        """The "IP:port" for a chat request. Leaving the context is the end of the answer."""
        body = {"model": model, "messages": [{"role": "user", "content": prompt}], "max_tokens": 4}
        call = self._call()
        await call.write(
            _request(
                "request_headers", {":method": "POST", ":path": "/v1/chat/completions", "x-request-id": request_id}
            )
        )
        await call.write(
            _TYPES["ProcessingRequest"](request_body={"body": json.dumps(body).encode(), "end_of_stream": True})
        )
        yield await _destination(call)
        await call.write(_request("response_headers", {":status": "200", "content-type": "application/json"}))
        await call.write(_TYPES["ProcessingRequest"](response_body={"body": b"{}", "end_of_stream": True}))
        await call.done_writing()
        while await call.read() is not grpc.aio.EOF:
            pass

    async def close(self) -> None:
        await self._channel.close()


def _request(phase: str, headers: dict[str, str]) -> Any:
    values = [{"key": key, "raw_value": value.encode()} for key, value in headers.items()]
    return _TYPES["ProcessingRequest"](**{phase: {"headers": {"headers": values}}})


async def _destination(call: Any) -> str:
    while (response := await call.read()) is not grpc.aio.EOF:
        if response.HasField("immediate_response"):
            raise CalloutRefusedError(response.immediate_response.body.decode())
        for phase in (response.request_headers, response.request_body):
            for option in phase.response.header_mutation.set_headers:
                if option.header.key == _DESTINATION:
                    return str((option.header.raw_value or option.header.value.encode()).decode())
    raise CalloutRefusedError("the picker ended the callout without an endpoint")
