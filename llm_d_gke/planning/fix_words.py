"""What fixes of any rule may name: arguments of `gcloud` commands that can be copied, and what goes with Istio."""

from __future__ import annotations

from llm_d_gke.settings import StackSettings

# Kinds of `gateway.tls` whose certificates are Google's load balancers' own.
GOOGLE_CERTIFICATES = ("certificate-manager", "pre-shared")


def fix_words(settings: StackSettings) -> dict[str, str]:
    """Words by the name that texts of rules use. A word in capitals stands for what is not set."""
    project = settings.project or "PROJECT"
    cluster, network = settings.cluster.existing, settings.network.existing
    return {
        "cluster": cluster.name if cluster is not None else "NAME",
        "istio": _istio(settings),
        "network_project": (network.project if network is not None else None) or project,
        "place": f"--location {settings.location} --project {project}",
    }


def _istio(settings: StackSettings) -> str:
    """`implementation: istio`, and what Istio does not take of this Gateway and these models."""
    text = "implementation: istio"
    if settings.gateway.tls.kind in GOOGLE_CERTIFICATES:
        text += " with gateway.tls.kind: cert-manager or secret"
    # Only Google's load balancers can call the router of several models.
    return text + (" with one model" if len(settings.models) > 1 else "")
