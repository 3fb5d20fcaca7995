"""Credentials: for the Hugging Face Hub and for image registries. Never in plain text."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, SecretStr, model_validator

from settings.base import Settings


class HuggingFaceSettings(Settings):
    """Token for gated models: exactly one way, or none for models that need none."""

    token: Annotated[
        SecretStr | None,
        Field(description="The token itself: pulumi config set --path --secret llm-d:huggingFace.token"),
    ] = None
    existing_secret: Annotated[
        str | None, Field(description="Name of a Secret of the stack's namespace with key HF_TOKEN.")
    ] = None
    secret_manager_secret: Annotated[
        str | None, Field(description="Name of a Secret Manager secret; mounted as a file, never stored in Kubernetes.")
    ] = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = [n for n in ("token", "existing_secret", "secret_manager_secret") if getattr(self, n) is not None]
        if len(given) > 1:
            raise ValueError("token, existingSecret and secretManagerSecret exclude each other: keep one")
        return self


class RegistrySettings(Settings):
    """Pull secret for a private image registry: existing by name, or made from server, username and password."""

    existing_secret: Annotated[str | None, Field(description="Name of a kubernetes.io/dockerconfigjson Secret.")] = None
    server: Annotated[str | None, Field(description="Registry host, such as registry.redhat.io.")] = None
    username: Annotated[str | None, Field(description="User of the registry.")] = None
    password: Annotated[
        SecretStr | None, Field(description="pulumi config set --path --secret llm-d:registry.password")
    ] = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        parts = (self.server, self.username, self.password)
        if self.existing_secret is not None and any(parts):
            raise ValueError("existingSecret and server/username/password exclude each other: keep one")
        if any(parts) and not all(parts):
            raise ValueError("server, username and password belong together: give all three")
        return self
