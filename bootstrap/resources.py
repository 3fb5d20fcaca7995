"""State bucket, key, federation with GitHub, and an account for each kind of workflow.

No account has a key. GitHub signs a token for each job; the provider accepts those of one repository, and each account
those of one kind of job: the subject names the environment, the pull request or the branch.
Source: docs.github.com/en/actions/reference/security/oidc ("Example subject claims"),
cloud.google.com/iam/docs/workload-identity-federation-with-deployment-pipelines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

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
    # Cloud Armor's policies, of gateway.limits on Google's load balancers.
    "roles/compute.securityAdmin",
    "roles/container.admin",
    "roles/monitoring.alertPolicyEditor",
    "roles/monitoring.dashboardEditor",
    "roles/serviceusage.serviceUsageAdmin",
)
_USE_ACCOUNT = "roles/iam.serviceAccountUser"
# With `stackAccounts`, too: stacks create the account of their nodes and start nodes with it. No condition limits the
# last role to these accounts.
STACK_ACCOUNT_ROLES = (
    # Not serviceAccountAdmin, which may let itself use any account's rights.
    "roles/iam.serviceAccountCreator",
    "roles/iam.serviceAccountDeleter",
    _USE_ACCOUNT,
)
# It may grant the autoscaler's role, with `stackAccounts` those of nodes, and no other.
GRANTED_ROLES = (METRICS_ROLE,)
GRANTS = "roles/resourcemanager.projectIamAdmin"
READ_ROLES = (
    "roles/compute.viewer",
    "roles/container.viewer",
    "roles/iam.securityReviewer",
    "roles/monitoring.viewer",
    "roles/serviceusage.serviceUsageViewer",
)
_DECRYPT = "roles/cloudkms.cryptoKeyDecrypter"
_ENCRYPT = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
# The environment of .github/workflows/review.yml, the only one whose jobs run at a pull request's commit.
_REVIEW = "review"
_READ_STATE, _WRITE_STATE = "roles/storage.objectViewer", "roles/storage.objectUser"
# 90 days in seconds. Old versions of the key still decrypt.
_ROTATION = f"{90 * 24 * 3600}s"
_LOG_DAYS = 400


class Bootstrap(pulumi.ComponentResource):
    """Everything. `variables` are those of the GitHub repository, by name."""

    variables: Mapping[str, pulumi.Output[str]]
    node_account: pulumi.Output[str] | None

    def __init__(self, settings: BootstrapSettings) -> None:
        super().__init__("llm-d:bootstrap:Bootstrap", "bootstrap", None)
        self._settings = settings
        provider = gcp.Provider("gcp", project=settings.project, opts=pulumi.ResourceOptions(parent=self))
        base = pulumi.ResourceOptions(parent=self, providers=[provider])
        apis = [gcp.projects.Service(api, service=api, disable_on_destroy=False, opts=base) for api in APIS]
        self._opts = pulumi.ResourceOptions.merge(base, pulumi.ResourceOptions(depends_on=apis))
        self._ring = gcp.kms.KeyRing("key-ring", name="llm-d", location=settings.location, opts=self._opts)
        # Encrypts secrets in stack files and states. Without it they are lost.
        self._key = self._protected_key("key", "pulumi")
        self._bucket = self._state(self._access_logs() if settings.access_logs else None)
        self._uses_of_keys_are_logged()
        self._pool, federation = self._federation()
        deploy = self._account(
            "deploy",
            "pulumi up and destroy",
            self._subjects(*(f"environment:{environment}" for environment in settings.environments)),
            (*DEPLOY_ROLES, *(STACK_ACCOUNT_ROLES if settings.stack_accounts else ())),
            state=_WRITE_STATE,
            key=_ENCRYPT,
        )
        self._may_grant_roles_of_stacks(deploy)
        nodes = None if settings.stack_accounts else self._node_account(deploy)
        drift = self._account(
            "drift",
            "looks for drift of the main branch's stacks",
            self._subjects(f"ref:refs/heads/{settings.branch}"),
            READ_ROLES,
            state=_WRITE_STATE,
            key=_DECRYPT,
        )
        preview = self._account(
            "preview",
            "previews pull requests",
            self._subjects("pull_request"),
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
        # For `cluster.nodeAccount` of the stack files; no variable of the repository.
        self.node_account = None if nodes is None else nodes.email
        self.register_outputs(dict(self.variables))

    def _state(self, logs: gcp.storage.Bucket | None) -> gcp.storage.Bucket:
        """The bucket of states: private, with a key of its own and earlier versions, and not removed with this program.

        Cloud Storage's agent uses the key for each account that may read the bucket, which none can without the key.
        """
        key = self._protected_key("state-key", "state")
        agent = f"service-{self._settings.project_number}@gs-project-accounts.iam.gserviceaccount.com"
        grant = gcp.kms.CryptoKeyIAMMember(
            "state-encryption", crypto_key_id=key.id, role=_ENCRYPT, member=f"serviceAccount:{agent}", opts=self._opts
        )
        return self._bucket_of(
            "state",
            keep=gcp.storage.BucketLifecycleRuleConditionArgs(num_newer_versions=20, days_since_noncurrent_time=90),
            depends_on=[grant],
            versioning=gcp.storage.BucketVersioningArgs(enabled=True),
            encryption=gcp.storage.BucketEncryptionArgs(default_kms_key_name=key.id),
            logging=None
            if logs is None
            else gcp.storage.BucketLoggingArgs(log_bucket=logs.name, log_object_prefix="state"),
        )

    def _access_logs(self) -> gcp.storage.Bucket:
        """The bucket into which Cloud Storage writes each hour which states were read and written, and from where.

        Source: cloud.google.com/storage/docs/access-logs.
        """
        logs = self._bucket_of("state-logs", keep=gcp.storage.BucketLifecycleRuleConditionArgs(age=_LOG_DAYS))
        gcp.storage.BucketIAMMember(
            "state-logs-writer",
            bucket=logs.name,
            role="roles/storage.objectCreator",
            member="group:cloud-storage-analytics@google.com",
            opts=self._opts,
        )
        return logs

    def _bucket_of(
        self,
        name: str,
        *,
        keep: gcp.storage.BucketLifecycleRuleConditionArgs,
        depends_on: Sequence[pulumi.Resource] = (),
        **more: Any,
    ) -> gcp.storage.Bucket:
        """A private bucket that is not removed with this program. `keep` is when an object or version is deleted."""
        return gcp.storage.Bucket(
            name,
            name=f"{self._settings.project}-llm-d-{name}",
            location=self._settings.location,
            uniform_bucket_level_access=True,
            public_access_prevention="enforced",
            lifecycle_rules=[
                gcp.storage.BucketLifecycleRuleArgs(
                    action=gcp.storage.BucketLifecycleRuleActionArgs(type="Delete"), condition=keep
                )
            ],
            opts=pulumi.ResourceOptions.merge(
                self._opts, pulumi.ResourceOptions(protect=True, depends_on=list(depends_on))
            ),
            **more,
        )

    def _protected_key(self, name: str, key: str) -> gcp.kms.CryptoKey:
        return gcp.kms.CryptoKey(
            name,
            name=key,
            key_ring=self._ring.id,
            purpose="ENCRYPT_DECRYPT",
            rotation_period=_ROTATION,
            opts=pulumi.ResourceOptions.merge(self._opts, pulumi.ResourceOptions(protect=True)),
        )

    def _uses_of_keys_are_logged(self) -> None:
        """Who decrypted a secret, in Cloud Audit Logs; Google records only changes of keys by default."""
        gcp.projects.IAMAuditConfig(
            "key-uses",
            project=self._settings.project,
            service="cloudkms.googleapis.com",
            audit_log_configs=[gcp.projects.IAMAuditConfigAuditLogConfigArgs(log_type="DATA_READ")],
            opts=self._opts,
        )

    def _federation(self) -> tuple[gcp.iam.WorkloadIdentityPool, gcp.iam.WorkloadIdentityPoolProvider]:
        settings = self._settings
        pool = gcp.iam.WorkloadIdentityPool(
            "pool", workload_identity_pool_id="github", display_name="GitHub", opts=self._opts
        )
        # An account that may push a branch may name any environment in a workflow there.
        review = [f"environment:{_REVIEW}"] if _REVIEW in settings.environments else []
        others = self._subjects("pull_request", *review)
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

    def _subjects(self, *jobs: str) -> list[str]:
        """The subjects of GitHub's tokens for kinds of jobs, in both forms: repositories that are created, renamed or
        moved since 15 July 2026 have the numbers of owner and repository in it, and others may opt in at any time
        (github.blog/changelog/2026-04-23-immutable-subject-claims-for-github-actions-oidc-tokens)."""
        settings = self._settings
        owner, _, name = settings.repository.partition("/")
        numbered = f"{owner}@{settings.owner_id}/{name}@{settings.repository_id}"
        return [f"repo:{repository}:{job}" for repository in (settings.repository, numbered) for job in jobs]

    def _account(
        self, name: str, purpose: str, subjects: Sequence[str], roles: Sequence[str], *, state: str, key: str | None
    ) -> gcp.serviceaccount.Account:
        """An account, the jobs that may be it, and its roles: of the project, of the state bucket and of the key."""
        account = gcp.serviceaccount.Account(
            name, account_id=f"llm-d-{name}", display_name=f"llm-d: {purpose}", opts=self._opts
        )
        member = _member(account)
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

    def _node_account(self, deploy: gcp.serviceaccount.Account) -> gcp.serviceaccount.Account:
        """The account of all stacks' nodes, the only one that the account that deploys may start nodes with."""
        nodes = gcp.serviceaccount.Account(
            "nodes", account_id="llm-d-nodes", display_name="llm-d: nodes", opts=self._opts
        )
        for role in NODE_ROLES:
            gcp.projects.IAMMember(
                f"nodes-{role.partition('/')[2]}",
                project=self._settings.project,
                role=role,
                member=_member(nodes),
                opts=self._opts,
            )
        gcp.serviceaccount.IAMMember(
            "deploy-uses-nodes",
            service_account_id=nodes.name,
            role=_USE_ACCOUNT,
            member=_member(deploy),
            opts=self._opts,
        )
        return nodes

    def _may_grant_roles_of_stacks(self, deploy: gcp.serviceaccount.Account) -> None:
        """The account that deploys may not make itself owner."""
        granted = (*NODE_ROLES, *GRANTED_ROLES) if self._settings.stack_accounts else GRANTED_ROLES
        roles = ", ".join(f"'{role}'" for role in granted)
        gcp.projects.IAMMember(
            "deploy-grants",
            project=self._settings.project,
            role=GRANTS,
            member=_member(deploy),
            condition=gcp.projects.IAMMemberConditionArgs(
                title="roles of nodes and autoscaler only",
                expression=f"api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', []).hasOnly([{roles}])",
            ),
            opts=self._opts,
        )


def _member(account: gcp.serviceaccount.Account) -> pulumi.Output[str]:
    return account.email.apply(lambda email: f"serviceAccount:{email}")
