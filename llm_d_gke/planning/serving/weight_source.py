"""Weights inside a container image, or on a claim whose disk every node attaches."""

from __future__ import annotations

from llm_d_gke.catalog.versions import reaches
from llm_d_gke.planning.gke_versions import IMAGE_VOLUME_SINCE
from llm_d_gke.planning.served_model import ServedModel
from llm_d_gke.settings.models import ImageSource, VolumeClaimSource


def check_weight_source(served: ServedModel) -> None:
    """Findings about weights in an image that is not there or not mounted, and on a disk of one node."""
    source = served.settings.source
    if isinstance(source, ImageSource):
        _check_image(served, source)
    elif isinstance(source, VolumeClaimSource) and _may_have_nodes(served):
        served.warning("LLMD-CLAIM-NODES", "source", "claim")


def _may_have_nodes(served: ServedModel) -> bool:
    """Whether pods may run on several nodes. Old and new ones do in an update, even of one replica."""
    ctx = served.ctx
    accelerator = ctx.settings.accelerator
    return ctx.autopilot or accelerator.compute_class is not None or accelerator.nodes.max > 1


def _check_image(served: ServedModel, source: ImageSource) -> None:
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
            version=version,
            since=IMAGE_VOLUME_SINCE,
            fix=f"{'upgrade the cluster to' if cluster.existing else 'use GKE'} {IMAGE_VOLUME_SINCE} or newer, or"
            f" models[{served.index}].image with the weights inside",
        )
