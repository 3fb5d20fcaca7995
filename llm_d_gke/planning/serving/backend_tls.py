"""HTTPS between Gateway and model servers: the one switch, and all that follows from it.

An InferencePool cannot say that its servers want HTTPS: its appProtocol is http or kubernetes.io/h2c, and a picker
answers with an address without a scheme (kubernetes-sigs/gateway-api-inference-extension v1.5.0,
api/v1/inferencepool_types.go; #1556, open). Istio opens TLS anyway, where a DestinationRule requires it for the
Service that it makes of the pool (istio/istio 1.27.3 to 1.29.2, inferencepool_collection.go in
pilot/pkg/config/kube/gateway, and pilot/pkg/networking/core/cluster_tls.go); OpenDataHub's KServe relies on it
(opendatahub-io/kserve, llmisvc/router_platform_networking_odh.go).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.patterns import pattern_of
from llm_d_gke.planning.plan.platform import CertificatePlan
from llm_d_gke.planning.plan.pods import VolumePlan
from llm_d_gke.planning.plan.routing import BackendTlsPlan
from llm_d_gke.planning.platform.certificates import check_issuer, issuer_of
from llm_d_gke.planning.served_model import ServedModel
from llm_d_gke.settings.gateway import CertManagerBackend

# Not that of KServe's presets: its own switch, enableLLMInferenceServiceTLS, is one for all services of the controller,
# came with v0.19, has no value in the charts, and moves neither monitoring nor DestinationRule.
DIRECTORY = "/var/run/secrets/model-server-tls"
_VOLUME = "server-certificate"

_LONGEST = 63

# Either of them makes vLLM's server, uvicorn, answer in HTTPS and no longer in HTTP.
_HTTPS = ("--ssl-keyfile", "--ssl-certfile")


def encrypted(ctx: PlanContext) -> bool:
    """Whether model servers use HTTPS."""
    return ctx.settings.gateway.backend_tls.kind != "none"


def istio_pool_service_name(pool: str) -> str:
    """Name of the headless Service that Istio makes of an InferencePool (`InferencePoolServiceName`)."""
    mark = f"-ip-{hashlib.sha256(pool.encode()).hexdigest()[:8]}"
    return pool[: _LONGEST - len(mark)] + mark


def plan_backend_tls(ctx: PlanContext, key: str, pool: str) -> BackendTlsPlan | None:
    """TLS between the Gateway and the servers of one model, whose pool is called `pool`.

    Of the authority's Secret, which is beside the Gateway, Istio's Envoys get ca.crt only (`isCAOnlySecret`,
    istio/istio pilot/pkg/xds/sds.go). A certificate that signs itself is its own authority: in the minute in which
    Gateway and engines learn of a renewed one at different times, none of them would be trusted.
    """
    tls = ctx.settings.gateway.backend_tls
    if not isinstance(tls, CertManagerBackend):
        return None
    service = istio_pool_service_name(pool)
    return BackendTlsPlan(
        service=service,
        host=f"{service}.{ctx.namespace}.svc.cluster.local",
        authority=_certificate(key) if tls.issuer is not None else None,
    )


def plan_server_certificate(ctx: PlanContext, key: str, tls: BackendTlsPlan | None) -> CertificatePlan | None:
    """The certificate of one model's servers. `tls` is the connection to their pool."""
    backend_tls = ctx.settings.gateway.backend_tls
    if tls is None or not isinstance(backend_tls, CertManagerBackend):
        return None
    return CertificatePlan(
        name=_certificate(key), secret=_certificate(key), dns_names=(tls.host,), issuer=issuer_of(backend_tls.issuer)
    )


@dataclass(frozen=True, kw_only=True)
class ServerTls:
    """The additions of encryption to a model server. The default is a server without it."""

    protocol: Literal["http", "https"] = "http"
    scheme: Literal["HTTP", "HTTPS"] = "HTTP"
    args: tuple[str, ...] = ()
    volumes: tuple[VolumePlan, ...] = ()


def server_tls(ctx: PlanContext, key: str) -> ServerTls:
    """Arguments, volume and scheme of one model's servers."""
    if not encrypted(ctx):
        return ServerTls()
    source = {"secretName": _certificate(key), "defaultMode": 0o440}
    return ServerTls(
        protocol="https",
        scheme="HTTPS",
        args=(
            *("--ssl-certfile", f"{DIRECTORY}/tls.crt"),
            *("--ssl-keyfile", f"{DIRECTORY}/tls.key"),
            # Without it the engine would keep a certificate until it restarts, even after renewal.
            "--enable-ssl-refresh",
        ),
        volumes=(VolumePlan(name=_VOLUME, kind="secret", source=source, mount_path=DIRECTORY, read_only=True),),
    )


def check_backend_tls(ctx: PlanContext) -> None:
    """Check that everything that connects to the model servers can use HTTPS."""
    tls = ctx.settings.gateway.backend_tls
    if not isinstance(tls, CertManagerBackend):
        return
    path = ("gateway", "backendTls", "kind")
    if ctx.settings.gateway.implementation != "istio":
        ctx.error("LLMD-BACKEND-TLS-GKE", *path)
    if pattern_of(ctx.settings).transfers_kv_cache:
        ctx.error("LLMD-BACKEND-TLS-PD", *path)
    if ctx.settings.picker.prefix_routing == "precise":
        ctx.error("LLMD-BACKEND-TLS-PRECISE-ROUTING", *path)
    if tls.issuer is not None:
        check_issuer(ctx, tls.issuer, "backendTls")


def check_engine_arguments(served: ServedModel) -> None:
    """HTTPS of engines concerns all their clients, and only `gateway.backendTls` changes all of them."""
    arguments = served.settings.extra_args
    positions = [n for n, text in enumerate(arguments) if text.partition("=")[0].replace("_", "-") in _HTTPS]
    if positions:
        served.error("LLMD-ENGINE-TLS-ARGS", "extraArgs", positions[0])


def _certificate(key: str) -> str:
    return f"{key}-server-tls"
