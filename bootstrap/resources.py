"""State bucket, key, federation with GitHub, and an account for each kind of workflow.

No account has a key. GitHub signs a token for each job; the provider accepts those of one repository, and each account
those of one kind of job: the subject names the environment, the pull request or the branch.
Source: docs.github.com/en/actions/reference/security/oidc ("Example subject claims"),
cloud.google.com/iam/docs/workload-identity-federation-with-deployment-pipelines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_gcp as gcp

from bootstrap.settings import BootstrapSettings
from llm_d_gke.planning.infrastructure.cluster import NODE_ROLES
from llm_d_gke.planning.serving.autoscaling import METRICS_ROLE

APIS = (
    "cloudkms.googleapis.com",
    "cloudresourcemanager.googleapis.com",
    "iam.googleapis.com",
    "iamcredentials.googleapis.com",
    "serviceusage.googleapis.com",
    "storage.googleapis.com",
    "sts.googleapis.com",
)
_ISSUER = "https://token.actions.githubusercontent.com"

# Of the account that runs `pulumi up` and `destroy`; llm_d_gke/operations/preflight names the same.
DEPLOY_ROLES = (
    "roles/compute.networkAdmin",
    "roles/container.admin",
    # Not serviceAccountAdmin, which may let itself use any account's rights.
    "roles/iam.serviceAccountCreator",
    "roles/iam.serviceAccountDeleter",
    "roles/iam.serviceAccountUser",
    "roles/serviceusage.serviceUsageAdmin",
)
# It may grant those of nodes and of the autoscaler, and no other.
GRANTED_ROLES = (*NODE_ROLES, METRICS_ROLE)
GRANTS = "roles/resourcemanager.projectIamAdmin"
READ_ROLES = (
    "roles/compute.viewer",
    "roles/container.viewer",
    "roles/iam.securityReviewer",
    "roles/serviceusage.serviceUsageViewer",
)
_DECRYPT = "roles/cloudkms.cryptoKeyDecrypter"
_ENCRYPT = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
# The environment of .github/workflows/review.yml, the only one whose jobs run at a pull request's commit.
_REVIEW = "review"
_READ_STATE, _WRITE_STATE = "roles/storage.objectViewer", "roles/storage.objectUser"
# 90 days in seconds. Old versions of the key still decrypt.
_ROTATION = f"{90 * 24 * 3600}s"


class Bootstrap(pulumi.ComponentResource):
    """Everything. `variables` are those of the GitHub repository, by name."""

    variables: Mapping[str, pulumi.Output[str]]

    def __init__(self, settings: BootstrapSettings) -> None:
        super().__init__("llm-d:bootstrap:Bootstrap", "bootstrap", None)
        self._settings = settings
        provider = gcp.Provider("gcp", project=settings.project, opts=pulumi.ResourceOptions(parent=self))
        base = pulumi.ResourceOptions(parent=self, providers=[provider])
        apis = [gcp.projects.Service(api, service=api, disable_on_destroy=False, opts=base) for api in APIS]
        self._opts = pulumi.ResourceOptions.merge(base, pulumi.ResourceOptions(depends_on=apis))
        self._bucket, self._key = self._state(), self._encryption()
        self._pool, federation = self._federation()
        deploy = self._account(
            "deploy",
            "pulumi up and destroy",
            [self._in_environment(environment) for environment in settings.environments],
            DEPLOY_ROLES,
            state=_WRITE_STATE,
            key=_ENCRYPT,
        )
        self._may_grant_roles_of_stacks(deploy)
        drift = self._account(
            "drift",
            "looks for drift of the main branch's stacks",
            [self._subject(f"ref:refs/heads/{settings.branch}")],
            READ_ROLES,
            state=_WRITE_STATE,
            key=_DECRYPT,
        )
        preview = self._account(
            "preview",
            "previews pull requests",
            [self._subject("pull_request")],
            READ_ROLES,
            state=_READ_STATE,
            key=_DECRYPT if settings.preview_decrypts else None,
        )
        self.variables = {
            "GCP_WORKLOAD_IDENTITY_PROVIDER": federation.name,
            "GCP_DEPLOY_SERVICE_ACCOUNT": deploy.email,
            "GCP_DRIFT_SERVICE_ACCOUNT": drift.email,
            "GCP_PREVIEW_SERVICE_ACCOUNT": preview.email,
            "PULUMI_STATE_URL": pulumi.Output.concat("gs://", self._bucket.name),
            "PULUMI_SECRETS_PROVIDER": pulumi.Output.concat("gcpkms://", self._key.id),
        }
        self.register_outputs(dict(self.variables))

    def _state(self) -> gcp.storage.Bucket:
        """The bucket of states: private, with earlier versions, and not removed with this program."""
        return gcp.storage.Bucket(
            "state",
            name=f"{self._settings.project}-llm-d-state",
            location=self._settings.location,
            uniform_bucket_level_access=True,
            public_access_prevention="enforced",
            versioning=gcp.storage.BucketVersioningArgs(enabled=True),
            lifecycle_rules=[
                gcp.storage.BucketLifecycleRuleArgs(
                    action=gcp.storage.BucketLifecycleRuleActionArgs(type="Delete"),
                    condition=gcp.storage.BucketLifecycleRuleConditionArgs(
                        num_newer_versions=20, days_since_noncurrent_time=90
                    ),
                )
            ],
            opts=pulumi.ResourceOptions.merge(self._opts, pulumi.ResourceOptions(protect=True)),
        )

    def _encryption(self) -> gcp.kms.CryptoKey:
        """The key that encrypts secrets in stack files and states. Without it they are lost, so it is protected."""
        ring = gcp.kms.KeyRing("key-ring", name="llm-d", location=self._settings.location, opts=self._opts)
        return gcp.kms.CryptoKey(
            "key",
            name="pulumi",
            key_ring=ring.id,
            purpose="ENCRYPT_DECRYPT",
            rotation_period=_ROTATION,
            opts=pulumi.ResourceOptions.merge(self._opts, pulumi.ResourceOptions(protect=True)),
        )

    def _federation(self) -> tuple[gcp.iam.WorkloadIdentityPool, gcp.iam.WorkloadIdentityPoolProvider]:
        settings = self._settings
        pool = gcp.iam.WorkloadIdentityPool(
            "pool", workload_identity_pool_id="github", display_name="GitHub", opts=self._opts
        )
        # An account that may push a branch may name any environment in a workflow there.
        others = [self._subject("pull_request")]
        if _REVIEW in settings.environments:
            others.append(self._in_environment(_REVIEW))
        conditions = (
            f"assertion.repository == '{settings.repository}'",
            f"assertion.repository_id == '{settings.repository_id}'",
            f"(assertion.ref == 'refs/heads/{settings.branch}' || assertion.sub in {others})",
        )
        provider = gcp.iam.WorkloadIdentityPoolProvider(
            "provider",
            workload_identity_pool_id=pool.workload_identity_pool_id,
            workload_identity_pool_provider_id="github",
            attribute_mapping={"google.subject": "assertion.sub", "attribute.repository": "assertion.repository"},
            attribute_condition=" && ".join(conditions),
            oidc=gcp.iam.WorkloadIdentityPoolProviderOidcArgs(issuer_uri=_ISSUER),
            opts=self._opts,
        )
        return pool, provider

    def _subject(self, job: str) -> str:
        """The subject of GitHub's tokens for one kind of job."""
        return f"repo:{self._settings.repository}:{job}"

    def _in_environment(self, environment: str) -> str:
        return self._subject(f"environment:{environment}")

    def _account(
        self, name: str, purpose: str, subjects: Sequence[str], roles: Sequence[str], *, state: str, key: str | None
    ) -> gcp.serviceaccount.Account:
        """An account, the jobs that may be it, and its roles: of the project, of the state bucket and of the key."""
        account = gcp.serviceaccount.Account(
            name, account_id=f"llm-d-{name}", display_name=f"llm-d: {purpose}", opts=self._opts
        )
        member = account.email.apply(lambda email: f"serviceAccount:{email}")
        for number, subject in enumerate(subjects):
            gcp.serviceaccount.IAMMember(
                f"{name}-job-{number}",
                service_account_id=account.name,
                role="roles/iam.workloadIdentityUser",
                member=pulumi.Output.concat("principal://iam.googleapis.com/", self._pool.name, "/subject/", subject),
                opts=self._opts,
            )
        for role in roles:
            gcp.projects.IAMMember(
                f"{name}-{role.partition('/')[2]}",
                project=self._settings.project,
                role=role,
                member=member,
                opts=self._opts,
            )
        gcp.storage.BucketIAMMember(
            f"{name}-state", bucket=self._bucket.name, role=state, member=member, opts=self._opts
        )
        if key is not None:
            gcp.kms.CryptoKeyIAMMember(
                f"{name}-key", crypto_key_id=self._key.id, role=key, member=member, opts=self._opts
            )
        return account

    def _may_grant_roles_of_stacks(self, deploy: gcp.serviceaccount.Account) -> None:
        """The account that deploys may not make itself owner."""
        roles = ", ".join(f"'{role}'" for role in GRANTED_ROLES)
        gcp.projects.IAMMember(
            "deploy-grants",
            project=self._settings.project,
            role=GRANTS,
            member=deploy.email.apply(lambda email: f"serviceAccount:{email}"),
            condition=gcp.projects.IAMMemberConditionArgs(
                title="roles of nodes and autoscaler only",
                expression=f"api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', []).hasOnly([{roles}])",
            ),
            opts=self._opts,
        )
