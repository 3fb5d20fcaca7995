"""Serves charts under the names of their registries and repositories, through an HTTPS proxy for Helm.

The proxy ends every connection itself, with a certificate of the stack's own authority. It answers the read-only part
of the OCI distribution API for `oci://` references and a repository's index for https ones. Nothing leaves the machine.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import ssl
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache, lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import yaml

from llm_d_gke.catalog.reading import LOADER
from llm_d_gke.rehearsal.charts import sources
from llm_d_gke.rehearsal.charts.sources import Source
from llm_d_gke.rehearsal.control_plane.addons import without_descriptions
from llm_d_gke.rehearsal.control_plane.certificates import Certificates
from llm_d_gke.rehearsal.host.servers import HttpHandler, HttpServer
from llm_d_gke.rehearsal.paths import StackPaths, record_difference

_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
_CONFIG: Final = "application/vnd.cncf.helm.config.v1+json"
_LAYER: Final = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"


@dataclass(frozen=True)
class Answer:
    """The body of an answer with its media type."""

    content: bytes
    media_type: str = "application/octet-stream"
    status: int = 200

    @property
    def digest(self) -> str:
        return "sha256:" + hashlib.sha256(self.content).hexdigest()


@contextmanager
def serve(paths: StackPaths, report: Callable[[str], None]) -> Iterator[str]:
    """Yield the address of the proxy, `http://127.0.0.1:<port>`. It is served until the context ends.

    `report` gets a sentence for each chart that is not here: Helm reads no more of an answer than its status.
    """
    server = _Server(paths, report)
    server.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.stop()


def respond(paths: StackPaths, host: str, path: str) -> Answer:
    """The answer of a registry or repository of this name. Records how a chart differs from the published one."""
    if oci := re.fullmatch(r"/v2/(.+)/(manifests|blobs|tags)/([^/]+)", path):
        name, kind, reference = oci.groups()
        return _registry(paths, f"oci://{host}/{name}", kind, reference)
    for chart in sources.published():
        if chart.repository is None or not f"https://{host}{path}".startswith(f"{chart.repository}/"):
            continue
        if path.endswith("/index.yaml"):
            entry = {"name": chart.chart, "version": chart.version, "urls": [_file(chart.chart, chart.version)]}
            index = {"apiVersion": "v1", "entries": {chart.chart: [entry]}}
            return Answer(yaml.safe_dump(index).encode(), "application/yaml")
        if path.endswith(f"/{_file(chart.chart, chart.version)}"):
            return Answer(_packed(paths, chart.chart, chart.version))
    return _missing(f"https://{host}{path}")


def refusal(answer: Answer) -> str:
    """The sentence of an answer without a chart."""
    [error] = json.loads(answer.content)["errors"]
    return str(error["message"])


def _registry(paths: StackPaths, chart: str, kind: str, reference: str) -> Answer:
    versions = sorted({release.version for release in sources.published() if release.chart == chart})
    if sources.find(chart) is None or not versions:
        return _missing(chart)
    if kind == "tags":
        return Answer(json.dumps({"name": chart, "tags": versions}).encode(), "application/json")
    if kind == "manifests" and reference in versions:
        return _manifest(chart, _packed(paths, chart, reference))
    for version in versions:
        packed = Answer(_packed(None, chart, version), _LAYER)
        for answer in (packed, Answer(b"{}", _CONFIG), _manifest(chart, packed.content)):
            if answer.digest == reference:
                return answer
    return _missing(f"{chart}:{reference}")


def _manifest(chart: str, packed: bytes) -> Answer:
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": _descriptor(Answer(b"{}", _CONFIG)),
        "layers": [_descriptor(Answer(packed, _LAYER))],
        "annotations": {"org.opencontainers.image.title": _name(chart)},
    }
    return Answer(json.dumps(manifest).encode(), _MANIFEST)


def _descriptor(answer: Answer) -> dict[str, Any]:
    return {"mediaType": answer.media_type, "digest": answer.digest, "size": len(answer.content)}


def _packed(paths: StackPaths | None, chart: str, version: str) -> bytes:
    source = sources.find(chart, version)
    if source is None:
        raise KeyError(chart)
    if paths is not None:
        for sentence in sources.differences(chart, version):
            record_difference(paths, sentence)
    return pack(source, _name(chart), version)


def _missing(what: str) -> Answer:
    message = (
        f"the rehearsal has no chart {what}, because no Go module that it pins publishes it: use a release whose charts"
        " are listed in docs/rehearsal.md, or add the module to llm_d_gke/rehearsal/charts/sources.py"
    )
    error = {"errors": [{"code": "NAME_UNKNOWN", "message": message}]}
    return Answer(json.dumps(error).encode(), "application/json", 404)


def _name(chart: str) -> str:
    return chart.rstrip("/").rsplit("/", 1)[-1]


def _file(name: str, version: str) -> str:
    return f"{name}-{version}.tgz"


class _Server(HttpServer):
    def __init__(self, paths: StackPaths, report: Callable[[str], None]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.paths = paths
        self.report = report
        self.missing: set[str] = set()


@lru_cache
def _context(pki: Path, host: str, _written: int) -> ssl.SSLContext:
    """The server side of TLS as `host`. A cluster that was created again has another authority."""
    return Certificates(pki).for_host(host)


class _Handler(HttpHandler):
    server: _Server
    host = ""

    def do_CONNECT(self) -> None:
        self.host = self.path.rpartition(":")[0]
        pki = self.server.paths.cluster / "pki"
        context = _context(pki, self.host, Certificates(pki).ca.stat().st_mtime_ns)
        self.send_response(200)
        self.end_headers()
        self.wfile.flush()
        self.connection = context.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb", -1)
        self.wfile = self.connection.makefile("wb", 0)
        self.close_connection = False

    def do_GET(self) -> None:
        answer = respond(self.server.paths, self.host, self.path.partition("?")[0])
        if answer.status == HTTPStatus.NOT_FOUND and (sentence := refusal(answer)) not in self.server.missing:
            self.server.missing.add(sentence)
            self.server.report(sentence)
        headers = {"Content-Type": answer.media_type, "Docker-Content-Digest": answer.digest}
        self.reply(answer.status, answer.content, headers)

    def do_HEAD(self) -> None:
        self.do_GET()


# Helm takes what `Files.Get` returns as it is, where a template would read the braces of a description as its own.
_CRDS, _CRDS_TEMPLATE = "files/crds.yaml", b'{{ .Files.Get "files/crds.yaml" }}\n'


@cache
def pack(source: Source, name: str, version: str) -> bytes:
    """The archive of a chart under the requested version: `name-version.tgz`.

    Modules have the version of development, or another one than was requested; Helm compares it with the request.
    """
    files = _crd_chart(source) if not source.path or source.location.is_file() else _folder(source)
    template = files.pop("Chart.template.yaml", None)
    chart = yaml.safe_load(files.get("Chart.yaml") or template or b"{apiVersion: v2}")
    own = source.version if template is not None else chart.get("appVersion", source.version)
    chart |= {"name": name, "version": version, "appVersion": own}
    files["Chart.yaml"] = yaml.safe_dump(chart).encode()
    return _archive({f"{name}/{path}": content for path, content in files.items()})


def _folder(source: Source) -> dict[str, bytes]:
    folder = source.location
    paths = [path for path in folder.rglob("*") if path.is_file()]
    files = {path.relative_to(folder).as_posix(): path for path in paths}
    return {
        name: _content(path)
        for name, path in sorted(files.items())
        if not any(fnmatch(name, pattern) for pattern in source.left_out)
    }


def _content(path: Path) -> bytes:
    """A chart's file, CRDs without the descriptions of fields, which the API server reads and writes many times."""
    content = path.read_bytes()
    return without_descriptions(content.decode()).encode() if path.suffix == ".yaml" else content


def _crd_chart(source: Source) -> dict[str, bytes]:
    """A chart of CRDs only. They are templates, so that a newer chart changes them, and Helm keeps them on removal."""
    documents = [without_descriptions(source.location.read_text("utf-8"))] if source.path else []
    documents += [source.own.read_text("utf-8")] if source.own is not None else []
    crds = [crd for text in documents for crd in yaml.load_all(text, Loader=LOADER) if crd]
    for crd in crds:
        crd["metadata"].setdefault("annotations", {})["helm.sh/resource-policy"] = "keep"
    if not crds:
        return {}
    # JSON is YAML, and is written in a hundredth of the time.
    documents = [json.dumps(crd) for crd in crds]
    return {_CRDS: "\n---\n".join(documents).encode(), "templates/crds.yaml": _CRDS_TEMPLATE}


def _archive(files: dict[str, bytes]) -> bytes:
    """The same bytes for the same files: their digest is the chart's identity in a registry."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(str(Path(name)))
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(plain.getvalue(), compresslevel=1, mtime=0)
