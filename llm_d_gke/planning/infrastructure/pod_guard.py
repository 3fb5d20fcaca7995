"""Which pods of a namespace may break which rule of Pod Security, where its enforced level admits more than they need.

Pod Security has one level for a namespace, and pool, picker and model servers share one. A ValidatingAdmissionPolicy
holds all pods to `restricted`; the exception of an engine lifts its own rules, for its account and its container only.

Rules: kubernetes.io/docs/concepts/security/pod-security-standards. Expressions are CEL with optional fields, which
Kubernetes has since 1.29; policies of this kind are stable since 1.30.
"""

from __future__ import annotations

from collections.abc import Sequence

from llm_d_gke.planning.plan.platform import AdmissionRulePlan, NamespacePlan, PodGuardPlan
from llm_d_gke.planning.plan.serving import ModelServerPlan

_ENFORCE = "pod-security.kubernetes.io/enforce"
_VOLUMES = (
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
)

# Rules that an exception lifts. A capability reaches processes of root only, and the API server refuses a privileged
# container that may not escalate.
_LIFTED = {
    "runAsNonRoot": frozenset({"runAsNonRoot"}),
    "capabilities": frozenset({"runAsNonRoot", "capabilities"}),
    "privileged": frozenset({"runAsNonRoot", "capabilities", "privileged", "allowPrivilegeEscalation"}),
}

VARIABLES = {
    "containers": "object.spec.containers + object.spec.?initContainers.orValue([])"
    " + object.spec.?ephemeralContainers.orValue([])",
    "volumes": "object.spec.?volumes.orValue([])",
}

_SELINUX_TYPES = ("", "container_t", "container_init_t", "container_kvm_t", "container_engine_t")


def _is_confined(context: str) -> str:
    """Whether a security context keeps AppArmor, and SELinux's types of containers."""
    linux = f"{context}.?seLinuxOptions"
    return (
        f"{context}.?appArmorProfile.?type.orValue('RuntimeDefault') != 'Unconfined'"
        f" && {linux}.?type.orValue('') in [{', '.join(repr(name) for name in _SELINUX_TYPES)}]"
        f" && {linux}.?user.orValue('') == '' && {linux}.?role.orValue('') == ''"
    )


# Of the whole pod, without exceptions.
_OF_PODS = {
    "hostNamespaces": "!object.spec.?hostNetwork.orValue(false) && !object.spec.?hostPID.orValue(false)"
    " && !object.spec.?hostIPC.orValue(false)",
    "volumes": f"variables.volumes.all(v, {' || '.join(f'has(v.{kind})' for kind in _VOLUMES)})",
    "sysctls": "object.spec.?securityContext.?sysctls.orValue([]).size() == 0",
    "appArmorProfile, seLinuxOptions": _is_confined("object.spec.?securityContext"),
}

_DROP = "c.?securityContext.?capabilities.?drop.orValue([]).exists(n, n == 'ALL')"
_ADD = "c.?securityContext.?capabilities.?add.orValue([])"
# What the kubelet asks, from the network of the node.
_HANDLERS = ("livenessProbe", "readinessProbe", "startupProbe", "lifecycle.?postStart", "lifecycle.?preStop")

# Of each container `c`. What a container does not say, its pod says.
_OF_CONTAINERS = {
    "privileged": "!c.?securityContext.?privileged.orValue(false)",
    "allowPrivilegeEscalation": "!c.?securityContext.?allowPrivilegeEscalation.orValue(true)",
    "capabilities": f"{_DROP} && {_ADD}.all(n, n == 'NET_BIND_SERVICE')",
    "runAsNonRoot": "c.?securityContext.?runAsNonRoot.orValue("
    "object.spec.?securityContext.?runAsNonRoot.orValue(false))"
    " && c.?securityContext.?runAsUser.orValue(object.spec.?securityContext.?runAsUser.orValue(1)) != 0",
    "seccompProfile": "c.?securityContext.?seccompProfile.?type.orValue("
    "object.spec.?securityContext.?seccompProfile.?type.orValue('')) in ['RuntimeDefault', 'Localhost']",
    "hostPorts": "c.?ports.orValue([]).all(p, p.?hostPort.orValue(0) == 0)",
    "procMount": "c.?securityContext.?procMount.orValue('Default') == 'Default'",
    "appArmorProfile, seLinuxOptions": _is_confined("c.?securityContext"),
    "hostProbes": " && ".join(
        f"c.?{handler}.?{action}.?host.orValue('') == ''"
        for handler in _HANDLERS
        for action in ("httpGet", "tcpSocket")
    ),
}


def plan_pod_guard(namespace: NamespacePlan, servers: Sequence[ModelServerPlan]) -> PodGuardPlan | None:
    """The policy of a namespace. None where Pod Security itself holds every pod to `restricted`, or is another's."""
    if not namespace.create or namespace.labels[_ENFORCE] == "restricted":
        return None
    exempt: dict[str, set[str]] = {}
    for server in servers:
        exception = server.pod.security_exception
        if exception is None:
            continue
        for rule in _LIFTED[exception.rule]:
            exempt.setdefault(rule, set()).add(_exemption(server, exception.rule, rule))
    return PodGuardPlan(
        name=f"{namespace.name}-pods",
        namespace=namespace.name,
        variables=VARIABLES,
        rules=(
            *(AdmissionRulePlan(rule=rule, expression=expression) for rule, expression in _OF_PODS.items()),
            *(
                AdmissionRulePlan(rule=rule, expression=_all_containers(expression, sorted(exempt.get(rule, ()))))
                for rule, expression in _OF_CONTAINERS.items()
            ),
        ),
    )


def _exemption(server: ModelServerPlan, exception: str, rule: str) -> str:
    """True for the engine's own container, in pods of its account."""
    engine = f"object.spec.serviceAccountName == '{server.service_account}' && c.name == '{server.pod.container}'"
    if exception == rule == "capabilities":
        added = " || ".join(f"n == '{name}'" for name in server.pod.capabilities)
        return f"{engine} && {_DROP} && {_ADD}.all(n, {added})"
    return engine


def _all_containers(expression: str, exempt: Sequence[str]) -> str:
    either = " || ".join(f"({condition})" for condition in (expression, *exempt))
    return f"variables.containers.all(c, {either})"
