"""A real Envoy that answers every request itself, behind the filters under test."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx

from llm_d_gke.rehearsal.load_balancer.envoy import executable

_FILTERS = "type.googleapis.com/envoy.extensions.filters"
_ANSWER = {"direct_response": {"status": 200}}


@contextmanager
def serving(
    filters: Sequence[dict[str, Any]],
    folder: Path,
    seen: Sequence[str],
    *,
    action: Mapping[str, Any] = _ANSWER,
    clusters: Sequence[dict[str, Any]] = (),
    workers: int = 1,
) -> Iterator[httpx.Client]:
    """A client of the proxy. An answer has each header of `seen` that arrived behind the filters, as `seen-NAME`.

    `action` is the route's, by default an answer of the proxy's own.
    """
    port = free_port()
    revealed = [{"header": {"key": f"seen-{name}", "value": f"%REQ({name})%"}} for name in seen]
    route = {"match": {"prefix": "/"}, **action, "response_headers_to_add": revealed}
    manager = {
        "@type": f"{_FILTERS}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "edge",
        "use_remote_address": True,
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [
            *filters,
            {"name": "router", "typed_config": {"@type": f"{_FILTERS}.http.router.v3.Router"}},
        ],
    }
    listener = {
        "name": "edge",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    file = folder / "envoy.json"
    file.write_text(json.dumps({"static_resources": {"listeners": [listener], "clusters": list(clusters)}}))
    command = [
        str(executable()),
        "--disable-hot-restart",
        "--concurrency",
        str(workers),
        "--log-level",
        "error",
        "-c",
        str(file),
    ]
    process = subprocess.Popen(command)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
            for _ in range(100):
                try:
                    client.get("/")
                    break
                except httpx.ConnectError:
                    time.sleep(0.1)
            yield client
    finally:
        process.terminate()
        process.wait(10)


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
