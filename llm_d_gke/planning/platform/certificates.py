"""Certificates that cert-manager signs."""

from __future__ import annotations

from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.plan.platform import CertificatePlan, IssuerPlan
from llm_d_gke.settings.gateway import CertManagerTls, IssuerSettings

LISTENER = "inference-gateway-tls"
SELF_SIGNED = "self-signed"


def plan_listener_certificate(ctx: PlanContext, tls: CertManagerTls) -> CertificatePlan:
    """The certificate of the Gateway, for the configured names, or else for its host name."""
    hostname = ctx.settings.gateway.hostname
    dns_names = tls.dns_names or ((hostname,) if hostname else ())
    _check_names(ctx, dns_names, hostname)
    if tls.issuer is not None:
        check_issuer(ctx, tls.issuer, "tls")
    else:
        ctx.warning("LLMD-TLS-SELF-SIGNED", "gateway.tls.issuer", value="(missing)")
    return CertificatePlan(name=LISTENER, secret=LISTENER, dns_names=dns_names, issuer=issuer_of(tls.issuer))


def issuer_of(issuer: IssuerSettings | None) -> IssuerPlan:
    """The existing issuer, or the self-signing one of the stack."""
    if issuer is None:
        return IssuerPlan(name=SELF_SIGNED, kind="Issuer", create=True)
    return IssuerPlan(name=issuer.name, kind=issuer.kind, create=False)


def _check_names(ctx: PlanContext, dns_names: tuple[str, ...], hostname: str | None) -> None:
    if not dns_names:
        ctx.error("LLMD-TLS-NO-NAME", "gateway.hostname", value="(missing)")
    elif hostname is not None and not any(covers(name, hostname) for name in dns_names):
        ctx.error("LLMD-TLS-HOSTNAME", "gateway.tls.dnsNames", value=", ".join(dns_names), hostname=hostname)


def covers(name: str, host: str) -> bool:
    """Whether a certificate for `name` covers `host`: a wildcard matches one label (RFC 9525)."""
    return name == host or (name.startswith("*.") and host.partition(".")[2] == name[2:])


def check_issuer(ctx: PlanContext, issuer: IssuerSettings, key: str) -> None:
    """An issuer that cannot be there yet. `key` is the setting below gateway that names it."""
    if not ctx.settings.platform.cert_manager.existing:
        ctx.warning("LLMD-TLS-ISSUER-LATER", "gateway", key, "issuer", value=issuer.name)
