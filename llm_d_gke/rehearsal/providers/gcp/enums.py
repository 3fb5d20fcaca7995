"""Values that the provider accepts where the SDK's type is a string. Source: validators of pulumi-gcp 10.2."""

from __future__ import annotations

from collections.abc import Mapping


def _one_of(words: str) -> frozenset[str]:
    return frozenset(words.split())


_DELETION = _one_of("DELETE PREVENT ABANDON")

ENUMS: Mapping[str, Mapping[str, frozenset[str]]] = {
    "gcp:compute/network:Network": {
        "routingMode": _one_of("REGIONAL GLOBAL"),
        "networkFirewallPolicyEnforcementOrder": _one_of("BEFORE_CLASSIC_FIREWALL AFTER_CLASSIC_FIREWALL"),
        "deletionPolicy": _DELETION,
    },
    "gcp:compute/subnetwork:Subnetwork": {
        "role": _one_of("ACTIVE BACKUP"),
        "purpose": _one_of(
            "PRIVATE REGIONAL_MANAGED_PROXY GLOBAL_MANAGED_PROXY PRIVATE_SERVICE_CONNECT PEER_MIGRATION PRIVATE_NAT"
        ),
        "stackType": _one_of("IPV4_ONLY IPV4_IPV6 IPV6_ONLY"),
        "logConfig.aggregationInterval": _one_of(
            "INTERVAL_5_SEC INTERVAL_30_SEC INTERVAL_1_MIN INTERVAL_5_MIN INTERVAL_10_MIN INTERVAL_15_MIN"
        ),
        "logConfig.metadata": _one_of("EXCLUDE_ALL_METADATA INCLUDE_ALL_METADATA CUSTOM_METADATA"),
        "deletionPolicy": _DELETION,
    },
    "gcp:compute/routerNat:RouterNat": {
        "sourceSubnetworkIpRangesToNat": _one_of(
            "ALL_SUBNETWORKS_ALL_IP_RANGES ALL_SUBNETWORKS_ALL_PRIMARY_IP_RANGES LIST_OF_SUBNETWORKS"
        ),
        "natIpAllocateOption": _one_of("MANUAL_ONLY AUTO_ONLY"),
        "logConfig.filter": _one_of("ERRORS_ONLY TRANSLATIONS_ONLY ALL"),
        "type": _one_of("PUBLIC PRIVATE"),
    },
    "gcp:compute/address:Address": {
        "addressType": _one_of("INTERNAL EXTERNAL"),
        "networkTier": _one_of("PREMIUM STANDARD"),
        "ipVersion": _one_of("IPV4 IPV6"),
        "purpose": _one_of(
            "GCE_ENDPOINT SHARED_LOADBALANCER_VIP VPC_PEERING IPSEC_INTERCONNECT PRIVATE_SERVICE_CONNECT"
        ),
    },
    "gcp:compute/globalAddress:GlobalAddress": {
        "addressType": _one_of("EXTERNAL INTERNAL"),
        "ipVersion": _one_of("IPV4 IPV6"),
        "purpose": _one_of("VPC_PEERING PRIVATE_SERVICE_CONNECT"),
    },
    "gcp:compute/firewall:Firewall": {
        "direction": _one_of("INGRESS EGRESS"),
        "logConfig.metadata": _one_of("EXCLUDE_ALL_METADATA INCLUDE_ALL_METADATA"),
    },
    "gcp:compute/resourcePolicy:ResourcePolicy": {
        "groupPlacementPolicy.collocation": _one_of("COLLOCATED"),
        "workloadPolicy.type": _one_of("HIGH_AVAILABILITY HIGH_THROUGHPUT"),
    },
    "gcp:container/cluster:Cluster": {
        "releaseChannel.channel": _one_of("UNSPECIFIED RAPID REGULAR STABLE EXTENDED"),
        "gatewayApiConfig.channel": _one_of("CHANNEL_DISABLED CHANNEL_STANDARD CHANNEL_EXPERIMENTAL"),
        "networkingMode": _one_of("VPC_NATIVE ROUTES"),
        "datapathProvider": _one_of("DATAPATH_PROVIDER_UNSPECIFIED LEGACY_DATAPATH ADVANCED_DATAPATH"),
        "dataplaneOptimizationMode": _one_of("DATAPLANE_OPTIMIZATION_MODE_UNSPECIFIED SCALE_OPTIMIZED"),
        "ipAllocationPolicy.stackType": _one_of("IPV4 IPV4_IPV6"),
        "dnsConfig.clusterDns": _one_of("PROVIDER_UNSPECIFIED PLATFORM_DEFAULT CLOUD_DNS KUBE_DNS"),
        "dnsConfig.clusterDnsScope": _one_of("DNS_SCOPE_UNSPECIFIED CLUSTER_SCOPE VPC_SCOPE"),
        "monitoringConfig.enableComponents": _one_of(
            "SYSTEM_COMPONENTS APISERVER SCHEDULER CONTROLLER_MANAGER STORAGE HPA POD DAEMONSET DEPLOYMENT STATEFULSET "
            "WORKLOADS KUBELET CADVISOR DCGM JOBSET"
        ),
        "monitoringConfig.managedPrometheus.autoMonitoringConfig.scope": _one_of("ALL NONE"),
        "loggingConfig.enableComponents": _one_of(
            "SYSTEM_COMPONENTS WORKLOADS APISERVER CONTROLLER_MANAGER SCHEDULER KCP_CONNECTION KCP_SSHD KCP_HPA KCP_VPA"
        ),
        "clusterAutoscaling.autoscalingProfile": _one_of("BALANCED OPTIMIZE_UTILIZATION"),
        "podAutoscaling.hpaProfile": _one_of("NONE PERFORMANCE"),
        "securityPostureConfig.mode": _one_of("DISABLED BASIC ENTERPRISE MODE_UNSPECIFIED"),
        "securityPostureConfig.vulnerabilityMode": _one_of(
            "VULNERABILITY_DISABLED VULNERABILITY_BASIC VULNERABILITY_ENTERPRISE VULNERABILITY_MODE_UNSPECIFIED"
        ),
        "binaryAuthorization.evaluationMode": _one_of("DISABLED PROJECT_SINGLETON_POLICY_ENFORCE"),
        "maintenancePolicy.maintenanceExclusions.exclusionOptions.scope": _one_of(
            "NO_UPGRADES NO_MINOR_UPGRADES NO_MINOR_OR_NODE_UPGRADES"
        ),
        "databaseEncryption.state": _one_of("ENCRYPTED DECRYPTED ALL_OBJECTS_ENCRYPTION_ENABLED"),
        "deletionPolicy": _DELETION,
    },
    "gcp:container/nodePool:NodePool": {
        "autoscaling.locationPolicy": _one_of("BALANCED ANY"),
        "upgradeSettings.strategy": _one_of("SURGE BLUE_GREEN"),
        "placementPolicy.type": _one_of("COMPACT TYPE_UNSPECIFIED") | {""},
        "nodeConfig.taints.effect": _one_of("NO_SCHEDULE PREFER_NO_SCHEDULE NO_EXECUTE"),
        "nodeConfig.guestAccelerators.gpuDriverInstallationConfig.gpuDriverVersion": _one_of(
            "GPU_DRIVER_VERSION_UNSPECIFIED DEFAULT LATEST INSTALLATION_DISABLED"
        ),
        "nodeConfig.guestAccelerators.gpuSharingConfig.gpuSharingStrategy": _one_of("TIME_SHARING MPS"),
        "nodeConfig.reservationAffinity.consumeReservationType": _one_of(
            "UNSPECIFIED NO_RESERVATION ANY_RESERVATION SPECIFIC_RESERVATION ANY_RESERVATION_THEN_FAIL"
        ),
        "nodeConfig.workloadMetadataConfig.mode": _one_of("MODE_UNSPECIFIED GCE_METADATA GKE_METADATA"),
        "nodeConfig.hostMaintenancePolicy.maintenanceInterval": _one_of(
            "MAINTENANCE_INTERVAL_UNSPECIFIED AS_NEEDED PERIODIC"
        ),
        "nodeConfig.secondaryBootDisks.mode": _one_of("MODE_UNSPECIFIED CONTAINER_IMAGE_CACHE"),
        "nodeConfig.loggingVariant": _one_of("DEFAULT MAX_THROUGHPUT"),
        "deletionPolicy": _DELETION,
    },
    "gcp:certificatemanager/certificate:Certificate": {
        "scope": _one_of("DEFAULT EDGE_CACHE ALL_REGIONS CLIENT_AUTH"),
    },
    "gcp:storage/bucket:Bucket": {
        "publicAccessPrevention": _one_of("inherited enforced"),
    },
    "gcp:monitoring/alertPolicy:AlertPolicy": {
        "combiner": _one_of("AND OR AND_WITH_MATCHING_RESOURCE"),
        "severity": _one_of("CRITICAL ERROR WARNING"),
    },
}
