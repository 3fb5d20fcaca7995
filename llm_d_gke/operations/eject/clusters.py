"""The gcloud commands of a cluster and of its node pools."""

from __future__ import annotations

from llm_d_gke.operations.eject.inputs import Inputs, NotEjectableError
from llm_d_gke.operations.eject.shell import Words, flag, pairs, switch
from llm_d_gke.operations.import_cloud.spec import RESOURCE_POLICY

_NETWORK = "gcp:compute/network:Network"
_SUBNETWORK = "gcp:compute/subnetwork:Subnetwork"

# Values of the API by those of gcloud.
_COMPONENTS = {"SYSTEM_COMPONENTS": "SYSTEM", "WORKLOADS": "WORKLOAD"}
_POSTURES = {"BASIC": "standard", "DISABLED": "disabled"}
_SCANS = {"VULNERABILITY_DISABLED": "disabled"}


def cluster_command(inputs: Inputs) -> tuple[Words, ...]:
    """Create the cluster, and delete the node pool with which GKE begins every cluster."""
    if inputs.take("enableAutopilot"):
        return (_autopilot_command(inputs),)
    name, location = inputs.take("name"), flag("location", inputs.take("location"))
    project = flag("project", inputs.project)
    words = ["gcloud", "container", "clusters", "create", name, project, location]
    words += _optional(inputs, "cluster-version", "minMasterVersion")
    words.append(flag("release-channel", inputs.take("releaseChannel.channel").lower()))
    words += _network(inputs)
    words += _access(inputs)
    words += _security(inputs)
    words += _operations(inputs)
    words += _first_node(inputs)
    inputs.take("deletionProtection")
    delete = ("gcloud", "container", "node-pools", "delete", "default-pool", flag("cluster", name), project, location)
    if not inputs.take("removeDefaultNodePool"):
        raise NotEjectableError("the cluster keeps GKE's default node pool")
    return (tuple(words), (*delete, "--quiet"))


def _autopilot_command(inputs: Inputs) -> Words:
    """Create an Autopilot cluster. What `create-auto` has no flag for, Autopilot has in any case."""
    words = ["gcloud", "container", "clusters", "create-auto", inputs.take("name"), flag("project", inputs.project)]
    words.append(flag("location", inputs.take("location")))
    words += _optional(inputs, "cluster-version", "minMasterVersion")
    words.append(flag("release-channel", inputs.take("releaseChannel.channel").lower()))
    inputs.take("networkingMode")
    words += _place(inputs)
    inputs.take("gatewayApiConfig.channel")
    words.append(switch("enable-private-nodes", inputs.take("privateClusterConfig.enablePrivateNodes")))
    words += [word for word in _access(inputs) if "client-certificate" not in word and "legacy" not in word]
    words += _security(inputs, autopilot=True)
    words += _watched(inputs)
    managed = inputs.take("monitoringConfig.managedPrometheus.enabled")
    if not managed:
        raise NotEjectableError("Autopilot has managed Prometheus in any case")
    inputs.take("addonsConfig.httpLoadBalancing.disabled")
    words.append(flag("labels", pairs(inputs.take("resourceLabels"))))
    words += _maintenance(inputs)
    defaults = "clusterAutoscaling.autoProvisioningDefaults"
    words.append(flag("service-account", inputs.email(f"{defaults}.serviceAccount")))
    words.append(flag("scopes", ",".join(inputs.take(f"{defaults}.oauthScopes"))))
    inputs.take("deletionProtection")
    return tuple(words)


def _optional(inputs: Inputs, name: str, path: str) -> list[str]:
    """A flag with the value at a path, where there is one."""
    value = inputs.take(path)
    return [flag(name, value)] if value else []


def _place(inputs: Inputs) -> list[str]:
    """Network, subnet and its ranges."""
    words = []
    for field, kind in (("network", _NETWORK), ("subnetwork", _SUBNETWORK)):
        value = inputs.take(field)
        words.append(flag(field, value if isinstance(value, str) else inputs.name_of(field, kind)))
    policy = "ipAllocationPolicy"
    words.append(flag("cluster-secondary-range-name", inputs.take(f"{policy}.clusterSecondaryRangeName")))
    words.append(flag("services-secondary-range-name", inputs.take(f"{policy}.servicesSecondaryRangeName")))
    return words


def _network(inputs: Inputs) -> list[str]:
    inputs.take("networkingMode")
    words = ["--enable-ip-alias", *_place(inputs)]
    if inputs.take("datapathProvider") == "ADVANCED_DATAPATH":
        words.append("--enable-dataplane-v2")
    words.append(flag("gateway-api", inputs.take("gatewayApiConfig.channel").removeprefix("CHANNEL_").lower()))
    words.append(switch("enable-private-nodes", inputs.take("privateClusterConfig.enablePrivateNodes")))
    words.append(switch("enable-intra-node-visibility", inputs.take("enableIntranodeVisibility")))
    words += ["--enable-multi-networking"] if inputs.take("enableMultiNetworking") else []
    return words


def _access(inputs: Inputs) -> list[str]:
    endpoints = "controlPlaneEndpointsConfig"
    words = [
        switch("enable-dns-access", inputs.take(f"{endpoints}.dnsEndpointConfig.allowExternalTraffic")),
        switch("enable-ip-access", inputs.take(f"{endpoints}.ipEndpointsConfig.enabled")),
    ]
    if inputs.take("masterAuthorizedNetworksConfig") is not None:
        blocks = inputs.take("masterAuthorizedNetworksConfig.cidrBlocks") or ()
        google = inputs.take("masterAuthorizedNetworksConfig.gcpPublicCidrsAccessEnabled")
        words.append("--enable-master-authorized-networks")
        words.append(flag("master-authorized-networks", ",".join(block["cidrBlock"] for block in blocks)))
        words.append(switch("enable-google-cloud-access", google))
    certificate = inputs.take("masterAuth.clientCertificateConfig.issueClientCertificate")
    words.append(switch("issue-client-certificate", certificate))
    words.append(switch("enable-legacy-authorization", inputs.take("enableLegacyAbac")))
    for group in ("Authenticated", "Unauthenticated"):
        bindings = inputs.take(f"rbacBindingConfig.enableInsecureBindingSystem{group}")
        words.append(switch(f"enable-insecure-binding-system-{group.lower()}", bindings))
    words += _optional(inputs, "security-group", "authenticatorGroupsConfig.securityGroup")
    return words


def _security(inputs: Inputs, *, autopilot: bool = False) -> list[str]:
    words = []
    if not autopilot:
        words.append(flag("workload-pool", inputs.take("workloadIdentityConfig.workloadPool")))
        words.append(switch("enable-shielded-nodes", inputs.take("enableShieldedNodes")))
        defaults = "nodePoolDefaults.nodeConfigDefaults.insecureKubeletReadonlyPortEnabled"
        words.append(switch("enable-insecure-kubelet-readonly-port", inputs.take(defaults) == "TRUE"))
    words += [
        flag("security-posture", _POSTURES[inputs.take("securityPostureConfig.mode")]),
        flag("workload-vulnerability-scanning", _SCANS[inputs.take("securityPostureConfig.vulnerabilityMode")]),
    ]
    inputs.take("databaseEncryption.state")
    words += _optional(inputs, "database-encryption-key", "databaseEncryption.keyName")
    if inputs.take("binaryAuthorization.evaluationMode"):
        words.append(flag("binauthz-evaluation-mode", "project-singleton-policy-enforce"))
    words += ["--enable-secret-manager"] if inputs.take("secretManagerConfig.enabled") else []
    return words


def _watched(inputs: Inputs) -> list[str]:
    """Components whose logs and metrics Google collects."""
    logging = inputs.take("loggingConfig.enableComponents")
    monitoring = inputs.take("monitoringConfig.enableComponents")
    return [
        flag("logging", ",".join(_COMPONENTS[component] for component in logging)),
        flag("monitoring", ",".join(_COMPONENTS[component] for component in monitoring)),
    ]


def _maintenance(inputs: Inputs) -> list[str]:
    window = "maintenancePolicy.recurringWindow"
    if inputs.take(window) is None:
        return []
    fields = (("start", "startTime"), ("end", "endTime"), ("recurrence", "recurrence"))
    return [flag(f"maintenance-window-{name}", inputs.take(f"{window}.{field}")) for name, field in fields]


def _operations(inputs: Inputs) -> list[str]:
    words = _watched(inputs)
    managed = inputs.take("monitoringConfig.managedPrometheus.enabled")
    words.append(switch("enable-managed-prometheus", managed))
    addons = []
    if not inputs.take("addonsConfig.httpLoadBalancing.disabled"):
        addons.append("HttpLoadBalancing")
    if inputs.take("addonsConfig.gcePersistentDiskCsiDriverConfig.enabled"):
        addons.append("GcePersistentDiskCsiDriver")
    if inputs.take("addonsConfig.gcsFuseCsiDriverConfig.enabled"):
        addons.append("GcsFuseCsiDriver")
    words.append(flag("addons", ",".join(addons)))
    words.append(flag("labels", pairs(inputs.take("resourceLabels"))))
    return [*words, *_maintenance(inputs)]


def _first_node(inputs: Inputs) -> list[str]:
    """The node of the default pool. It is deleted at once, but some organizations let no other kind of node exist."""
    # Labels of the cluster are those of its nodes as well.
    inputs.take("nodeConfig.resourceLabels")
    return [flag("num-nodes", int(inputs.take("initialNodeCount"))), *_node(inputs)]


def node_pool_command(inputs: Inputs) -> tuple[Words, ...]:
    """Create a node pool."""
    words = ["gcloud", "container", "node-pools", "create", inputs.take("name"), flag("project", inputs.project)]
    words += [flag("cluster", inputs.take("cluster")), flag("location", inputs.take("location"))]
    zones = inputs.take("nodeLocations") or ()
    words += [flag("node-locations", ",".join(zones))] if zones else []
    words.append(flag("machine-type", inputs.take("nodeConfig.machineType")))
    words += _size(inputs)
    words += _accelerators(inputs)
    words += [*_provisioning(inputs), *_upgrade(inputs)]
    words.append(flag("disk-size", f"{int(inputs.take('nodeConfig.diskSizeGb'))}GB"))
    words.append(flag("disk-type", inputs.take("nodeConfig.diskType")))
    words += _node(inputs)
    labels = inputs.take("nodeConfig.labels") or {}
    words += [flag("node-labels", pairs(labels))] if labels else []
    words.append(flag("labels", pairs(inputs.take("nodeConfig.resourceLabels"))))
    words += ["--enable-image-streaming"] if inputs.take("nodeConfig.gcfsConfig.enabled") else []
    words += ["--enable-gvnic"] if inputs.take("nodeConfig.gvnic.enabled") else []
    threads = inputs.take("nodeConfig.advancedMachineFeatures.threadsPerCore")
    words += [flag("threads-per-core", int(threads))] if threads else []
    words.append(switch("enable-autorepair", inputs.take("management.autoRepair")))
    words.append(switch("enable-autoupgrade", inputs.take("management.autoUpgrade")))
    private = inputs.take("networkConfig.enablePrivateNodes")
    words += [] if private is None else [switch("enable-private-nodes", private)]
    words += _optional(inputs, "accelerator-network-profile", "networkConfig.acceleratorNetworkProfile")
    return (tuple(words),)


def _size(inputs: Inputs) -> list[str]:
    count = inputs.take("nodeCount")
    initial = inputs.take("initialNodeCount")
    words = [flag("num-nodes", int(count if count is not None else initial or 0))]
    if inputs.take("autoscaling") is None:
        return words
    words.append("--enable-autoscaling")
    for field, name in (
        ("minNodeCount", "min-nodes"),
        ("maxNodeCount", "max-nodes"),
        ("totalMinNodeCount", "total-min-nodes"),
        ("totalMaxNodeCount", "total-max-nodes"),
    ):
        value = inputs.take(f"autoscaling.{field}")
        words += [] if value is None else [flag(name, int(value))]
    words += _optional(inputs, "location-policy", "autoscaling.locationPolicy")
    return words


def _upgrade(inputs: Inputs) -> list[str]:
    words = []
    for field, name in (("maxSurge", "max-surge-upgrade"), ("maxUnavailable", "max-unavailable-upgrade")):
        value = inputs.take(f"upgradeSettings.{field}")
        words += [] if value is None else [flag(name, int(value))]
    return words


def _accelerators(inputs: Inputs) -> list[str]:
    words = []
    for entry in inputs.take("nodeConfig.guestAccelerators") or ():
        parts = {"type": entry["type"], "count": int(entry["count"])}
        driver = (entry.get("gpuDriverInstallationConfig") or {}).get("gpuDriverVersion")
        if driver:
            parts["gpu-driver-version"] = "disabled" if driver == "INSTALLATION_DISABLED" else driver.lower()
        words.append(flag("accelerator", pairs(parts)))
    words += _optional(inputs, "placement-type", "placementPolicy.type")
    if inputs.take("placementPolicy.policyName") is not None:
        words.append(flag("placement-policy", inputs.name_of("placementPolicy.policyName", RESOURCE_POLICY)))
    words += _optional(inputs, "tpu-topology", "placementPolicy.tpuTopology")
    return words


def _provisioning(inputs: Inputs) -> list[str]:
    words = ["--spot"] if inputs.take("nodeConfig.spot") else []
    words += ["--flex-start"] if inputs.take("nodeConfig.flexStart") else []
    words += ["--enable-queued-provisioning"] if inputs.take("queuedProvisioning.enabled") else []
    affinity = inputs.take("nodeConfig.reservationAffinity.consumeReservationType")
    if affinity == "NO_RESERVATION":
        words.append(flag("reservation-affinity", "none"))
    elif affinity == "SPECIFIC_RESERVATION":
        inputs.take("nodeConfig.reservationAffinity.key")
        [reservation] = inputs.take("nodeConfig.reservationAffinity.values")
        words += [flag("reservation-affinity", "specific"), flag("reservation", reservation)]
    return words


def _node(inputs: Inputs) -> list[str]:
    """What the nodes of the default pool and of the stack's own have in common."""
    config = "nodeConfig"
    words = [
        flag("service-account", inputs.email(f"{config}.serviceAccount")),
        flag("scopes", ",".join(inputs.take(f"{config}.oauthScopes"))),
        flag("image-type", inputs.take(f"{config}.imageType")),
        flag("workload-metadata", inputs.take(f"{config}.workloadMetadataConfig.mode")),
        flag("metadata", pairs(inputs.take(f"{config}.metadata"))),
    ]
    shielded = f"{config}.shieldedInstanceConfig"
    words += ["--shielded-secure-boot"] if inputs.take(f"{shielded}.enableSecureBoot") else []
    words += ["--shielded-integrity-monitoring"] if inputs.take(f"{shielded}.enableIntegrityMonitoring") else []
    words += _optional(inputs, "boot-disk-kms-key", f"{config}.bootDiskKmsKey")
    return words
