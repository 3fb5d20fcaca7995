"""Access to the models at the Gateway: authentication of clients, and limits."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, model_validator

from llm_d_gke.settings.base import Settings, form, listed_once, refusal
from llm_d_gke.settings.names import SecretManagerName, SecretName

HttpsUrl = Annotated[
    str,
    Field(
        pattern=r"^https://[^\s/]+(/\S*)?$",
        max_length=2048,
        examples=["https://accounts.example.com"],
        json_schema_extra=form("an address that begins with https://"),
    ),
]
ClientName = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
        max_length=63,
        examples=["search-team"],
        json_schema_extra=form("a client's name: lower-case letters, digits, dashes and dots"),
    ),
]
ApiKeys = dict[ClientName, SecretStr]
Priorities = dict[ClientName, Annotated[int, Field(ge=-1_000_000, le=1_000_000, examples=[10])]]


class NoAuth(Settings):
    """Clients are not authenticated."""

    kind: Literal["none"] = "none"


class ApiKeysAuth(Settings):
    """A key in `Authorization: Bearer` or `x-api-key`: 401 without one, 403 with a wrong one. implementation: istio.

    Keys are those of `llm-d:apiKeys`, of a Secret that others fill, or of a secret of Secret Manager.
    """

    kind: Literal["api-keys"]
    existing_secret: Annotated[
        SecretName | None,
        Field(
            description="Secret of the stack's namespace whose entry `api-keys` has a line for each key: the client's"
            " name, a blank, the key."
        ),
    ] = None
    secret_manager_secret: Annotated[
        SecretManagerName | None,
        Field(
            description="Secret of Secret Manager in the stack's project whose latest version has such lines; mounted"
            " as a file, never stored in Kubernetes or in the state."
        ),
    ] = None

    @property
    def keys_in_stack_file(self) -> bool:
        """Whether the keys are in the stack file, in place of a Secret."""
        return self.existing_secret is None and self.secret_manager_secret is None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.existing_secret is not None and self.secret_manager_secret is not None:
            raise refusal(
                "LLMD-API-KEYS-ONE-WAY",
                "existingSecret and secretManagerSecret are set, but the Gateway reads one file of keys",
                "keep one of them",
            )
        return self


class IapAuth(Settings):
    """Identity-Aware Proxy: Google accounts with the role IAP-secured Web App User. implementation: gke, HTTPS."""

    kind: Literal["iap"]
    client_id: Annotated[
        str,
        Field(
            min_length=1,
            max_length=253,
            description="Id of the OAuth client.",
            examples=["123456789-abc.apps.googleusercontent.com"],
        ),
    ]
    existing_secret: Annotated[
        SecretName,
        Field(description="Secret of the stack's namespace with the OAuth client's secret in its entry `key`."),
    ]


class JwtAuth(Settings):
    """Tokens (JWT) of an OpenID Connect provider. implementation: istio."""

    kind: Literal["jwt"]
    issuer: Annotated[HttpsUrl, Field(description="Issuer, as the tokens' claim `iss` has it.")]
    jwks_uri: Annotated[
        HttpsUrl,
        Field(
            description="Address of the issuer's public keys: `jwks_uri` of its /.well-known/openid-configuration.",
            examples=["https://accounts.example.com/jwks.json"],
        ),
    ]
    audiences: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=253)], ...],
        listed_once(),
        Field(
            min_length=1,
            max_length=16,
            description="Accepted values of the tokens' claim `aud`.",
            examples=[["llm-clients"]],
        ),
    ]

    @model_validator(mode="after")
    def _names_keys(self) -> Self:
        if self.jwks_uri.rstrip("/") == self.issuer.rstrip("/"):
            raise refusal(
                "LLMD-JWKS-DISCOVERY",
                f"jwksUri is {self.jwks_uri}, the issuer itself, and has no keys",
                f"open {self.issuer.rstrip('/')}/.well-known/openid-configuration, and use the address that it has as"
                " jwks_uri",
            )
        if "/.well-known/openid-" in self.jwks_uri or "/.well-known/oauth-" in self.jwks_uri:
            raise refusal(
                "LLMD-JWKS-DISCOVERY",
                f"jwksUri is {self.jwks_uri}, the provider's description of itself, and has no keys",
                "open it, and use the address that it has as jwks_uri",
            )
        return self


Auth = Annotated[NoAuth | ApiKeysAuth | IapAuth | JwtAuth, Field(discriminator="kind")]


class LimitsSettings(Settings):
    """Limits per client. A limit without a value does not apply."""

    requests_per_minute: Annotated[
        int | None,
        Field(
            ge=1,
            le=1_000_000,
            description="Requests of one client in a minute; more get 429. Google's load balancers count for all of"
            " their proxies, Istio's Envoys each for itself.",
        ),
    ] = None
    tokens_per_minute: Annotated[
        int | None,
        Field(
            ge=1,
            le=10_000_000,
            description="Tokens of one client in a minute, prompts and answers; when they are spent, its next requests"
            " get 429. Each of Istio's Envoys counts for itself. implementation: istio, with per: key.",
        ),
    ] = None
    per: Annotated[
        Literal["address", "key"],
        Field(description="One client is one source address, or the owner of an API key (auth: api-keys)."),
    ] = "address"
    body_bytes: Annotated[
        int | None,
        Field(
            ge=1024,
            le=1_073_741_824,
            description="Longest body of a request in bytes; a longer one gets 413. implementation: istio.",
        ),
    ] = None

    @property
    def any(self) -> bool:
        """Whether there is a limit at all."""
        return any(limit is not None for limit in (self.requests_per_minute, self.tokens_per_minute, self.body_bytes))


def _version(value: object) -> object:
    # YAML reads 1.2 without quotes as a number.
    return str(value) if isinstance(value, float) else value


TlsVersion = Annotated[Literal["1.2", "1.3"], BeforeValidator(_version)]
