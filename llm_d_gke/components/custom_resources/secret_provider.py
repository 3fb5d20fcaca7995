"""SecretProviderClass, `secrets-store.csi.x-k8s.io/v1`, for GKE's Secret Manager add-on."""

from typing import Literal

from llm_d_gke.components.custom_resources.base import Part, Spec


class Parameters(Part):
    """Parameters of the provider. `secrets` is a YAML list in a string, the format of the add-on."""

    secrets: str


class SecretProviderClassSpec(Spec, api_version="secrets-store.csi.x-k8s.io/v1", kind="SecretProviderClass"):
    provider: Literal["gke"] = "gke"
    parameters: Parameters


def secret_file(project: str, secret: str, file: str) -> SecretProviderClassSpec:
    """The latest version of a secret of Secret Manager, as a file of this name."""
    resource = f"projects/{project}/secrets/{secret}/versions/latest"
    return SecretProviderClassSpec(parameters=Parameters(secrets=f'- resourceName: "{resource}"\n  path: "{file}"\n'))
