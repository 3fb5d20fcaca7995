"""Retries the creation of custom resources while their controller's webhooks do not listen yet."""

from __future__ import annotations

import asyncio

import pulumi

# A Helm release is complete when its pods are ready, which can be before their webhooks have a certificate
# (kubernetes-sigs/lws v0.9.0, cmd/main.go: the readiness check only pings). A kubelet takes up to two minutes to mount
# a new Secret.
_PAUSE_SECONDS = 3.0
_MAX_ATTEMPTS = 60

# The API server's message for a webhook that it cannot reach, as opposed to one that denies.
_UNREACHABLE = "failed calling webhook"


async def _should_retry(args: pulumi.ErrorHookArgs) -> bool:
    """Retry while the webhook cannot be reached, for at most three minutes."""
    # The newest error comes first.
    if not args.errors or _UNREACHABLE not in args.errors[0] or len(args.errors) > _MAX_ATTEMPTS:
        return False
    await asyncio.sleep(_PAUSE_SECONDS)
    return True


def retry_until_webhooks_ready(name: str, opts: pulumi.ResourceOptions) -> pulumi.ResourceOptions:
    """Options of the custom resource `name` that retry its creation until its controller's webhooks listen."""
    hook = pulumi.ErrorHook(f"webhooks-of-{name}", _should_retry)
    return pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(hooks=pulumi.ResourceHookBinding(on_error=[hook])))
