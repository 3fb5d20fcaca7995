"""The gcloud commands of a cluster and of its node pools: which flag carries which input."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.google_types import NETWORK, RESOURCE_POLICY, SUBNETWORK
from llm_d_gke.operations.eject.inputs import Inputs, NotEjectableError
from llm_d_gke.operations.eject.shell import Words, flag

# Values of the API by those of gcloud.
_COMPONENTS = {"SYSTEM_COMPONENTS": "SYSTEM", "WORKLOADS": "WORKLOAD"}
_POSTURES = {"BASIC": "standard", "DISABLED": "disabled"}
_SCANS = {"VULNERABILITY_DISABLED": "disabled"}

_FLAGS: Mapping[str, Mapping[str, str]] = read_yaml(Path(__file__).with_name("gcloud_flags.yaml"))


def cluster_command(inputs: Inputs) -> tuple[Words, ...]:
    """Create the cluster, and delete the node pool with which GKE begins every cluster."""
    if inputs.take("enableAutopilot"):
        return (_autopilot_command(inputs),)
    name, location, project = inputs.take("name"), inputs.flag("location", "location"), flag("project", inputs.project)
    words = [
        *("gcloud", "container", "clusters", "create", name, project, *location, *_common(inputs)),
        "--enable-ip-alias",
        *(["--enable-dataplane-v2"] if inputs.take("datapathProvider") == "ADVANCED_DATAPATH" else []),
        *inputs.flag("gateway-api", "gatewayApiConfig.channel", lambda text: text.removeprefix("CHANNEL_").lower()),
        *inputs.options({"enable-multi-networking": "enableMultiNetworking"}),
        *inputs.switches(_FLAGS["cluster_switches"]),
        *inputs.flag("workload-pool", "workloadIdentityConfig.workloadPool"),
        *_kubelet_port(inputs),
        *_addons(inputs),
        # The default pool is deleted at once, but some organizations let no other kind of node exist.
        *inputs.flag("num-nodes", "initialNodeCount"),
        *_node(inputs),
    ]
    # Labels of the cluster are those of its nodes as well.
    inputs.take("nodeConfig.resourceLabels")
    delete = ("gcloud", "container", "node-pools", "delete", "default-pool", flag("cluster", name), project, *location)
    if not inputs.take("removeDefaultNodePool"):
        raise NotEjectableError("the cluster keeps GKE's default node pool")
    return (tuple(words), (*delete, "--quiet"))


def _autopilot_command(inputs: Inputs) -> Words:
    """Create an Autopilot cluster. What `create-auto` has no flag for, Autopilot has in any case."""
    for path in (
        "gatewayApiConfig.channel",
        "masterAuth.clientCertificateConfig.issueClientCertificate",
        "enableLegacyAbac",
        "addonsConfig.httpLoadBalancing.disabled",
    ):
        inputs.take(path)
    if not inputs.take("monitoringConfig.managedPrometheus.enabled"):
        raise NotEjectableError("Autopilot has managed Prometheus in any case")
    defaults = "clusterAutoscaling.autoProvisioningDefaults"
    return (
        *("gcloud", "container", "clusters", "create-auto", inputs.take("name"), flag("project", inputs.project)),
        *inputs.flag("location", "location"),
        *_common(inputs),
        flag("service-account", inputs.email(f"{defaults}.serviceAccount")),
        *inputs.flag("scopes", f"{defaults}.oauthScopes"),
    )


def _common(inputs: Inputs) -> list[str]:
    """What clusters with and without Autopilot have in common."""
    inputs.take("networkingMode")
    inputs.take("deletionProtection")
    inputs.take("databaseEncryption.state")
    binary_authorization = inputs.take("binaryAuthorization.evaluationMode")
    return [
        *inputs.flag("cluster-version", "minMasterVersion"),
        *inputs.flag("release-channel", "releaseChannel.channel", str.lower),
        *(flag("network", inputs.name_or_path("network", NETWORK)),),
        *(flag("subnetwork", inputs.name_or_path("subnetwork", SUBNETWORK)),),
        *inputs.flag("cluster-secondary-range-name", "ipAllocationPolicy.clusterSecondaryRangeName"),
        *inputs.flag("services-secondary-range-name", "ipAllocationPolicy.servicesSecondaryRangeName"),
        *inputs.switches(_FLAGS["access_switches"]),
        *_authorized_networks(inputs),
        *inputs.flag("security-group", "authenticatorGroupsConfig.securityGroup"),
        *inputs.flag("security-posture", "securityPostureConfig.mode", _POSTURES.__getitem__),
        *inputs.flag("workload-vulnerability-scanning", "securityPostureConfig.vulnerabilityMode", _SCANS.__getitem__),
        *inputs.flag("database-encryption-key", "databaseEncryption.keyName"),
        *([flag("binauthz-evaluation-mode", "project-singleton-policy-enforce")] if binary_authorization else []),
        *inputs.options({"enable-secret-manager": "secretManagerConfig.enabled"}),
        *inputs.flag("logging", "loggingConfig.enableComponents", _components),
        *inputs.flag("monitoring", "monitoringConfig.enableComponents", _components),
        *inputs.flag("labels", "resourceLabels"),
        *inputs.flags(_FLAGS["maintenance"]),
    ]


def _components(names: list[str]) -> str:
    return ",".join(_COMPONENTS[name] for name in names)


def _authorized_networks(inputs: Inputs) -> list[str]:
    networks = "masterAuthorizedNetworksConfig"
    if inputs.take(networks) is None:
        return []
    blocks = inputs.take(f"{networks}.cidrBlocks") or ()
    return [
        "--enable-master-authorized-networks",
        flag("master-authorized-networks", ",".join(block["cidrBlock"] for block in blocks)),
        *inputs.switches({"enable-google-cloud-access": f"{networks}.gcpPublicCidrsAccessEnabled"}),
    ]


def _kubelet_port(inputs: Inputs) -> list[str]:
    path = "nodePoolDefaults.nodeConfigDefaults.insecureKubeletReadonlyPortEnabled"
    return [f"--{'' if inputs.take(path) == 'TRUE' else 'no-'}enable-insecure-kubelet-readonly-port"]


def _addons(inputs: Inputs) -> list[str]:
    addons = [] if inputs.take("addonsConfig.httpLoadBalancing.disabled") else ["HttpLoadBalancing"]
    addons += [name for name, path in _FLAGS["addons"].items() if inputs.take(path)]
    return [flag("addons", ",".join(addons))]


def node_pool_command(inputs: Inputs) -> tuple[Words, ...]:
    words = ["gcloud", "container", "node-pools", "create", inputs.take("name"), flag("project", inputs.project)]
    count, initial = inputs.take("nodeCount"), inputs.take("initialNodeCount")
    words.append(flag("num-nodes", int(count if count is not None else initial or 0)))
    if inputs.take("autoscaling") is not None:
        words += ["--enable-autoscaling", *inputs.flags(_FLAGS["pool_size"])]
    words += [*inputs.flags(_FLAGS["pool"]), *inputs.options(_FLAGS["pool_options"])]
    words += [*_accelerators(inputs), *_reservation(inputs), *_node(inputs)]
    words += inputs.flag("disk-size", "nodeConfig.diskSizeGb", lambda size: f"{int(size)}GB")
    words += inputs.switches(
        {"enable-autorepair": "management.autoRepair", "enable-autoupgrade": "management.autoUpgrade"}
    )
    if inputs.take("networkConfig.enablePrivateNodes") is not None:
        words += inputs.switches({"enable-private-nodes": "networkConfig.enablePrivateNodes"})
    return (tuple(words),)


def _accelerators(inputs: Inputs) -> list[str]:
    words = []
    for entry in inputs.take("nodeConfig.guestAccelerators") or ():
        driver = (entry.get("gpuDriverInstallationConfig") or {}).get("gpuDriverVersion")
        version = "disabled" if driver == "INSTALLATION_DISABLED" else str(driver).lower()
        drivers = f",gpu-driver-version={version}" if driver else ""
        words.append(flag("accelerator", f"type={entry['type']},count={int(entry['count'])}{drivers}"))
    if inputs.take("placementPolicy.policyName") is not None:
        words.append(flag("placement-policy", inputs.name_of("placementPolicy.policyName", RESOURCE_POLICY)))
    return words


def _reservation(inputs: Inputs) -> list[str]:
    affinity = inputs.take("nodeConfig.reservationAffinity.consumeReservationType")
    if affinity == "NO_RESERVATION":
        return [flag("reservation-affinity", "none")]
    if affinity == "SPECIFIC_RESERVATION":
        inputs.take("nodeConfig.reservationAffinity.key")
        [reservation] = inputs.take("nodeConfig.reservationAffinity.values")
        return [flag("reservation-affinity", "specific"), flag("reservation", reservation)]
    return []


def _node(inputs: Inputs) -> list[str]:
    account = flag("service-account", inputs.email("nodeConfig.serviceAccount"))
    return [account, *inputs.flags(_FLAGS["node"]), *inputs.options(_FLAGS["node_options"])]
