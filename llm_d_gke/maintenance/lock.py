"""`python -m llm_d_gke.maintenance.lock [RELEASE...]`: digests of a release's images and charts, from registries.

Writes llm_d_gke/catalog/locks/RELEASE.yaml. Images of that release are then pulled by digest, and verify compares what
runs with it. A tag that its publisher moved shows as a change of the file. Asks the registries' read-only API
(github.com/opencontainers/distribution-spec); no layer is downloaded.
"""

from __future__ import annotations

import datetime
import hashlib
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Annotated

import httpx
import typer

from llm_d_gke.catalog import load
from llm_d_gke.catalog.locks import Lock, load_lock, write_lock
from llm_d_gke.catalog.release import ChartRelease, IstioCharts, Release
from llm_d_gke.planning.image_names import DOCKER_HUB, OCI, registry_of

_ACCEPT = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
_HOSTS = {DOCKER_HUB: "registry-1.docker.io"}
_SECONDS = 20.0


class RegistryError(RuntimeError):
    """A reference that a registry did not resolve, with the reason."""


def images_of(release: Release) -> list[str]:
    """Every image of a release, as the catalog has it. Those with a digest need no lock."""
    disaggregation, istio = release.disaggregation, release.charts.istio
    images = [release.picker.image, release.router.image, release.index_image, release.engine.gpu.image]
    images += [release.engine.tpu.image] if release.engine.tpu is not None else []
    images += [exception.image for exception in release.engine.exceptions]
    if disaggregation is not None:
        images += [part.image for part in (disaggregation.sidecar, disaggregation.picker) if part is not None]
    if not isinstance(istio, IstioCharts):
        images += [istio.pilot, istio.proxy]
    return sorted({image for image in images if "@" not in image})


def charts_of(release: Release) -> list[str]:
    """Charts in registries, as `oci://chart:version`. Those of other repositories have no digest to ask for."""
    charts, istio = release.charts, release.charts.istio
    parts = [getattr(charts, name) for name in type(charts).model_fields]
    parts += [istio.base, istio.control_plane] if isinstance(istio, IstioCharts) else [istio.operator]
    releases = [part for part in parts if isinstance(part, ChartRelease)]
    return sorted({f"{chart.chart}:{chart.version}" for chart in releases if chart.chart.startswith(OCI)})


def digest_of(client: httpx.Client, reference: str) -> str:
    """The digest of an image or chart. Raises RegistryError."""
    name = reference.removeprefix(OCI)
    repository, _, tag = name.rpartition(":")
    registry = registry_of(name)
    path = repository.removeprefix(f"{registry}/")
    if registry == DOCKER_HUB and "/" not in path:
        path = f"library/{path}"
    url = f"https://{_HOSTS.get(registry, registry)}/v2/{path}/manifests/{tag}"
    try:
        answer = _ask(client, url)
    except httpx.HTTPError as error:
        raise RegistryError(f"{registry} is not reached: {error}") from None
    if answer.status_code != 200:
        raise RegistryError(f"{registry} answers {answer.status_code} for {path}:{tag}")
    digest = "sha256:" + hashlib.sha256(answer.content).hexdigest()
    stated = answer.headers.get("docker-content-digest", digest)
    if stated != digest:
        raise RegistryError(f"{registry} states {stated} for a manifest that has {digest}")
    return digest


def _ask(client: httpx.Client, url: str) -> httpx.Response:
    headers = {"Accept": _ACCEPT}
    answer = client.get(url, headers=headers)
    challenge = answer.headers.get("www-authenticate", "")
    if answer.status_code != 401 or not challenge.lower().startswith("bearer "):
        return answer
    # Public repositories give every caller a token that reads them.
    fields = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    parameters = {name: fields[name] for name in ("service", "scope") if name in fields}
    answer_of_token = client.get(fields.get("realm", ""), params=parameters).json()
    token = answer_of_token.get("token") or answer_of_token.get("access_token") or ""
    return client.get(url, headers={**headers, "Authorization": f"Bearer {token}"})


def resolve(
    client: httpx.Client, release: Release, before: Lock | None, today: datetime.date
) -> tuple[Lock | None, list[str]]:
    """The lock of a release, and a line for each reference that is new, has moved, or was not resolved.

    A reference that is not resolved keeps the digest it had. None where there is no digest at all.
    """
    earlier: Mapping[str, str] = {} if before is None else {**before.images, **before.charts}
    digests, lines = dict(earlier), []
    references = [*images_of(release), *charts_of(release)]
    for reference in references:
        try:
            digest = digest_of(client, reference)
        except RegistryError as error:
            lines.append(f"not resolved  {reference}: {error}")
            continue
        if earlier.get(reference) != digest:
            lines.append(f"{'moved' if reference in earlier else 'new':<12}  {reference}: {digest}")
        digests[reference] = digest
    images = {image: digests[image] for image in images_of(release) if image in digests}
    charts = {chart: digests[chart] for chart in charts_of(release) if chart in digests}
    if not images and not charts:
        return None, lines
    return Lock(release=release.name, date=today, images=images, charts=charts), lines


def _chosen(names: list[str]) -> Iterator[Release]:
    releases = load().releases
    for name in names or list(releases):
        if name not in releases:
            raise typer.BadParameter(f"{name}: the catalog has {', '.join(releases)}")
        yield releases[name]


def main(releases: Annotated[list[str] | None, typer.Argument(help="Releases; by default all.")] = None) -> None:
    """Write the digests of releases. Ends with status 1 if a reference was not resolved."""
    complete = True
    today = datetime.datetime.now(datetime.UTC).date()
    with httpx.Client(timeout=_SECONDS, follow_redirects=True) as client:
        for release in _chosen(releases or []):
            lock, lines = resolve(client, release, load_lock(release.name), today)
            written = "nothing to write" if lock is None else write_lock(lock).name
            print(f"{release.name}: {written}", *lines, sep="\n  ")
            complete = complete and not any(line.startswith("not resolved") for line in lines)
    sys.exit(0 if complete else 1)


if __name__ == "__main__":
    typer.run(main)
