"""Packs a chart as Helm publishes it."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from llm_d_gke.rehearsal.charts.sources import Source

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
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
        name: path.read_bytes()
        for name, path in sorted(files.items())
        if not any(fnmatch(name, pattern) for pattern in source.left_out)
    }


def _crd_chart(source: Source) -> dict[str, bytes]:
    """A chart of CRDs only. They are templates, so that a newer chart changes them, and Helm keeps them on removal."""
    documents = [source.location.read_text("utf-8")] if source.path else []
    documents += [source.own.read_text("utf-8")] if source.own is not None else []
    crds = [crd for text in documents for crd in yaml.load_all(text, Loader=_LOADER) if crd]
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
