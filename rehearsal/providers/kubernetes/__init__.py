"""The stand-in for Pulumi's Kubernetes provider, against the real API server of a rehearsed cluster."""

from rehearsal.providers.kubernetes.provider import KubernetesProvider

__all__ = ["KubernetesProvider"]
