"""The image pull Secret of a private registry."""

from __future__ import annotations

import base64
import json

import pulumi
import pulumi_kubernetes as kubernetes
from pydantic import SecretStr

from llm_d_gke.components.instance import instance_of, named
from llm_d_gke.components.metadata import metadata
from llm_d_gke.components.secret_data import secret_data
from llm_d_gke.planning.plan.platform import PullSecretPlan


def pull_secret(
    logical_name: str, plan: PullSecretPlan, namespace: str, opts: pulumi.ResourceOptions
) -> kubernetes.core.v1.Secret:
    """Create the image pull Secret in one namespace, because pods can only use Secrets of their namespace."""
    password = instance_of(opts).secret(plan.password or SecretStr(""))
    return kubernetes.core.v1.Secret(
        named(logical_name, opts),
        metadata=metadata(plan.name, namespace),
        type="kubernetes.io/dockerconfigjson",
        data=secret_data({".dockerconfigjson": password.apply(lambda text: _docker_config(plan, text))}),
        opts=opts,
    )


def _docker_config(plan: PullSecretPlan, password: str) -> str:
    auth = base64.b64encode(f"{plan.username}:{password}".encode()).decode()
    entry = {"username": plan.username, "password": password, "auth": auth}
    return json.dumps({"auths": {plan.server: entry}})
