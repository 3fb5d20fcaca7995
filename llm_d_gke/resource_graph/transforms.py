"""Resource transforms: functions of the program that may change any registration before it counts.

The SDK serves them over gRPC from the program's own event loop, the one part of a recording that uses a socket, and
only when the program registers a transform.
"""

from __future__ import annotations

import grpc
from pulumi.runtime.proto import callback_pb2, callback_pb2_grpc, resource_pb2


class Transforms:
    """The transforms of a run: a resource's own run first, then its parents', then the stack's."""

    def __init__(self) -> None:
        self.of_stack: list[callback_pb2.Callback] = []
        self._of_resource: dict[str, list[callback_pb2.Callback]] = {}
        self._parents: dict[str, str] = {}
        self._stubs: dict[str, callback_pb2_grpc.CallbacksStub] = {}

    def apply(self, request: resource_pb2.RegisterResourceRequest) -> None:
        """Let every transform that concerns a registration change it in place."""
        callbacks = list(request.transforms)
        parent = request.parent
        while parent:
            callbacks += self._of_resource.get(parent, [])
            parent = self._parents.get(parent, "")
        for callback in [*callbacks, *self.of_stack]:
            self._run(callback, request)

    def keep(self, urn: str, request: resource_pb2.RegisterResourceRequest) -> None:
        """Remember a registered resource's transforms for its children."""
        self._parents[urn] = request.parent
        if request.transforms:
            self._of_resource[urn] = list(request.transforms)

    def _run(self, callback: callback_pb2.Callback, request: resource_pb2.RegisterResourceRequest) -> None:
        stub = self._stubs.get(callback.target)
        if stub is None:
            stub = self._stubs[callback.target] = callback_pb2_grpc.CallbacksStub(
                grpc.insecure_channel(callback.target)
            )
        transform_request = resource_pb2.TransformRequest(
            type=request.type,
            name=request.name,
            custom=request.custom,
            parent=request.parent,
            properties=request.object,
            options=_options(request),
        )
        try:
            answer = stub.Invoke(
                callback_pb2.CallbackInvokeRequest(token=callback.token, request=transform_request.SerializeToString())
            )
        except grpc.RpcError as error:
            details = error.details() if isinstance(error, grpc.Call) else str(error)
            raise RuntimeError(f"a transform failed on {request.type} {request.name}: {details}") from None
        changed = resource_pb2.TransformResponse.FromString(answer.response)
        if changed.HasField("properties"):
            request.object.CopyFrom(changed.properties)
        if changed.HasField("options"):
            _set_options(request, changed.options)


def _options(request: resource_pb2.RegisterResourceRequest) -> resource_pb2.TransformResourceOptions:
    options = resource_pb2.TransformResourceOptions(
        depends_on=request.dependencies,
        ignore_changes=request.ignoreChanges,
        replace_on_changes=request.replaceOnChanges,
        version=request.version,
        aliases=request.aliases,
        provider=request.provider,
        custom_timeouts=request.customTimeouts if request.HasField("customTimeouts") else None,
        plugin_download_url=request.pluginDownloadURL,
        deleted_with=request.deletedWith,
        replace_with=request.replace_with,
        additional_secret_outputs=request.additionalSecretOutputs,
        providers=request.providers,
        hooks=request.hooks if request.HasField("hooks") else None,
    )
    setattr(options, "import", request.importId)
    if request.HasField("protect"):
        options.protect = request.protect
    if request.HasField("retainOnDelete"):
        options.retain_on_delete = request.retainOnDelete
    if request.deleteBeforeReplaceDefined:
        options.delete_before_replace = request.deleteBeforeReplace
    if request.HasField("replacement_trigger"):
        options.replacement_trigger.CopyFrom(request.replacement_trigger)
    return options


def _set_options(request: resource_pb2.RegisterResourceRequest, options: resource_pb2.TransformResourceOptions) -> None:
    request.dependencies[:] = options.depends_on
    request.ignoreChanges[:] = options.ignore_changes
    request.replaceOnChanges[:] = options.replace_on_changes
    request.replace_with[:] = options.replace_with
    request.additionalSecretOutputs[:] = options.additional_secret_outputs
    request.provider = options.provider
    request.deletedWith = options.deleted_with
    request.importId = getattr(options, "import")
    request.ClearField("aliases")
    request.aliases.extend(options.aliases)
    request.ClearField("providers")
    for package, provider in options.providers.items():
        request.providers[package] = provider
    request.ClearField("protect")
    if options.HasField("protect"):
        request.protect = options.protect
    request.ClearField("retainOnDelete")
    if options.HasField("retain_on_delete"):
        request.retainOnDelete = options.retain_on_delete
    request.deleteBeforeReplaceDefined = options.HasField("delete_before_replace")
    request.deleteBeforeReplace = options.delete_before_replace
    request.ClearField("customTimeouts")
    if options.HasField("custom_timeouts"):
        request.customTimeouts.CopyFrom(options.custom_timeouts)
    request.ClearField("hooks")
    if options.HasField("hooks"):
        request.hooks.CopyFrom(options.hooks)
    request.ClearField("replacement_trigger")
    if options.HasField("replacement_trigger"):
        request.replacement_trigger.CopyFrom(options.replacement_trigger)
