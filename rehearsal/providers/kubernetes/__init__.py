"""The simulated Pulumi Kubernetes provider, which uses the real API server of a local cluster."""

from rehearsal.providers.kubernetes.provider import KubernetesProvider

__all__ = ["KubernetesProvider"]
