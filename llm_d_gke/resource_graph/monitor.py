# ruff: noqa: N802 - methods bear the names of the protocol's calls
"""The engine's side of a run: takes every registration, answers as a preview or an update would, keeps all of it.

The SDK accepts any object with the methods of the gRPC service, so nothing here listens on a socket. Rules that the
engine applies to a registration (what children inherit, how URNs are built, when outputs are unknown) are applied here
too, after `pkg/resource/deploy/source_eval.go` of Pulumi 3.259.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime import rpc
from pulumi.runtime.proto import callback_pb2, engine_pb2, resource_pb2

from llm_d_gke.resource_graph import requests
from llm_d_gke.resource_graph.answers import Answer, ResourceRequest
from llm_d_gke.resource_graph.model import STACK_TYPE, Message, Recorded
from llm_d_gke.resource_graph.transforms import Transforms
from llm_d_gke.resource_graph.values import Value, contains_unknown
from llm_d_gke.resource_graph.wire import decode_struct, make_secret, merge

# What is left out: OUTPUT_VALUES, so that inputs arrive plain, and what a recording cannot serve (hook options, state
# migrations, byte strings). Without SECRETS the SDK would send secrets in clear and unmarked.
FEATURES = (
    resource_pb2.RESOURCE_MONITOR_FEATURE_SECRETS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_REFERENCES,
    resource_pb2.RESOURCE_MONITOR_FEATURE_ALIAS_SPECS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_REPLACEMENT_TRIGGER,
    resource_pb2.RESOURCE_MONITOR_FEATURE_DELETED_WITH,
    resource_pb2.RESOURCE_MONITOR_FEATURE_REPLACE_WITH,
    resource_pb2.RESOURCE_MONITOR_FEATURE_TRANSFORMS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_INVOKE_TRANSFORMS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_PARAMETERIZATION,
    resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_HOOKS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_ERROR_HOOKS,
)
GET_RESOURCE = "pulumi:pulumi:getResource"
DISABLED_PROVIDERS = "pulumi:disable-default-providers"


class EngineRefusalError(Exception):
    """The engine would have failed the program here. The message holds the reason, where possible the engine's own."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """Project, stack and configuration of a run: `config` has full keys, and values as the engine hands them over."""

    project: str
    stack: str
    preview: bool
    config: Mapping[str, str]


class RecordingMonitor:
    """Plays the resource monitor of one run. Requests may come from several threads."""

    def __init__(self, run: Run, answer: Answer, root: Path) -> None:
        self.run = run
        self.recorded: dict[str, Recorded] = {}
        self.outputs: dict[str, dict[str, Value]] = {}
        self.refusal: EngineRefusalError | None = None
        self._answer = answer
        self._root = root
        self._disabled: list[str] = json.loads(run.config.get(DISABLED_PROVIDERS, "[]"))
        self._lock = threading.RLock()
        # What children take from their parents: the parent's own request, after its inheritance and transforms.
        self._requests: dict[str, resource_pb2.RegisterResourceRequest] = {}
        self._unknown_providers: set[str] = set()
        self._states: dict[str, struct_pb2.Struct] = {}
        self._hooks: set[str] = set()
        self._packages = 0
        self._transforms = Transforms()

    # Registrations

    def RegisterResource(self, request: resource_pb2.RegisterResourceRequest) -> resource_pb2.RegisterResourceResponse:
        parent = self._requests.get(request.parent)
        if parent is not None:
            requests.inherit(request, parent)
        if request.custom or request.remote:
            request.provider = self._provider(request)
        # Outside the lock: a transform is a call back into the program, which may register something itself.
        self._transforms.apply(request)
        with self._lock:
            return self._register(request)

    def _register(self, request: resource_pb2.RegisterResourceRequest) -> resource_pb2.RegisterResourceResponse:
        urn = self._new_urn(request.parent, request.type, request.name)
        self._check(request, urn)
        if not request.custom:
            for package, provider in parent_providers(self._requests, request).items():
                if package not in request.providers:
                    request.providers[package] = provider
        self._requests[urn] = request
        self._transforms.keep(urn, request)
        inputs = decode_struct(request.object)
        id_, state = "", struct_pb2.Struct()
        if request.custom:
            id_, state = self._outcome(request, urn, inputs)
        self._states[urn] = state
        self.recorded[urn] = requests.recorded(request, urn, inputs, id_ or None, self._root)
        return resource_pb2.RegisterResourceResponse(urn=urn, id=id_, object=state)

    def _outcome(
        self, request: resource_pb2.RegisterResourceRequest, urn: str, inputs: dict[str, Value]
    ) -> tuple[str, struct_pb2.Struct]:
        """Id and outputs of a custom resource: in a preview its inputs, in an update also what was answered."""
        state = struct_pb2.Struct()
        provider = requests.provider_urn(request.provider)
        if self.run.preview:
            if request.type.startswith("pulumi:providers:") and contains_unknown(inputs):
                self._unknown_providers.add(urn)
            # A provider with unknown configuration is never called: all of its outputs are unknown.
            if provider not in self._unknown_providers:
                state.CopyFrom(request.object)
            id_ = request.importId
        else:
            requested = self._request(request, urn, inputs, provider)
            answer = dict(self._answer(requested))
            id_ = str(answer.pop("id", "") or request.importId or request.name)
            state.CopyFrom(request.object)
            merge(state, answer)
        for key in request.additionalSecretOutputs:
            make_secret(state, key)
        return id_, state

    def ReadResource(self, request: resource_pb2.ReadResourceRequest) -> resource_pb2.ReadResourceResponse:
        with self._lock:
            urn = self._new_urn(request.parent, request.type, request.name)
            inputs = decode_struct(request.properties)
            state = struct_pb2.Struct()
            provider = requests.provider_urn(request.provider)
            # A resource that is read exists already, so a preview knows it, unless its id is unknown.
            if request.id != rpc.UNKNOWN and provider not in self._unknown_providers:
                requested = self._request(request, urn, inputs, provider)
                answer = dict(self._answer(requested))
                answer.pop("id", None)
                state.CopyFrom(request.properties)
                merge(state, answer)
                for key in request.additionalSecretOutputs:
                    make_secret(state, key)
            self._states[urn] = state
            self.recorded[urn] = requests.recorded_read(request, urn, inputs, self._root)
            return resource_pb2.ReadResourceResponse(urn=urn, properties=state)

    def RegisterResourceOutputs(self, request: resource_pb2.RegisterResourceOutputsRequest) -> empty_pb2.Empty:
        with self._lock:
            if request.urn in self.outputs:
                raise self._refuse(f"the outputs of {request.urn} were registered twice")
            self.outputs[request.urn] = decode_struct(request.outputs)
        return empty_pb2.Empty()

    # Functions: a program that queries the cloud while it plans cannot be recorded, nor previewed without an account.

    def Invoke(self, request: resource_pb2.ResourceInvokeRequest) -> resource_pb2.ResourceInvokeResponse:
        if request.tok != GET_RESOURCE:
            raise self._refuse(f"the program invokes {request.tok}, and a recording has no cloud to ask")
        urn = request.args.fields["urn"].string_value
        with self._lock:
            if urn not in self._states:
                raise self._refuse(f"unknown resource {urn}")
            outputs = struct_pb2.Struct()
            outputs.update({"urn": urn, "id": self.recorded[urn].id or ""})
            outputs.fields["state"].struct_value.CopyFrom(self._states[urn])
        # `return` is a keyword, so the response cannot be built by naming it.
        return resource_pb2.ResourceInvokeResponse(**{"return": outputs})

    def Call(self, request: resource_pb2.ResourceCallRequest) -> NoReturn:
        raise self._refuse(f"the program calls {request.tok}, and a recording has no provider to run it")

    def ExistsResource(self, request: resource_pb2.ExistsResourceRequest) -> NoReturn:
        raise self._refuse(f"the program asks whether a {request.type} exists, and a recording has no cloud to ask")

    # What surrounds a run

    def GetDeploymentInfo(self, _request: empty_pb2.Empty) -> resource_pb2.DeploymentInfo:
        return resource_pb2.DeploymentInfo(
            project=self.run.project,
            stack=self.run.stack,
            dryRun=self.run.preview,
            supportedFeatures=FEATURES,
        )

    def RegisterStackTransform(self, request: callback_pb2.Callback) -> empty_pb2.Empty:
        self._transforms.of_stack.append(request)
        return empty_pb2.Empty()

    def RegisterStackInvokeTransform(self, _request: callback_pb2.Callback) -> empty_pb2.Empty:
        # Accepted and never run: invokes are refused.
        return empty_pb2.Empty()

    def RegisterResourceHook(self, request: resource_pb2.RegisterResourceHookRequest) -> empty_pb2.Empty:
        return self._register_hook(request.name)

    def RegisterErrorHook(self, request: resource_pb2.RegisterErrorHookRequest) -> empty_pb2.Empty:
        return self._register_hook(request.name)

    def RegisterPackage(self, _request: resource_pb2.RegisterPackageRequest) -> resource_pb2.RegisterPackageResponse:
        with self._lock:
            self._packages += 1
            return resource_pb2.RegisterPackageResponse(ref=f"recorded-package-{self._packages}")

    def SignalAndWaitForShutdown(self, _request: empty_pb2.Empty) -> empty_pb2.Empty:
        return empty_pb2.Empty()

    # Rules

    def _check(self, request: resource_pb2.RegisterResourceRequest, urn: str) -> None:
        for operation, duration in requests.timeouts(request).items():
            if not requests.GO_DURATION.fullmatch(duration):
                raise self._refuse(f"{urn}: the {operation} timeout {duration!r} is no duration such as '30m'")
        package = request.type.split(":", 1)[0]
        needs_default = (request.custom or request.remote) and not request.provider and package != "pulumi"
        if needs_default and ("*" in self._disabled or package in self._disabled):
            text = f"Default provider for '{package}' disabled. '{request.type}' must use an explicit provider."
            raise self._refuse(text)
        if request.remote:
            raise self._refuse(f"{urn} is a component of a provider; a recording has no provider to build its parts")

    def _provider(self, request: resource_pb2.RegisterResourceRequest) -> str:
        if request.provider:
            return request.provider
        package = request.type.split(":", 1)[0]
        inherited = parent_providers(self._requests, request).get(package, "")
        return str(request.providers.get(package, inherited))

    def _request(
        self,
        request: resource_pb2.RegisterResourceRequest | resource_pb2.ReadResourceRequest,
        urn: str,
        inputs: dict[str, Value],
        provider: str | None,
    ) -> ResourceRequest:
        provider_resource = self.recorded.get(provider or "")
        config = provider_resource.inputs if provider_resource else {}
        return ResourceRequest(
            urn=urn,
            type=request.type,
            name=request.name,
            parent=request.parent or None,
            inputs=inputs,
            provider=config,
        )

    def _new_urn(self, parent: str, type_: str, name: str) -> str:
        urn = make_urn(self.run.stack, self.run.project, parent, type_, name)
        if urn in self.recorded:
            raise self._refuse(f"Duplicate resource URN '{urn}'; try giving it a unique name")
        return urn

    def _register_hook(self, name: str) -> empty_pb2.Empty:
        with self._lock:
            if name in self._hooks:
                raise self._refuse(f"a resource hook named {name!r} is registered already")
            self._hooks.add(name)
        return empty_pb2.Empty()

    def _refuse(self, text: str) -> EngineRefusalError:
        """The first refusal is the cause of whatever the SDK raises in the end, so it is kept."""
        refusal = EngineRefusalError(text)
        self.refusal = self.refusal or refusal
        return refusal


class RecordingEngine:
    """Plays the engine's logger. Debug lines are dropped: the SDK writes several for every resource."""

    _SEVERITIES: Mapping[int, str] = {
        engine_pb2.DEBUG: "debug",
        engine_pb2.INFO: "info",
        engine_pb2.WARNING: "warning",
        engine_pb2.ERROR: "error",
    }

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def Log(self, request: engine_pb2.LogRequest) -> empty_pb2.Empty:
        if request.severity != engine_pb2.DEBUG:
            severity = self._SEVERITIES.get(request.severity, "info")
            self.messages.append(Message(severity, request.message, request.urn or None))
        return empty_pb2.Empty()

    def RequirePulumiVersion(
        self, _request: engine_pb2.RequirePulumiVersionRequest
    ) -> engine_pb2.RequirePulumiVersionResponse:
        # No CLI takes part, so its version cannot be wrong.
        return engine_pb2.RequirePulumiVersionResponse()


def make_urn(stack: str, project: str, parent: str, type_: str, name: str) -> str:
    """The engine's URN: types of all parents joined by `$`, except the Stack's own type, which prefixes nothing."""
    if parent:
        qualified = parent.split("::")[2]
        if qualified != STACK_TYPE:
            type_ = f"{qualified}${type_}"
    return f"urn:pulumi:{stack}::{project}::{type_}::{name}"


def parent_providers(
    requests: Mapping[str, resource_pb2.RegisterResourceRequest], request: resource_pb2.RegisterResourceRequest
) -> Mapping[str, str]:
    """Providers by package that the parent component was given or inherited."""
    parent = requests.get(request.parent)
    return parent.providers if parent is not None and not parent.custom else {}
