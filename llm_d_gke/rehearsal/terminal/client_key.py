"""The credentials that commands of a rehearsal send: an API key of the stack's Secret, or a token of the local key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from llm_d_gke.planning.plan.stack import StackPlan
from llm_d_gke.rehearsal.kube import Manifest
from llm_d_gke.rehearsal.load_balancer.gateway_filters import STAND_IN_KEY
from llm_d_gke.rehearsal.load_balancer.tokens import signed_token
from llm_d_gke.rehearsal.node_agent.environment import data_of

# (api version, kind, name, namespace) -> object, None when there is none
FindObject = Callable[[str, str, str, str], Manifest | None]


def client_headers(plan: StackPlan, find: FindObject, token_keys: Path) -> dict[str, str]:
    """Headers with the first key of the stack's Secret or with a token, empty where the Gateway asks for neither.

    `token_keys` is the folder of the key that signs tokens.
    """
    jwt = plan.gateway.edge.jwt
    if jwt is not None:
        claims = {"iss": jwt.issuer, "aud": jwt.audiences[0], "sub": "rehearsal"}
        return {"authorization": f"Bearer {signed_token(token_keys, claims)}"}
    keys = api_keys(plan, find)
    return {"x-api-key": next(iter(keys))} if keys else {}


def api_keys(plan: StackPlan, find: FindObject) -> Mapping[str, str]:
    """Names by key, in the order of the Secret."""
    key_source = plan.gateway.edge.api_keys
    if key_source is not None and key_source.secret_manager is not None:
        return {STAND_IN_KEY: "rehearsal"}
    secret = None if key_source is None else find("v1", "Secret", key_source.secret, plan.namespace.name)
    return {} if key_source is None or secret is None else names_by_key(secret, key_source.entry)


def names_by_key(secret: Manifest, entry: str) -> dict[str, str]:
    """Names by key in one entry of a Secret, where each line is a name and its key."""
    lines = data_of(secret).get(entry, b"").decode().splitlines()
    return {key: name for name, _, key in (line.partition(" ") for line in lines) if key}
