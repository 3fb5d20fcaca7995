"""Features of GKE versions."""

from __future__ import annotations

from llm_d_gke.catalog.versions import reaches, version_numbers
from llm_d_gke.settings.cluster import ClusterSettings

# From here on GKE installs InferencePool v1 itself (GKE documentation, "Deploy GKE Inference Gateway").
INFERENCE_POOL_SINCE = "1.34.0-gke.1626000"
# First version of the GKE Inference Gateway (same page).
INFERENCE_GATEWAY_SINCE = "1.32.3"

# Default of the rapid channel on NEWEST_SEEN (GKE documentation, "Release notes, Rapid channel", 2026-R40).
# Kubernetes has three minor versions a year, so the next one may be offered already and the one after it is not.
NEWEST, NEWEST_SEEN = "1.36", "2026-09-23"

# Flex-start of TPU nodes (cloud.google.com/kubernetes-engine/docs/concepts/dws, "Requirements"). That of GPUs came with
# 1.32.2-gke.1652000, before the Inference Gateway.
TPU_FLEX_START_SINCE = "1.33.0-gke.1712000"

# Managed DRANET and its device classes (GKE documentation, "Allocate network resources by using GKE managed DRANET").
DRANET_SINCE = "1.34.1-gke.1829001"

# AutoscalingMetrics with `spec.metrics[].pod` (GKE documentation, "Expose custom metrics for autoscaling"; a public
# guide to several clusters with SGLang on G4 uses them for the Gateway with 1.35.1-gke.1396002).
POD_METRICS_SINCE = "1.35.1-gke.1396000"

# First version that mounts images as volumes without asking (Kubernetes feature gate ImageVolume).
IMAGE_VOLUME_SINCE = "1.35"

# MutatingAdmissionPolicy v1 (kubernetes/enhancements, 3962). Earlier versions of it are off by default.
MUTATING_POLICY_SINCE = "1.36"


def is_beyond_known(version: str) -> bool:
    """Whether a version is two or more minor versions above the newest one that this program knows."""
    return version_numbers(version)[:2] > (version_numbers(NEWEST)[0], version_numbers(NEWEST)[1] + 1)


def brings_inference_pool(version: str | None) -> bool:
    """Whether GKE itself installs InferencePool v1.

    `None` means whatever the release channel gives: since mid-2026 that is above the threshold in every channel.
    """
    return version is None or reaches(version, INFERENCE_POOL_SINCE)


def has_mutating_policies(version: str | None) -> bool:
    """Whether the cluster has MutatingAdmissionPolicy. Of the version that a release channel gives it is not known."""
    return version is not None and reaches(version, MUTATING_POLICY_SINCE)


def gke_brings_inference_pool(cluster: ClusterSettings) -> bool:
    """Whether the cluster has the InferencePool kind from GKE."""
    return brings_inference_pool(cluster.gke_version)


def newer_version(settings: ClusterSettings, minimum: str) -> str:
    """How to get a newer GKE version: by an upgrade of an existing cluster, else by a setting."""
    if settings.existing is not None:
        return f"upgrade cluster {settings.existing.name} to {minimum} or newer, then write its version here"
    return f"use {minimum} or newer, or leave the version to the release channel"
