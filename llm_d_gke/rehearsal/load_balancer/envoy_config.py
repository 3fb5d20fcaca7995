"""Envoy's configuration as data: bootstrap, listeners, clusters, endpoints. `routes` has the routes of Gateways."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

Config = dict[str, Any]

_TYPE = "@type"
_FILTERS = "extensions.filters"
_TLS = "extensions.transport_sockets.tls.v3"
_HTTP_OPTIONS = "extensions.upstreams.http.v3.HttpProtocolOptions"
_POLICIES = "extensions.load_balancing_policies"
_CALLOUT = f"{_FILTERS}.http.ext_proc.v3"

# The endpoint picker names the chosen endpoint in this header (Gateway API Inference Extension, proposal 004).
DESTINATION_HEADER = "x-gateway-destination-endpoint"

# The filter that calls the endpoint picker. Routes to a pool turn it on.
PICKER_FILTER = "picker"

# Extensions that a listener can have. Their filters are read from files, so that a change reaches open connections too:
# Google's load balancers configure each request, while Envoy gives a changed listener to new connections only.
EXTENSION_SLOTS = 4

# What Istio sets in the connection managers of its Gateways (istio.io/docs/reference/config/istio.mesh.v1alpha1,
# `pathNormalization`, whose default is BASE).
ISTIO_MANAGER: Config = {"normalize_path": True}

Endpoint = tuple[str, int]


@dataclass(frozen=True)
class Extension:
    """An ext_proc callout to a Service of the cluster, before the route is chosen."""

    name: str
    cluster: str
    authority: str
    timeout: float
    fail_open: bool
    events: frozenset[str]
    body_mode: str


def bootstrap(admin: Endpoint, listeners: str, clusters: str) -> Config:
    """The file that Envoy starts with. It reads everything else from two files, again whenever one is replaced."""
    return {
        "node": {"id": "gateway", "cluster": "rehearsal"},
        "admin": {"address": _address(admin)},
        "dynamic_resources": {"lds_config": _file(listeners), "cds_config": _file(clusters)},
    }


def discovery(kind: str, resources: Sequence[Config]) -> Config:
    """A file of resources of one kind, such as `listener.v3.Listener` or `endpoint.v3.ClusterLoadAssignment`."""
    return {"resources": [_typed(f"config.{kind}", **resource) for resource in resources]}


def forward(name: str, listen: Endpoint, target: Endpoint) -> tuple[Config, Config]:
    """The listener and the cluster that pass TCP from a pod's address to its process."""
    proxy = _typed(f"{_FILTERS}.network.tcp_proxy.v3.TcpProxy", stat_prefix="pod", cluster=name, idle_timeout="0s")
    listener: Config = {
        "name": name,
        "address": _address(listen),
        "filter_chains": [{"filters": [{"name": "tcp", "typed_config": proxy}]}],
    }
    cluster = {"name": name, "type": "STATIC", "connect_timeout": "2s", "load_assignment": assignment(name, [target])}
    return listener, cluster


def backend_cluster(name: str, assignments: str, *, picked: bool, http2: bool, tls: Config | None) -> Config:
    """A cluster whose endpoints are read from the file `assignments`.

    With `picked`, the endpoint picker's header chooses among them. If the chosen endpoint is not in the file, because
    its health check fails, another one is used; without any, the answer is 503, "no healthy upstream". `tls` is the
    transport socket (see `client_tls`), None for plain text.
    """
    protocol: Config = {"http2_protocol_options": {}} if http2 else {"http_protocol_options": {}}
    policy = _policy("round_robin.v3.RoundRobin")
    if picked:
        sources = [{"header": DESTINATION_HEADER}]
        policy = _policy("override_host.v3.OverrideHost", override_host_sources=sources, fallback_policy=policy)
    return {
        "name": name,
        "type": "EDS",
        "eds_cluster_config": {"service_name": name, "eds_config": _file(assignments)},
        "connect_timeout": "5s",
        "typed_extension_protocol_options": {
            f"envoy.{_HTTP_OPTIONS}": _typed(_HTTP_OPTIONS, explicit_http_config=protocol)
        },
        "load_balancing_policy": policy,
        **({"transport_socket": tls} if tls is not None else {}),
    }


def _policy(kind: str, **fields: Any) -> Config:
    extension = _named(f"envoy.load_balancing_policies.{kind.partition('.')[0]}", f"{_POLICIES}.{kind}", **fields)
    return {"policies": [{"typed_extension_config": extension}]}


def assignment(name: str, endpoints: Iterable[Endpoint]) -> Config:
    own = [{"endpoint": {"address": _address(endpoint)}} for endpoint in endpoints]
    return {"cluster_name": name, "endpoints": [{"lb_endpoints": own}]}


def gateway_listener(
    name: str,
    listen: Endpoint,
    files: Sequence[str],
    log: str,
    tls: Config | None = None,
    changes: tuple[Sequence[Config], Config] = ((), {}),
) -> Config:
    """An HTTP listener: extensions, the picker's filter (off unless a route turns it on), then routing.

    `files` are the one with its `route_configuration`, and one with the filter of each slot. `changes` are filters in
    front of all others, and fields of the connection manager.
    """
    (routes, *extensions), (filters, fields) = files, changes
    urls = [_typed(f"{_CALLOUT}.ExternalProcessor")[_TYPE]]
    discovered = [{"config_source": _file(file), "type_urls": urls} for file in extensions]
    manager: Config = {
        "stat_prefix": name,
        "codec_type": "AUTO",
        "use_remote_address": True,
        "server_header_transformation": "PASS_THROUGH",
        "stream_idle_timeout": "0s",
        "rds": {"route_config_name": name, "config_source": _file(routes)},
        "http_filters": [
            *filters,
            *({"name": _slot(name, number), "config_discovery": source} for number, source in enumerate(discovered)),
            {"name": PICKER_FILTER, "typed_config": _disabled_ext_proc() | {"allow_mode_override": True}},
            _named("router", f"{_FILTERS}.http.router.v3.Router"),
        ],
        "access_log": [_access_log(log)],
        **fields,
    }
    chain: Config = {
        "filters": [_named("http", f"{_FILTERS}.network.http_connection_manager.v3.HttpConnectionManager", **manager)],
        **({"transport_socket": tls} if tls is not None else {}),
    }
    return {"name": name, "address": _address(listen), "filter_chains": [chain]}


def route_configuration(name: str, hosts: Sequence[Config]) -> Config:
    """The routes of the listener `name`, as a file that Envoy reads again whenever it is replaced."""
    return discovery("route.v3.RouteConfiguration", [{"name": name, "virtual_hosts": list(hosts)}])


def extension_filters(name: str, extensions: Sequence[Extension]) -> list[Config]:
    """The files of the listener's extension slots, in their order. A slot without an extension makes no calls.

    Raises ValueError when there are more extensions than slots.
    """
    if len(extensions) > EXTENSION_SLOTS:
        raise ValueError(f"{len(extensions)} routing extensions on one Gateway, {EXTENSION_SLOTS} are simulated")
    filters = [_extension_filter(extension) for extension in extensions]
    filters += [_disabled_ext_proc()] * (EXTENSION_SLOTS - len(extensions))
    return [
        discovery("core.v3.TypedExtensionConfig", [{"name": _slot(name, number), "typed_config": config}])
        for number, config in enumerate(filters)
    ]


def picker_override(cluster: str, authority: str, fail_open: bool) -> Config:
    """Per-route settings that send requests past the endpoint picker: both bodies streamed, in full duplex."""
    both = ("SEND", "FULL_DUPLEX_STREAMED", "SEND")
    overrides = {
        "grpc_service": _grpc(cluster, authority),
        "failure_mode_allow": fail_open,
        "processing_mode": _modes(both, both),
    }
    return _typed(f"{_CALLOUT}.ExtProcPerRoute", overrides=overrides)


def server_tls(certificate: str, key: str) -> Config:
    """TLS of a listener from PEM texts."""
    pair = {"certificate_chain": {"inline_string": certificate}, "private_key": {"inline_string": key}}
    common = {"tls_certificates": [pair], "alpn_protocols": ["h2", "http/1.1"]}
    return _named("tls", f"{_TLS}.DownstreamTlsContext", common_tls_context=common)


def client_tls(
    *, http2: bool, sni: str | None = None, authority: str | None = None, names: Iterable[str] = ()
) -> Config:
    """TLS to a backend, whose certificate is not looked at unless an `authority` (PEM) has signed it for `names`."""
    common: Config = {"alpn_protocols": ["h2" if http2 else "http/1.1"]}
    if authority is not None:
        matchers = [{"san_type": "DNS", "matcher": {"exact": name}} for name in names]
        trusted = {"trusted_ca": {"inline_string": authority}, "match_typed_subject_alt_names": matchers}
        common["validation_context"] = trusted
    return _named("tls", f"{_TLS}.UpstreamTlsContext", common_tls_context=common, **({"sni": sni} if sni else {}))


def _disabled_ext_proc() -> Config:
    """An ext_proc filter that makes no calls. Every route to a pool names its own picker."""
    service, modes = _grpc("no-callout", "no-callout"), _modes(_NOTHING, _NOTHING)
    return _typed(f"{_CALLOUT}.ExternalProcessor", grpc_service=service, processing_mode=modes, message_timeout="10s")


def _extension_filter(extension: Extension) -> Config:
    """The filter of an extension. It gets its `supportedEvents` only, and a routing extension gets no responses."""
    headers, trailers = ("SEND" if f"Request{part}" in extension.events else "SKIP" for part in ("Headers", "Trailers"))
    body = extension.body_mode if "RequestBody" in extension.events else "NONE"
    return _typed(
        f"{_CALLOUT}.ExternalProcessor",
        grpc_service=_grpc(extension.cluster, extension.authority),
        failure_mode_allow=extension.fail_open,
        message_timeout=f"{extension.timeout:g}s",
        processing_mode=_modes((headers, body, trailers), _NOTHING),
    )


def _slot(listener: str, number: int) -> str:
    return f"{listener}/extension-{number}"


def _file(path: str) -> Config:
    return {"resource_api_version": "V3", "path_config_source": {"path": path}}


def _grpc(cluster: str, authority: str) -> Config:
    return {"envoy_grpc": {"cluster_name": cluster, "authority": authority}}


def _typed(kind: str, **fields: Any) -> Config:
    return {_TYPE: f"type.googleapis.com/envoy.{kind}", **fields}


def _named(name: str, kind: str, **fields: Any) -> Config:
    return {"name": name, "typed_config": _typed(kind, **fields)}


# Modes of headers, body and trailers of which a callout gets nothing.
_NOTHING = ("SKIP", "NONE", "SKIP")


def _modes(request: tuple[str, str, str], response: tuple[str, str, str]) -> Config:
    """What of a request and of a response goes to a callout: headers, body, trailers."""
    sides = {"request": request, "response": response}
    parts = ("header", "body", "trailer")
    return {
        f"{side}_{part}_mode": mode for side, modes in sides.items() for part, mode in zip(parts, modes, strict=True)
    }


def _access_log(path: str) -> Config:
    line = (
        '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%" %RESPONSE_CODE% %RESPONSE_FLAGS% '
        f"%DURATION%ms %UPSTREAM_HOST% picked=%REQ({DESTINATION_HEADER})% %RESPONSE_CODE_DETAILS%\n"
    )
    form = {"text_format_source": {"inline_string": line}}
    return _named("file", "extensions.access_loggers.file.v3.FileAccessLog", path=path, log_format=form)


def _address(endpoint: Endpoint) -> Config:
    return {"socket_address": {"address": endpoint[0], "port_value": endpoint[1]}}
