"""Certificates by cert-manager, and the issuer of self-signed ones."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_kubernetes as kubernetes

from llm_d_gke.components.custom_resources.base import custom_resource
from llm_d_gke.components.custom_resources.cert_manager import CertificateSpec, IssuerRef, IssuerSpec, Subject
from llm_d_gke.components.instance import Component
from llm_d_gke.components.metadata import metadata, wait_for
from llm_d_gke.components.platform.webhooks import retry_until_webhooks_ready
from llm_d_gke.components.scope import ClusterScope
from llm_d_gke.planning.plan.platform import CertificatePlan

# An ACME certificate takes minutes. Without its issuer a certificate waits until the issuer exists.
_TIMEOUTS = pulumi.CustomTimeouts(create="15m", update="15m")
_READY = wait_for("condition=Ready")


class Certificate(Component):
    """A certificate. `signed` completes when the Secret with the certificate exists.

    `issuers` holds the issuers created so far by name, which the certificates of a namespace share.
    """

    signed: kubernetes.apiextensions.CustomResource

    def __init__(
        self,
        plan: CertificatePlan,
        issuers: dict[str, pulumi.Resource],
        scope: ClusterScope,
        depends_on: Sequence[pulumi.Resource],
    ) -> None:
        super().__init__("llm-d:platform:Certificate", plan.name, scope.opts)
        depends_on = list(depends_on)
        if plan.issuer.create:
            name = plan.issuer.name
            if name not in issuers:
                issuers[name] = custom_resource(
                    name,
                    IssuerSpec(),
                    metadata=metadata(name, scope.namespace, annotations=_READY),
                    opts=retry_until_webhooks_ready(name, scope.deleted_with_cluster(self, depends_on)),
                )
            depends_on.append(issuers[name])
        self.signed = custom_resource(
            plan.name,
            CertificateSpec(
                secret_name=plan.secret,
                dns_names=list(plan.dns_names),
                subject=Subject() if plan.issuer.create else None,
                issuer_ref=IssuerRef(kind=plan.issuer.kind, name=plan.issuer.name),
            ),
            metadata=metadata(plan.name, scope.namespace, annotations=_READY),
            opts=retry_until_webhooks_ready(plan.name, scope.deleted_with_cluster(self, depends_on, _TIMEOUTS)),
        )
        self.register_outputs({})
