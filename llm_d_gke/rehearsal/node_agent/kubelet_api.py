"""The kubelet's own API, as far as `kubectl logs`, `exec` and `port-forward` need it: the API server asks it.

One server answers for every node. Containers here are processes of this machine: `exec` runs a command beside one, as
the user of the rehearsal, with its environment and folder, and `attach` is answered with a sentence that names the
alternative.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qs, unquote, urlsplit

from llm_d_gke.rehearsal.control_plane.certificates import Certificates
from llm_d_gke.rehearsal.host.servers import HttpHandler, HttpServer
from llm_d_gke.rehearsal.node_agent import streams
from llm_d_gke.rehearsal.node_agent.streams import Place
from llm_d_gke.rehearsal.toolchain.go import BuildError

log = logging.getLogger(__name__)

# The port of a kubelet on its node (kubernetes.io/docs/reference/networking/ports-and-protocols).
KUBELET_PORT = 10250

_POLL_SECONDS = 0.3
_CHUNK = 64 * 1024
_NO_ATTACH = "kubectl attach is not rehearsed: a container here is a process of this machine. Use `kubectl logs -f`"


@dataclass(frozen=True)
class LogRequest:
    """One `kubectl logs`. `tail` counts lines from the end, `limit` bytes; None for no bound."""

    namespace: str
    pod: str
    container: str
    follow: bool = False
    tail: int | None = None
    limit: int | None = None
    previous: bool = False

    @property
    def file_name(self) -> str:
        return f"{self.namespace}_{self.pod}_{self.container}.log"


def parse(path: str) -> LogRequest | None:
    """The request that an API server sends: /containerLogs/namespace/pod/container?follow=true. None for another."""
    url = urlsplit(path)
    parts = [unquote(part) for part in url.path.strip("/").split("/")]
    if len(parts) != 4 or parts[0] != "containerLogs" or any("/" in part or part == ".." for part in parts):
        return None
    query = {key: values[-1] for key, values in parse_qs(url.query).items()}
    return LogRequest(
        namespace=parts[1],
        pod=parts[2],
        container=parts[3],
        follow=query.get("follow") == "true",
        tail=_whole(query.get("tailLines")),
        limit=_whole(query.get("limitBytes")),
        previous=query.get("previous") == "true",
    )


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


def content(request: LogRequest, folder: Path, ended: Callable[[], bool]) -> Iterator[bytes]:
    """Yields the log in pieces. With `follow` it waits for more until `ended`. Raises FileNotFoundError without one."""
    left = request.limit
    with (folder / request.file_name).open("rb") as file:
        if request.tail is not None:
            lines = deque(file, maxlen=request.tail)
            yield from _bounded(b"".join(lines), left)
            left = None if left is None else max(0, left - sum(map(len, lines)))
        while left != 0:
            data = file.read(_CHUNK if left is None else min(_CHUNK, left))
            if data:
                left = None if left is None else left - len(data)
                yield data
            elif not request.follow or ended():
                return
            else:
                time.sleep(_POLL_SECONDS)


def _bounded(data: bytes, limit: int | None) -> Iterator[bytes]:
    cut = data if limit is None else data[:limit]
    if cut:
        yield cut


class Pods(Protocol):
    """Finds what runs for a pod, by namespace, name, and container for a command. None where nothing does."""

    def command_place(self, namespace: str, pod: str, container: str) -> Place | None: ...
    def ports_place(self, namespace: str, pod: str) -> Place | None: ...


class _Handler(HttpHandler):
    # A connection for each log, which ends with it.
    protocol_version = "HTTP/1.0"
    server: _Server

    def do_GET(self) -> None:
        verb, *names = [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]
        request = parse(self.path)
        if (verb, len(names)) == ("exec", 3):
            self._stream(self.server.pods.command_place(*names))
        elif (verb, len(names)) == ("portForward", 2):
            self._stream(self.server.pods.ports_place(*names))
        elif verb == "attach":
            self._reply_text(HTTPStatus.NOT_IMPLEMENTED, _NO_ATTACH)
        elif request is None:
            self._reply_text(HTTPStatus.NOT_FOUND, f"the rehearsal's kubelets answer no {verb}")
        elif request.previous:
            self._reply_text(
                HTTPStatus.BAD_REQUEST, "a restarted container appends to the same log here: leave out --previous"
            )
        else:
            try:
                pieces = content(request, self.server.folder, self.server.ended.is_set)
                first = next(pieces, b"")
            except FileNotFoundError:
                self._reply_text(
                    HTTPStatus.NOT_FOUND, f"container {request.container} of {request.pod} has written no log"
                )
                return
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", "text/plain")
            # No length: the connection's end is the end of the log.
            self.send_header("Connection", "close")
            self.end_headers()
            with contextlib.suppress(OSError):
                for piece in (first, *([] if not first and not request.follow else pieces)):
                    self.wfile.write(piece)
                    self.wfile.flush()

    do_POST = do_GET

    def _stream(self, place: Place | None) -> None:
        """Pass the connection on to the program that runs commands and forwards ports."""
        if place is None:
            self._reply_text(HTTPStatus.NOT_FOUND, "the pod has no process that runs: see kubectl describe pod")
            return
        try:
            program = self.server.streamer()
        except BuildError as error:
            self._reply_text(HTTPStatus.NOT_IMPLEMENTED, str(error))
            return
        self.close_connection = True
        head = f"{self.requestline}\r\n{self.headers}".encode("latin-1")
        with contextlib.suppress(OSError):
            streams.serve(self.connection, head, program, place)

    def _reply_text(self, status: HTTPStatus, sentence: str) -> None:
        self.reply(status, f"{sentence}\n".encode(), {"Content-Type": "text/plain"})


class _Server(HttpServer):
    folder: Path
    ended: threading.Event
    pods: Pods
    streamer: Callable[[], Path]

    def stop(self) -> None:
        self.ended.set()
        super().stop()


def serve(folder: Path, pki: Certificates, pods: Pods, streamer: Callable[[], Path]) -> tuple[int, Callable[[], None]]:
    """Serve the logs in `folder`, commands and ports on 127.0.0.1, to clients that the cluster's authority has signed.

    `streamer` returns the program of `streams`, or raises BuildError. Returns the port, and a function that
    stops the server.
    """
    server = _Server(("127.0.0.1", 0), _Handler)
    server.folder, server.context, server.ended = folder, pki.for_clients(), threading.Event()
    server.pods, server.streamer = pods, streamer
    server.start()
    return server.server_port, server.stop
