# ruff: noqa: N802, ARG002 - methods bear the names of the protocol's calls; hooks take what an override may need
"""Serves a Pulumi provider from this process. This module is the protocol; the providers implement the resources.

A provider subclasses `Provider` and implements typed hooks on values without secret wrappers. The values at paths that
are secret in a request are secret in its answer. The engine attaches through PULUMI_DEBUG_PROVIDERS=<name>:<port>.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import grpc
from google.protobuf import empty_pb2
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import plugin_pb2, provider_pb2
from pulumi.runtime.proto import provider_pb2_grpc as rpc

from llm_d_gke.rehearsal.providers.properties import (
    Diff,
    Properties,
    difference,
    dotted,
    rewrap_secrets,
    unmarshal,
    unwrap_secrets,
)
from llm_d_gke.rehearsal.providers.requests import (
    CheckRequest,
    Created,
    CreateRequest,
    DeleteRequest,
    Invalid,
    Live,
    ReadRequest,
    Refused,
    UpdateRequest,
)
from llm_d_gke.resource_graph.wire import encode_struct

WORKERS: Final = (
    64  # a cluster's creation holds one for a while; the engine itself runs no more steps than 4 x cores by default
)
UNLIMITED: Final = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


Answer = TypeVar("Answer")


class Provider(rpc.ResourceProviderServicer):
    """The protocol. Hooks get values without secret wrappers. They may raise `Refused`, and return wrapped values."""

    name: str = ""
    version: str = ""

    def __init__(self) -> None:
        self._configs: dict[str, Properties] = {}  # by connection: the engine opens one for each provider resource
        self.canceled = threading.Event()

    # Hooks

    def configure(self, config: Properties) -> None:
        """Refuse a configuration that cannot work."""

    def check(self, request: CheckRequest) -> Properties:
        """The inputs with defaults and names filled in. Raises `Invalid`."""
        return request.news

    def diff(self, request: UpdateRequest) -> Diff:
        return difference(request.old_inputs, request.news)

    def create(self, request: CreateRequest) -> Created:
        raise Refused(f"{request.type} is not simulated")

    def update(self, request: UpdateRequest) -> Properties:
        """New outputs. In a preview, outputs that an update may change are `UNKNOWN`."""
        raise Refused(f"{request.type} cannot be updated")

    def delete(self, request: DeleteRequest) -> None:
        raise Refused(f"{request.type} is not simulated")

    def read(self, request: ReadRequest) -> Live | None:
        """The current resource, or None when it does not exist."""
        raise Refused(f"{request.type} cannot be read")

    def invoke(self, token: str, arguments: Properties) -> Properties:
        raise Refused(f"the rehearsal does not stand in for {token}: there is no Google Cloud to look it up in")

    # Protocol

    def Handshake(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.ProviderHandshakeResponse:
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True, accept_resources=False, accept_outputs=False)

    def Attach(self, request: Any, context: grpc.ServicerContext) -> empty_pb2.Empty:
        return empty_pb2.Empty()

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=self.version)

    def GetSchema(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.GetSchemaResponse:
        return provider_pb2.GetSchemaResponse(schema="{}")

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> empty_pb2.Empty:
        self.canceled.set()
        return empty_pb2.Empty()

    def CheckConfig(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.CheckResponse:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        return _diffed(difference(_unwrapped(request.old_inputs), _unwrapped(request.news)))

    def Configure(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.ConfigureResponse:
        config = _unwrapped(request.args)
        self.canceled.clear()
        self._answer(context, lambda: self.configure(config))
        self._configs[context.peer()] = config
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, acceptResources=False, acceptOutputs=False
        )

    def Check(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.CheckResponse:
        news = unmarshal(request.news)
        olds = _unwrapped(request.olds) if request.HasField("olds") and request.olds.fields else None
        common = {"seed": request.randomSeed, **self._common(request, context)}
        requested = CheckRequest(olds=olds, news=unwrap_secrets(news), **common)
        try:
            inputs = self._answer(context, lambda: self.check(requested))
        except Invalid as invalid:
            failures = [provider_pb2.CheckFailure(property=path, reason=reason) for path, reason in invalid.failures]
            return provider_pb2.CheckResponse(inputs=request.news, failures=failures)
        return provider_pb2.CheckResponse(inputs=encode_struct(rewrap_secrets(inputs, news)))

    def Diff(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        requested = self._update_request(request, context, _unwrapped(request.news))
        return _diffed(self._answer(context, lambda: self.diff(requested)))

    def Create(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.CreateResponse:
        inputs = unmarshal(request.properties)
        common = self._common(request, context)
        requested = CreateRequest(inputs=unwrap_secrets(inputs), preview=request.preview, **common)
        created = self._answer(context, lambda: self.create(requested))
        return provider_pb2.CreateResponse(
            id=created.id, properties=encode_struct(rewrap_secrets(created.outputs, inputs))
        )

    def Update(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.UpdateResponse:
        news = unmarshal(request.news)
        requested = self._update_request(request, context, unwrap_secrets(news), preview=request.preview)
        outputs = self._answer(context, lambda: self.update(requested))
        return provider_pb2.UpdateResponse(properties=encode_struct(rewrap_secrets(outputs, news)))

    def Delete(self, request: Any, context: grpc.ServicerContext) -> empty_pb2.Empty:
        olds = _unwrapped(request.properties)
        requested = DeleteRequest(id=request.id, olds=olds, **self._common(request, context))
        self._answer(context, lambda: self.delete(requested))
        return empty_pb2.Empty()

    def Read(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.ReadResponse:
        olds, inputs = unmarshal(request.properties), unmarshal(request.inputs)
        requested = ReadRequest(id=request.id, old_inputs=unwrap_secrets(inputs), **self._common(request, context))
        live = self._answer(context, lambda: self.read(requested))
        if live is None:
            return provider_pb2.ReadResponse()
        outputs = encode_struct(rewrap_secrets(live.outputs, olds))
        return provider_pb2.ReadResponse(
            id=live.id,
            properties=outputs,
            inputs=request.inputs if live.inputs is None else encode_struct(rewrap_secrets(live.inputs, inputs)),
        )

    def Invoke(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.InvokeResponse:
        answer = self._answer(context, lambda: self.invoke(request.tok, _unwrapped(request.args)))
        response = provider_pb2.InvokeResponse()
        getattr(response, "return").CopyFrom(encode_struct(answer))
        return response

    def _update_request(
        self, request: Any, context: grpc.ServicerContext, news: Properties, *, preview: bool = False
    ) -> UpdateRequest:
        olds, inputs = _unwrapped(request.olds), _unwrapped(request.old_inputs)
        common = self._common(request, context)
        return UpdateRequest(id=request.id, olds=olds, old_inputs=inputs, news=news, preview=preview, **common)

    def _common(self, request: Any, context: grpc.ServicerContext) -> dict[str, Any]:
        kind, _, name = request.urn.rpartition("::")
        return {
            "urn": request.urn,
            "type": request.type or kind.rpartition("::")[2].rpartition("$")[2],
            "name": request.name or name,
            "config": self._configs.get(context.peer(), {}),
        }

    def _answer(self, context: grpc.ServicerContext, hook: Callable[[], Answer]) -> Answer:
        try:
            return hook()
        except Invalid:
            raise
        except Refused as refusal:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(refusal))
        except Exception:  # a defect of the simulated provider: the engine prints the traceback
            context.abort(
                grpc.StatusCode.INTERNAL, f"the simulated {self.name} provider failed\n{traceback.format_exc()}"
            )
        raise AssertionError("an aborted call does not go on")


def _unwrapped(struct: Struct) -> Properties:
    values: Properties = unwrap_secrets(unmarshal(struct))
    return values


def _diffed(diff: Diff) -> provider_pb2.DiffResponse:
    kinds = provider_pb2.PropertyDiff.Kind
    detailed = {
        dotted(path): provider_pb2.PropertyDiff(
            kind=kinds.Value(change.name + ("_REPLACE" if path in diff.replaces else "")), inputDiff=True
        )
        for path, change in diff.changes.items()
    }
    return provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME if diff.changes else provider_pb2.DiffResponse.DIFF_NONE,
        diffs=sorted({str(path[0]) for path in diff.changes if path}),
        replaces=sorted(dotted(path) for path in diff.replaces),
        deleteBeforeReplace=diff.delete_before_replace,
        detailedDiff=detailed,
        hasDetailedDiff=True,
    )


@contextmanager
def serve(provider: Provider) -> Iterator[int]:
    """Serve on a free port of 127.0.0.1, which is yielded, until the context ends."""
    server = grpc.server(futures.ThreadPoolExecutor(WORKERS, thread_name_prefix=provider.name), options=UNLIMITED)
    rpc.add_ResourceProviderServicer_to_server(provider, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(grace=1).wait()
