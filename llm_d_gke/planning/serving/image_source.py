"""Weights inside a container image."""

from __future__ import annotations

from llm_d_gke.catalog.versions import reaches
from llm_d_gke.planning.gke_versions import IMAGE_VOLUME_SINCE
from llm_d_gke.planning.served_model import ServedModel
from llm_d_gke.settings.models import ImageSource


def check_image_source(served: ServedModel) -> None:
    """Weights are in an image that the stack names, and the cluster can mount it."""
    source = served.settings.source
    if not isinstance(source, ImageSource):
        return
    path = "source"
    if source.reference is None and served.settings.image is None:
        served.error("LLMD-IMAGE-WEIGHTS", path, value="image", index=served.index, path=source.path)
    cluster = served.ctx.settings.cluster
    version = cluster.gke_version
    if source.reference is not None and version is not None and not reaches(version, IMAGE_VOLUME_SINCE):
        served.error(
            "LLMD-IMAGE-VOLUME",
            path,
            "reference",
            value=source.reference,
            version=version,
            since=IMAGE_VOLUME_SINCE,
            fix=f"{'upgrade the cluster to' if cluster.existing else 'use GKE'} {IMAGE_VOLUME_SINCE} or newer, or"
            f" models[{served.index}].image with the weights inside",
        )
