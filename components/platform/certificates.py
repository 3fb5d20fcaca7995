"""Certificates that cert-manager signs, and the issuer of those that sign themselves."""

from __future__ import annotations

import pulumi
import pulumi_kubernetes as kubernetes

from components.custom_resources.base import custom_resource
from components.custom_resources.cert_manager import CertificateSpec, IssuerRef, IssuerSpec, Subject
from components.options import child
from components.platform.webhooks import until_webhooks_answer
from planning.plan.platform import CertificatePlan

# With ACME a certificate takes minutes; one whose issuer is missing waits until somebody makes it.
_TIMEOUTS = pulumi.CustomTimeouts(create="15m", update="15m")
_READY = {"pulumi.com/waitFor": "condition=Ready"}


class Certificate(pulumi.ComponentResource):
    """One certificate. `signed` is there when its Secret is.

    `issuers` are those made so far, by name: certificates of one namespace share theirs.
    """

    signed: kubernetes.apiextensions.CustomResource

    def __init__(
        self,
        plan: CertificatePlan,
        namespace: str,
        issuers: dict[str, pulumi.Resource],
        after: list[pulumi.Resource],
        deleted_with: pulumi.Resource | None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("llm-d:platform:Certificate", plan.name, None, opts)
        before = list(after)
        if plan.issuer.create:
            name = plan.issuer.name
            if name not in issuers:
                issuers[name] = custom_resource(
                    name,
                    IssuerSpec(),
                    name=name,
                    namespace=namespace,
                    annotations=_READY,
                    opts=until_webhooks_answer(name, child(self, depends_on=after, deleted_with=deleted_with)),
                )
            before.append(issuers[name])
        self.signed = custom_resource(
            plan.name,
            CertificateSpec(
                secret_name=plan.secret,
                dns_names=list(plan.dns_names),
                subject=Subject() if plan.issuer.create else None,
                issuer_ref=IssuerRef(kind=plan.issuer.kind, name=plan.issuer.name),
            ),
            name=plan.name,
            namespace=namespace,
            annotations=_READY,
            opts=until_webhooks_answer(
                plan.name, child(self, depends_on=before, deleted_with=deleted_with, timeouts=_TIMEOUTS)
            ),
        )
        self.register_outputs({})
