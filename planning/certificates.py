"""Certificates that cert-manager signs."""

from __future__ import annotations

from planning.plan import CertificatePlan, IssuerPlan
from planning.site import Site
from settings.gateway import CertManagerTls

LISTENER = "inference-gateway-tls"
SELF_SIGNED = "self-signed"


def plan_listener_certificate(site: Site, asked: CertManagerTls) -> CertificatePlan:
    """The Gateway's own: of the names asked for, else of its host name."""
    hostname = site.settings.gateway.hostname
    dns_names = asked.dns_names or ((hostname,) if hostname else ())
    _check_names(site, dns_names, hostname)
    _check_issuer(site, asked)
    return CertificatePlan(name=LISTENER, secret=LISTENER, dns_names=dns_names, issuer=_issuer(asked))


def _issuer(asked: CertManagerTls) -> IssuerPlan:
    if asked.issuer is None:
        return IssuerPlan(name=SELF_SIGNED, kind="Issuer", create=True)
    return IssuerPlan(name=asked.issuer.name, kind=asked.issuer.kind, create=False)


def _check_names(site: Site, dns_names: tuple[str, ...], hostname: str | None) -> None:
    if not dns_names:
        site.findings.error(
            "gateway",
            "hostname",
            value="null",
            rule="a certificate is for a name, and this one has none",
            fix="set the host name that clients use, or gateway.tls.dnsNames",
        )
    elif hostname is not None and not any(covers(name, hostname) for name in dns_names):
        site.findings.error(
            "gateway",
            "tls",
            "dnsNames",
            value=", ".join(dns_names),
            rule=f"the Gateway answers to {hostname} only, which is not among the certificate's names",
            fix=f"add {hostname}, or remove dnsNames",
        )


def covers(name: str, host: str) -> bool:
    """Whether a certificate for `name` is one for `host`: a wildcard stands for one label (RFC 9525)."""
    return name == host or (name.startswith("*.") and host.partition(".")[2] == name[2:])


def _check_issuer(site: Site, asked: CertManagerTls) -> None:
    if asked.issuer is None:
        site.findings.warning(
            "gateway",
            "tls",
            "issuer",
            value="null",
            rule="the certificate signs itself: no client trusts it unasked",
            fix="name an issuer of the cluster, or keep it for trials",
        )
    elif not site.settings.platform.cert_manager.existing:
        site.findings.warning(
            "gateway",
            "tls",
            "issuer",
            value=asked.issuer.name,
            rule="this stack installs cert-manager and no issuer: the Gateway waits until this one is there",
            fix="create the issuer once cert-manager runs, or leave issuer out for the first `pulumi up`",
        )
