"""Protection of the cluster besides its network: encryption, admission of images, audits, and its first node."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_gcp as gcp

from llm_d_gke.planning.plan.infrastructure import ClusterPlan, ClusterSecurityPlan


def cluster_security(plan: ClusterSecurityPlan, *, autopilot: bool) -> dict[str, Any]:
    """Arguments of the cluster. What is Google's default today is stated, so that another default changes nothing."""
    container = gcp.container
    return {
        "master_auth": container.ClusterMasterAuthArgs(
            client_certificate_config=container.ClusterMasterAuthClientCertificateConfigArgs(
                issue_client_certificate=False
            )
        ),
        "enable_legacy_abac": False,
        # No role may be bound to all users (github.com/google/skills, gke-platform-security at 1af7775).
        "rbac_binding_config": container.ClusterRbacBindingConfigArgs(
            enable_insecure_binding_system_authenticated=False, enable_insecure_binding_system_unauthenticated=False
        ),
        # The gcp provider refuses it with `enable_autopilot`.
        "enable_intranode_visibility": None if autopilot else plan.intranode_visibility,
        "security_posture_config": container.ClusterSecurityPostureConfigArgs(
            mode=plan.security_posture, vulnerability_mode="VULNERABILITY_DISABLED"
        ),
        # Of pools that are created later; pools that exist keep what they have.
        "node_pool_defaults": None
        if autopilot
        else container.ClusterNodePoolDefaultsArgs(
            node_config_defaults=container.ClusterNodePoolDefaultsNodeConfigDefaultsArgs(
                insecure_kubelet_readonly_port_enabled="FALSE"
            )
        ),
        "database_encryption": container.ClusterDatabaseEncryptionArgs(state="ENCRYPTED", key_name=plan.secrets_key)
        if plan.secrets_key is not None
        else None,
        "binary_authorization": container.ClusterBinaryAuthorizationArgs(
            evaluation_mode="PROJECT_SINGLETON_POLICY_ENFORCE"
        )
        if plan.binary_authorization
        else None,
        "authenticator_groups_config": container.ClusterAuthenticatorGroupsConfigArgs(security_group=plan.google_group)
        if plan.google_group is not None
        else None,
    }


def first_node_config(plan: ClusterPlan, account: pulumi.Output[str]) -> gcp.container.ClusterNodeConfigArgs:
    """The node with which GKE begins every cluster, and which is removed at once.

    Without a dedicated account it would run as the Compute Engine default account, which many organizations disable
    or delete: the cluster could then not be created.
    """
    return gcp.container.ClusterNodeConfigArgs(
        service_account=account,
        oauth_scopes=["https://www.googleapis.com/auth/cloud-platform"],
        image_type="COS_CONTAINERD",
        boot_disk_kms_key=plan.security.disk_key,
        workload_metadata_config=gcp.container.ClusterNodeConfigWorkloadMetadataConfigArgs(mode="GKE_METADATA"),
        shielded_instance_config=gcp.container.ClusterNodeConfigShieldedInstanceConfigArgs(
            enable_secure_boot=True, enable_integrity_monitoring=True
        ),
        metadata={"disable-legacy-endpoints": "true"},
        resource_labels=dict(plan.labels),
    )
