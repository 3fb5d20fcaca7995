"""Credentials: for the Hugging Face Hub and for image registries. Never in plain text."""

from typing import Annotated, Self

from pydantic import Field, SecretStr, model_validator

from llm_d_gke.settings.base import Settings, form, refusal
from llm_d_gke.settings.names import SecretManagerName, SecretName


class HuggingFaceSettings(Settings):
    """Token for gated models: exactly one way, or none for models that need none."""

    token: Annotated[
        SecretStr | None,
        Field(description="The token itself: pulumi config set --path --secret llm-d:huggingFace.token"),
    ] = None
    existing_secret: Annotated[
        SecretName | None, Field(description="Name of a Secret of the stack's namespace with key HF_TOKEN.")
    ] = None
    secret_manager_secret: Annotated[
        SecretManagerName | None,
        Field(description="Name of a Secret Manager secret; mounted as a file, never stored in Kubernetes."),
    ] = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        sources = [n for n in ("token", "existing_secret", "secret_manager_secret") if getattr(self, n) is not None]
        if len(sources) > 1:
            raise refusal(
                "LLMD-TOKEN-ONE-WAY",
                f"{len(sources)} of token, existingSecret and secretManagerSecret are set, but servers read one token",
                "keep one of them",
            )
        return self


class RegistrySettings(Settings):
    """Where images come from: mirrors of registries, and a pull secret for a private one.

    The secret exists already, by name, or is made from server, username and password.
    """

    mirrors: Annotated[
        dict[
            Annotated[
                str,
                Field(
                    pattern=r"^(\*|localhost(:[0-9]+)?|[a-z0-9-]+:[0-9]+|[a-z0-9-]+(\.[a-z0-9-]+)+(:[0-9]+)?)$",
                    examples=["ghcr.io"],
                    json_schema_extra=form("a registry's host, such as ghcr.io, or * for every other one"),
                ),
            ],
            Annotated[
                str,
                Field(
                    pattern=r"^[a-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._-]+)*$",
                    examples=["europe-docker.pkg.dev/my-project/ghcr"],
                    json_schema_extra=form("a registry's host and a path, without https:// and without a tag"),
                ),
            ],
        ],
        Field(
            description="Mirror of each registry, by its host: images and charts keep their path behind it. `*` is for"
            " every other registry, and its host stands before the path.",
            examples=[{"ghcr.io": "europe-docker.pkg.dev/my-project/ghcr"}],
        ),
    ] = {}

    existing_secret: Annotated[
        SecretName | None, Field(description="Name of a kubernetes.io/dockerconfigjson Secret.")
    ] = None
    server: Annotated[
        str | None, Field(description="Registry host, such as registry.redhat.io.", examples=["registry.redhat.io"])
    ] = None
    username: Annotated[str | None, Field(description="User of the registry.", examples=["my-robot"])] = None
    password: Annotated[
        SecretStr | None, Field(description="pulumi config set --path --secret llm-d:registry.password")
    ] = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        parts = (self.server, self.username, self.password)
        if self.existing_secret is not None and any(parts):
            raise refusal(
                "LLMD-REGISTRY-ONE-WAY",
                "existingSecret names a Secret, and server, username and password make one: pods use one of them",
                "keep existingSecret, or keep server, username and password",
            )
        if any(parts) and not all(parts):
            missing = [n for n in ("server", "username", "password") if getattr(self, n) is None]
            verb = "is" if len(missing) == 1 else "are"
            raise refusal(
                "LLMD-REGISTRY-PARTS",
                f"a pull secret is made of server, username and password, and {' and '.join(missing)} {verb} missing",
                "set all three, or existingSecret instead",
            )
        return self
