"""GKE versions: comparison, and features of each."""

from __future__ import annotations

import re

from llm_d_gke.settings.cluster import ClusterSettings

# From here on GKE installs InferencePool v1 itself (GKE documentation, "Deploy GKE Inference Gateway").
INFERENCE_POOL_SINCE = "1.34.0-gke.1626000"
# First version of the GKE Inference Gateway (same page).
INFERENCE_GATEWAY_SINCE = "1.32.3"

# Flex-start of TPU nodes (cloud.google.com/kubernetes-engine/docs/concepts/dws, "Requirements"). That of GPUs came with
# 1.32.2-gke.1652000, before the Inference Gateway.
TPU_FLEX_START_SINCE = "1.33.0-gke.1712000"

# First version that mounts images as volumes without asking (Kubernetes feature gate ImageVolume).
IMAGE_VOLUME_SINCE = "1.35"


def at_least(version: str, threshold: str) -> bool:
    """Whether a GKE version is at or above another. A missing part counts as 0: `1.34` is below `1.34.1`."""
    return _parts(version) >= _parts(threshold)


def _parts(version: str) -> tuple[int, int, int, int]:
    match = re.fullmatch(r"(\d+)\.(\d+)(?:\.(\d+))?(?:-gke\.(\d+))?", version)
    if match is None:
        raise ValueError(f"not a GKE version: {version}")
    major, minor, patch, build = (int(part or 0) for part in match.groups())
    return major, minor, patch, build


def reaches(version: str, threshold: str) -> bool:
    """As `at_least`, but a minor version without patch is taken as its newest patch: `1.34` reaches `1.34.1`."""
    if re.fullmatch(r"\d+\.\d+", version):
        return _parts(version)[:2] >= _parts(threshold)[:2]
    return at_least(version, threshold)


def brings_inference_pool(version: str | None) -> bool:
    """Whether GKE itself installs InferencePool v1.

    `None` means whatever the release channel gives: since mid-2026 that is above the threshold in every channel.
    """
    return version is None or reaches(version, INFERENCE_POOL_SINCE)


def gke_brings_inference_pool(cluster: ClusterSettings) -> bool:
    """Whether the cluster has the InferencePool kind from GKE."""
    return brings_inference_pool(cluster.existing.version if cluster.existing else cluster.version)


def newer_version(settings: ClusterSettings, minimum: str) -> str:
    """How a stack gets a GKE version. That of an existing cluster is a fact that the stack file only repeats."""
    if settings.existing is not None:
        return f"upgrade cluster {settings.existing.name} to {minimum} or newer, then write its version here"
    return f"use {minimum} or newer, or leave the version to the release channel"
