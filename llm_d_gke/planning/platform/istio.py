"""Istio's control plane where an operator installs it, and the pods of a Gateway."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llm_d_gke.catalog.charts import load_charts
from llm_d_gke.catalog.release import IstioOperator
from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.image_names import has_mirror
from llm_d_gke.planning.plan.edge import ApiKeysPlan, EdgePlan
from llm_d_gke.planning.plan.platform import IstioPlan, PullSecretPlan
from llm_d_gke.planning.platform.images import RED_HAT
from llm_d_gke.settings.edge import LimitsSettings

ISTIO_NAMESPACE = "istio-system"

# The one control plane of a cluster; the operator gives its parts no suffix then.
_NAME = "default"

_SECCOMP: Mapping[str, Any] = {"seccompProfile": {"type": "RuntimeDefault"}}

# On by default. Set explicitly as in opendatahub-io/rhaii-on-xks, charts/sail-operator.
_GATEWAY_API: Mapping[str, str] = {
    "PILOT_ENABLE_GATEWAY_API": "true",
    "PILOT_ENABLE_GATEWAY_API_DEPLOYMENT_CONTROLLER": "true",
    "PILOT_ENABLE_GATEWAY_API_STATUS": "true",
}

# The Envoys of a Gateway run in the stack's namespace, with its pod security level. The level is set by the
# Gateway itself: the Istio kind of the operator has no field for it (v1.27.3, `spec.values`).
GATEWAY_PODS: Mapping[str, Any] = {"spec": {"template": {"spec": {"securityContext": _SECCOMP}}}}

# The CSI driver of GKE's Secret Manager add-on.
SECRET_MANAGER_DRIVER = "secrets-store-gke.csi.k8s.io"  # noqa: S105 - a driver's name

# A byte for each token of two minutes: more than the accelerators of a stack compute.
_TOKENS_SIZE = "256Mi"

# The container of a Gateway's pod, as Istio's controller names it.
_PROXY = "istio-proxy"


def gateway_pods(edge: EdgePlan) -> Mapping[str, Any]:
    """Fields that Istio merges into the Deployment of a Gateway: its files of API keys, its folder to count tokens."""
    mounts, volumes = [], []
    if edge.api_keys is not None:
        mounts.append({"name": "api-keys", "mountPath": edge.api_keys.path.rpartition("/")[0], "readOnly": True})
        volumes.append({"name": "api-keys", **_volume(edge.api_keys)})
    if edge.tokens_directory is not None:
        mounts.append({"name": "tokens", "mountPath": edge.tokens_directory})
        volumes.append({"name": "tokens", "emptyDir": {"sizeLimit": _TOKENS_SIZE}})
    if not volumes:
        return GATEWAY_PODS
    containers = [{"name": _PROXY, "volumeMounts": mounts}]
    pod = {"securityContext": _SECCOMP, "containers": containers, "volumes": volumes}
    return {"spec": {"template": {"spec": pod}}}


def gateway_service(limits: LimitsSettings) -> Mapping[str, Any]:
    """Fields that Istio merges into the Service of a Gateway.

    Of requests that arrive at another node than the proxy's, a load balancer of GKE shows the node's address for the
    client's, and clients would share its limit. With Local it sends requests to nodes with a proxy only.
    """
    by_address = limits.requests_per_minute is not None and limits.per == "address"
    return {"spec": {"externalTrafficPolicy": "Local"}} if by_address else {}


def _volume(keys: ApiKeysPlan) -> Mapping[str, Any]:
    if keys.secret_manager is None:
        return {"secret": {"secretName": keys.secret}}
    attributes = {"secretProviderClass": keys.secret}
    return {"csi": {"driver": SECRET_MANAGER_DRIVER, "readOnly": True, "volumeAttributes": attributes}}


def istio_plan(release: IstioOperator, pull_secret: PullSecretPlan | None) -> IstioPlan:
    """The control plane of the Sail operator. Gateway pods use the pull secret of that name in their own namespace."""
    istiod = load_charts()["istiod"].values
    shared: dict[str, Any] = {"proxy": {"image": release.proxy}}
    if pull_secret is not None:
        shared["imagePullSecrets"] = [pull_secret.name]
    return IstioPlan(
        name=_NAME,
        namespace=ISTIO_NAMESPACE,
        version=release.version,
        values={
            "global": shared,
            "pilot": {
                "image": release.pilot,
                "resources": istiod["resources"],
                **_SECCOMP,
                "env": {**_GATEWAY_API, **istiod["env"]},
            },
            "sidecarInjectorWebhook": istiod["sidecarInjectorWebhook"],
        },
        pull_secret=pull_secret,
    )


def check_istio(ctx: PlanContext, *, kserve: bool, istio: bool, pull_secret: PullSecretPlan | None) -> None:
    """Check for Istio of a vendor: its images are not public, and its KServe supports no other Gateway."""
    release = ctx.release.charts.istio
    if not isinstance(release, IstioOperator) or ctx.settings.platform.istio.existing:
        return
    if kserve and not istio:
        ctx.warning("LLMD-ISTIO-SUPPORT", "gateway.implementation", release=ctx.settings.release)
    mirrors = ctx.settings.registry.mirrors
    private = [
        image
        for image in (release.pilot, release.proxy)
        if image.startswith(RED_HAT) and not has_mirror(image, mirrors)
    ]
    if istio and private and pull_secret is None:
        ctx.error(
            "LLMD-REGISTRY-ISTIO", "registry.server", image=private[0].partition("@")[0], release=ctx.settings.release
        )
    elif istio and private and pull_secret is not None and not pull_secret.create:
        ctx.error("LLMD-REGISTRY-ISTIO-SECRET", "registry.existingSecret", value=pull_secret.name)
