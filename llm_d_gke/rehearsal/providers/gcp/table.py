"""The simulated resource types. `force_new` is the provider's ForceNew list (pulumi-gcp 10.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from llm_d_gke.rehearsal.providers.gcp import cluster, network, platform, pools
from llm_d_gke.rehearsal.providers.gcp.kinds import (
    ADDRESS,
    CLUSTER,
    COMPUTE,
    COMPUTE_NAME,
    CONTAINER,
    CONTAINER_NAME,
    FIREWALL,
    GLOBAL_ADDRESS,
    NAT,
    NETWORK,
    NODE_POOL,
    RESOURCE_POLICY,
    ROUTER,
    SUBNETWORK,
    Kind,
)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_EVERYTHING = ("*",)
_REGION = "projects/{project}/regions/{region}"
_GLOBAL = "projects/{project}/global"

_NETWORK_KINDS = (
    Kind(
        type=NETWORK,
        id=f"{_GLOBAL}/networks/{{name}}",
        api=COMPUTE,
        name=COMPUTE_NAME,
        link="compute/v1",
        defaults={"autoCreateSubnetworks": True, "routingMode": "REGIONAL", "deleteDefaultRoutesOnCreate": False},
        force_new=(
            "name",
            "project",
            "autoCreateSubnetworks",
            "description",
            "networkProfile",
            "enableUlaInternalIpv6",
        ),
        computed=("selfLink", "gatewayIpv4", "networkId", "numericId"),
        outputs=platform.network_outputs,
        deleting=network.deleting_network,
    ),
    Kind(
        type=SUBNETWORK,
        id=f"{_REGION}/subnetworks/{{name}}",
        api=COMPUTE,
        name=COMPUTE_NAME,
        regional=True,
        link="compute/v1",
        defaults={"purpose": "PRIVATE", "stackType": "IPV4_ONLY", "privateIpv6GoogleAccess": "DISABLE_GOOGLE_ACCESS"},
        force_new=(
            "name",
            "project",
            "network",
            "region",
            "description",
            "purpose",
            "reservedInternalRange",
            "ipCollection",
        ),
        replacing=network.replacing_subnetwork,
        computed=("selfLink", "gatewayAddress", "creationTimestamp", "fingerprint", "subnetworkId"),
        outputs=network.subnetwork_outputs,
        creating=network.creating_subnetwork,
        updating=network.updating_subnetwork,
        deleting=network.deleting_subnetwork,
    ),
    Kind(
        type=ROUTER,
        id=f"{_REGION}/routers/{{name}}",
        api=COMPUTE,
        name=COMPUTE_NAME,
        regional=True,
        link="compute/v1",
        force_new=("name", "project", "network", "region", "encryptedInterconnectRouter"),
        computed=("selfLink", "creationTimestamp"),
        creating=network.creating_in_network,
    ),
    Kind(
        type=NAT,
        id="{project}/{region}/{router}/{name}",
        api=COMPUTE,
        name=COMPUTE_NAME,
        regional=True,
        defaults={"enableDynamicPortAllocation": False, "enableEndpointIndependentMapping": False, "type": "PUBLIC"},
        force_new=("name", "project", "region", "router", "endpointTypes", "type"),
        outputs=platform.nat_outputs,
        creating=network.creating_nat,
        updating=network.creating_nat,
    ),
    Kind(
        type=ADDRESS,
        id=f"{_REGION}/addresses/{{name}}",
        api=COMPUTE,
        name=COMPUTE_NAME,
        regional=True,
        link="compute/v1",
        defaults={"addressType": "EXTERNAL"},
        force_new=_EVERYTHING,
        updates=("labels",),
        computed=("selfLink", "address", "addressId", "creationTimestamp", "labelFingerprint", "networkTier", "users"),
        outputs=network.address_outputs,
        creating=network.creating_address,
    ),
    Kind(
        type=GLOBAL_ADDRESS,
        id=f"{_GLOBAL}/addresses/{{name}}",
        api=COMPUTE,
        name=COMPUTE_NAME,
        link="compute/v1",
        force_new=_EVERYTHING,
        updates=("labels",),
        computed=("selfLink", "address", "creationTimestamp", "labelFingerprint"),
        outputs=network.address_outputs,
    ),
    Kind(
        type=FIREWALL,
        id=f"{_GLOBAL}/firewalls/{{name}}",
        api=COMPUTE,
        name=COMPUTE_NAME,
        link="compute/v1",
        defaults={"priority": 1000, "direction": "INGRESS"},
        force_new=("name", "project", "network", "direction"),
        computed=("selfLink", "creationTimestamp"),
        creating=network.creating_firewall,
        updating=network.creating_firewall,
    ),
    Kind(
        type=RESOURCE_POLICY,
        id=f"{_REGION}/resourcePolicies/{{name}}",
        api=COMPUTE,
        name=COMPUTE_NAME,
        regional=True,
        link="compute/v1",
        force_new=_EVERYTHING,
        computed=("selfLink",),
    ),
    Kind(
        type="gcp:compute/securityPolicy:SecurityPolicy",
        id=f"{_GLOBAL}/securityPolicies/{{name}}",
        api=COMPUTE,
        name=COMPUTE_NAME,
        link="compute/v1",
        force_new=("name", "project", "type"),
        computed=("selfLink", "fingerprint"),
        creating=platform.checking_security_policy,
        updating=platform.checking_security_policy,
    ),
    Kind(
        type="gcp:compute/regionSecurityPolicy:RegionSecurityPolicy",
        id=f"{_REGION}/securityPolicies/{{name}}",
        api=COMPUTE,
        name=COMPUTE_NAME,
        regional=True,
        link="compute/v1",
        force_new=("name", "project", "region", "type"),
        computed=("selfLink", "fingerprint", "policyId"),
        creating=platform.checking_security_policy,
        updating=platform.checking_security_policy,
    ),
    Kind(
        type="gcp:compute/regionSslCertificate:RegionSslCertificate",
        id=f"{_REGION}/sslCertificates/{{name}}",
        api=COMPUTE,
        name=COMPUTE_NAME,
        regional=True,
        link="compute/v1",
        force_new=_EVERYTHING,
        computed=("selfLink", "certificateId", "creationTimestamp", "expireTime"),
    ),
)

_CONTAINER_KINDS = (
    Kind(
        type=CLUSTER,
        id="projects/{project}/locations/{location}/clusters/{name}",
        api=CONTAINER,
        name=CONTAINER_NAME,
        link="container/v1",
        defaults={"deletionProtection": True, "networkingMode": "VPC_NATIVE", "enableShieldedNodes": True},
        force_new=_words(
            "name location project network subnetwork description clusterIpv4Cidr networkingMode "
            "datapathProvider dataplaneOptimizationMode defaultMaxPodsPerNode initialNodeCount enableAutopilot "
            "enableKubernetesAlpha enableTpu tpuConfig confidentialNodes nodePools nodeConfig "
            "enableMultiNetworking ipAllocationPolicy.clusterSecondaryRangeName "
            "ipAllocationPolicy.servicesSecondaryRangeName ipAllocationPolicy.clusterIpv4CidrBlock "
            "ipAllocationPolicy.servicesIpv4CidrBlock privateClusterConfig.masterIpv4CidrBlock "
            "privateClusterConfig.privateEndpointSubnetwork userManagedKeysConfig"
        ),
        replacing=platform.replacing_cluster,
        computed=(
            "selfLink",
            "endpoint",
            "masterAuth",
            "masterVersion",
            "nodeVersion",
            "operation",
            "servicesIpv4Cidr",
            "controlPlaneEndpointsConfig.dnsEndpointConfig.endpoint",
            "privateClusterConfig.publicEndpoint",
            "privateClusterConfig.privateEndpoint",
        ),
        outputs=cluster.cluster_outputs,
        creating=cluster.creating_cluster,
        updating=cluster.updating_cluster,
        deleting=cluster.deleting_cluster,
    ),
    Kind(
        type=NODE_POOL,
        id="projects/{project}/locations/{location}/clusters/{cluster}/nodePools/{name}",
        api=CONTAINER,
        name=CONTAINER_NAME,
        force_new=_words(
            "name namePrefix cluster location project initialNodeCount maxPodsPerNode placementPolicy "
            "queuedProvisioning bestEffortProvisioning networkConfig.subnetwork networkConfig.createPodRange "
            "networkConfig.podRange networkConfig.podIpv4CidrBlock networkConfig.acceleratorNetworkProfile "
            "networkConfig.additionalNodeNetworkConfigs networkConfig.additionalPodNetworkConfigs "
            "nodeConfig.guestAccelerators nodeConfig.spot nodeConfig.preemptible nodeConfig.flexStart "
            "nodeConfig.maxRunDuration nodeConfig.reservationAffinity nodeConfig.serviceAccount "
            "nodeConfig.oauthScopes nodeConfig.metadata nodeConfig.minCpuPlatform nodeConfig.localSsdCount "
            "nodeConfig.ephemeralStorageConfig nodeConfig.ephemeralStorageLocalSsdConfig "
            "nodeConfig.localNvmeSsdBlockConfig nodeConfig.secondaryBootDisks "
            "nodeConfig.shieldedInstanceConfig nodeConfig.sandboxConfig nodeConfig.bootDiskKmsKey "
            "nodeConfig.nodeGroup nodeConfig.soleTenantConfig nodeConfig.hostMaintenancePolicy "
            "nodeConfig.advancedMachineFeatures nodeConfig.localSsdEncryptionMode nodeConfig.gpudirectStrategy"
        ),
        computed=("instanceGroupUrls", "managedInstanceGroupUrls", "version", "operation", "nodeLocations"),
        outputs=pools.pool_outputs,
        creating=pools.checking_pool,
        updating=pools.checking_pool,
    ),
)

KINDS: Final[Mapping[str, Kind]] = {kind.type: kind for kind in (*_NETWORK_KINDS, *_CONTAINER_KINDS, *platform.KINDS)}
