"""The data of Secrets.

A Secret takes `data`, in base64, and not `stringData`: the Kubernetes provider rewrites `stringData` into `data` as
soon as it can reach the cluster. The preview of a new stack has no cluster yet, so its update plan would hold
`stringData`, and Pulumi (3.272.0) would refuse the update that follows.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping

import pulumi


def secret_data(values: Mapping[str, pulumi.Output[str]]) -> dict[str, pulumi.Output[str]]:
    """Texts by key as a Secret holds them. They stay secret."""
    return {key: value.apply(lambda text: base64.b64encode(text.encode()).decode()) for key, value in values.items()}
