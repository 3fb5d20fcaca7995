"""Renders the objects of a chart with Helm."""

from __future__ import annotations

import json
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from rehearsal.charts.sources import Source
from rehearsal.errors import ChartError
from rehearsal.kube.types import Manifest, Manifests
from rehearsal.toolchain.build import binaries

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_HOOK = "helm.sh/hook"
_WEBHOOKS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")


class RenderError(ChartError):
    """The chart cannot be rendered with these values. The text is Helm's."""


@dataclass(frozen=True)
class Rendered:
    """A rendered chart. `kinds` are the CRDs of its folder `crds`, which are never changed or deleted.

    `objects` belong to the release, in Helm's order. `app_version` is the chart's.
    """

    kinds: Manifests
    objects: Manifests
    app_version: str


def render(source: Source, name: str, namespace: str, values: Mapping[str, Any], server_version: str) -> Rendered:
    """Render a chart. Raises RenderError, or BuildError when Helm is not available."""
    location = source.location
    if location.is_file():
        # The chart has them as templates, so that a newer chart changes them. Their annotation makes Helm keep them.
        files = [location, *([source.own] if source.own is not None else [])]
        kept = [kind for file in files for kind in _kept(_read(file.read_text(encoding="utf-8")))]
        return Rendered([], kept, source.version)
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as temporary:
        folder = _whole(location, Path(temporary) / "chart", source.version)
        chart = yaml.safe_load((folder / "Chart.yaml").read_text(encoding="utf-8"))
        text = _template(folder, Path(temporary), name, namespace, values, server_version)
        kinds = [
            manifest for file in sorted((folder / "crds").glob("*.yaml")) for manifest in _read(file.read_text("utf-8"))
        ]
    objects = [manifest for manifest in _read(text) if not _is_hook(manifest)]
    if not source.running:
        objects = [manifest for manifest in objects if manifest["kind"] not in _WEBHOOKS]
    return Rendered(kinds, objects, str(chart.get("appVersion") or ""))


def _template(
    folder: Path, temporary: Path, name: str, namespace: str, values: Mapping[str, Any], server_version: str
) -> str:
    helm = binaries(["helm"], lambda _: None)["helm"]
    given = temporary / "values.json"
    given.write_text(json.dumps(dict(values)), encoding="utf-8")
    command = [str(helm), "template", name, str(folder), "--namespace", namespace, "--values", str(given)]
    command += ["--kube-version", server_version]
    # A temporary home for Helm's caches and plugins.
    answer = subprocess.run(command, capture_output=True, check=False, env={"HOME": str(temporary)})
    if answer.returncode != 0:
        raise RenderError(answer.stderr.decode(errors="replace").strip())
    return answer.stdout.decode()


def _whole(location: Path, folder: Path, version: str) -> Path:
    """The folder of the chart, with the Chart.yaml that some projects write only when they publish it."""
    template = location / "Chart.template.yaml"
    if not template.exists():
        return location
    shutil.copytree(location, folder)
    for one in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        one.chmod(one.stat().st_mode | stat.S_IWUSR)  # the module cache is read-only, and so are copies
    chart = yaml.safe_load(template.read_text(encoding="utf-8"))
    (folder / "Chart.yaml").write_text(yaml.safe_dump({**chart, "version": version, "appVersion": version}))
    return folder


def _read(text: str) -> Manifests:
    return [document for document in yaml.load_all(text, Loader=_LOADER) if document]


def _is_hook(manifest: Manifest) -> bool:
    return _HOOK in (manifest["metadata"].get("annotations") or {})


def _kept(manifests: Manifests) -> Manifests:
    for manifest in manifests:
        manifest["metadata"].setdefault("annotations", {})["helm.sh/resource-policy"] = "keep"
    return manifests
