"""Translates a planned pod into a Kubernetes pod template.

The result is plain values, because Deployments and custom resources embed the same template.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from pulumi_kubernetes.apps import v1 as apps
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs

from llm_d_gke.planning.plan.pods import ContainerPlan, EnvPlan, PodPlan, ProbePlan, VolumePlan
from llm_d_gke.planning.serving.multi_node import GROUP_LABEL

if TYPE_CHECKING:
    from pulumi_kubernetes.core.v1 import PodTemplateSpecArgs


def pod_template(plan: PodPlan) -> dict[str, Any]:
    """A pod template that meets the Pod Security standard `restricted`, except for the plan's stated exception."""
    annotations, exception = dict(plan.annotations), plan.security_exception
    if exception is not None:
        annotations["llm-d.ai/security-exception"] = f"{exception.rule}: {exception.reason}"
    metadata = {"labels": dict(plan.labels), **_unless_empty(annotations=annotations)}
    return {"metadata": metadata, "spec": _pod_spec(plan)}


def _pod_spec(plan: PodPlan) -> dict[str, Any]:
    return {
        "serviceAccountName": plan.service_account,
        "automountServiceAccountToken": plan.mount_api_token,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": plan.grace_seconds,
        "securityContext": {
            "runAsNonRoot": plan.user != 0,
            "runAsUser": plan.user,
            "runAsGroup": plan.user,
            "fsGroup": plan.user,
            # Otherwise the kubelet walks through every file of a volume at every start.
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_own_container(plan) | _lifecycle(plan)],
        # Controllers that read and write a custom kind leave empty lists out, and every preview would add them again.
        **_unless_empty(
            volumes=[{"name": volume.name, volume.kind: dict(volume.source)} for volume in _volumes(plan)],
            initContainers=[_sidecar(plan, sidecar) for sidecar in plan.sidecars],
            nodeSelector=dict(plan.node_selector),
            tolerations=[
                {"key": taint.key, "operator": "Equal", "value": taint.value, "effect": taint.effect}
                for taint in plan.tolerations
            ],
            imagePullSecrets=[{"name": plan.pull_secret}] if plan.pull_secret is not None else [],
            resourceClaims=[{"name": name, "resourceClaimTemplateName": name} for name in plan.claims],
            affinity=_affinity(plan),
            topologySpreadConstraints=_spread_constraints(plan),
        ),
    }


def _affinity(plan: PodPlan) -> dict[str, Any]:
    return {
        **({"podAffinity": _preferred(_group_affinity(plan))} if plan.near else {}),
        **({"podAntiAffinity": _preferred([_spread_term(plan)])} if plan.spread_over else {}),
    }


def _spread_constraints(plan: PodPlan) -> list[dict[str, Any]]:
    if not plan.spread_over:
        return []
    constraint = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": dict(plan.spread_over)},
    }
    return [constraint]


def deployment_spec(
    replicas: int,
    selector: Mapping[str, str],
    pod: PodPlan,
    *,
    max_surge: int = 1,
    max_unavailable: int = 0,
    progress_deadline: int | None = None,
) -> apps.DeploymentSpecArgs:
    """Spec of a Deployment. By default a new pod is ready before an old one ends. `progress_deadline` in seconds."""
    return apps.DeploymentSpecArgs(
        replicas=replicas,
        selector=LabelSelectorArgs(match_labels=dict(selector)),
        min_ready_seconds=pod.min_ready_seconds or None,
        progress_deadline_seconds=progress_deadline,
        strategy=apps.DeploymentStrategyArgs(
            type="RollingUpdate",
            rolling_update=apps.RollingUpdateDeploymentArgs(max_surge=max_surge, max_unavailable=max_unavailable),
        ),
        # The SDK passes plain values in Kubernetes' own spelling through.
        template=cast("PodTemplateSpecArgs", pod_template(pod)),
    )


def _lifecycle(plan: PodPlan) -> dict[str, Any]:
    """A preStop hook in which the kubelet sleeps, so that the image needs no shell."""
    if not plan.pre_stop_seconds:
        return {}
    return {"lifecycle": {"preStop": {"sleep": {"seconds": plan.pre_stop_seconds}}}}


def _volumes(plan: PodPlan) -> list[VolumePlan]:
    """The volumes of all containers, each once."""
    return list({volume.name: volume for container in (plan, *plan.sidecars) for volume in container.volumes}.values())


def _preferred(terms: list[dict[str, Any]]) -> dict[str, Any]:
    return {"preferredDuringSchedulingIgnoredDuringExecution": terms}


def _spread_term(plan: PodPlan) -> dict[str, Any]:
    """Preferred affinity to nodes without another replica."""
    term = {"labelSelector": {"matchLabels": dict(plan.spread_over)}, "topologyKey": "kubernetes.io/hostname"}
    return {"weight": 1, "podAffinityTerm": term}


def _group_affinity(plan: PodPlan) -> list[dict[str, Any]]:
    """Preferred affinity to pods of the same group, heaviest first."""
    return [
        {
            "weight": weight,
            "podAffinityTerm": {
                "labelSelector": {"matchLabels": dict(plan.spread_over)},
                "matchLabelKeys": [GROUP_LABEL],
                "topologyKey": key,
            },
        }
        for weight, key in zip(range(len(plan.near), 0, -1), plan.near, strict=True)
    ]


def _own_container(plan: PodPlan) -> dict[str, Any]:
    """The main container, which alone has resource claims, capabilities and the security exception."""
    container = _container(plan, plan.user)
    if plan.claims:
        container["resources"]["claims"] = [{"name": name} for name in plan.claims]
    if plan.capabilities:
        container["securityContext"]["capabilities"]["add"] = list(plan.capabilities)
    if plan.security_exception is not None and plan.security_exception.rule == "privileged":
        # The API server refuses `privileged` with `allowPrivilegeEscalation: false`.
        container["securityContext"] |= {"privileged": True, "allowPrivilegeEscalation": True}
    return container


def _sidecar(pod: PodPlan, plan: ContainerPlan) -> dict[str, Any]:
    """A native sidecar. Next to an engine that needs root it still runs as a non-root user."""
    return _container(plan, pod.user or plan.user_beside_root) | {"restartPolicy": "Always"}


def _container(plan: ContainerPlan, user: int) -> dict[str, Any]:
    container: dict[str, Any] = {
        "name": plan.container,
        "image": plan.image,
        # Tags are pinned, but a registry can move a tag: check at every start.
        "imagePullPolicy": "Always",
        **_unless_empty(
            args=list(plan.args),
            env=[_env(variable) for variable in plan.env],
            ports=[{"name": port.name, "containerPort": port.number, "protocol": "TCP"} for port in plan.ports],
        ),
        "resources": {"requests": dict(plan.requests), "limits": dict(plan.limits)},
        **_unless_empty(
            volumeMounts=[
                {"name": volume.name, "mountPath": volume.mount_path} | ({"readOnly": True} if volume.read_only else {})
                for volume in plan.volumes
            ]
        ),
        "securityContext": {
            # As the pod's, for scanners that read containers only.
            "runAsNonRoot": user != 0,
            "runAsUser": user,
            "runAsGroup": user,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    if plan.command:
        container["command"] = list(plan.command)
    probes = {"startupProbe": plan.startup, "livenessProbe": plan.liveness, "readinessProbe": plan.readiness}
    container |= {name: _probe(probe) for name, probe in probes.items() if probe is not None}
    return container


def _unless_empty(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value}


def _env(variable: EnvPlan) -> dict[str, Any]:
    if variable.field_path is not None:
        return {"name": variable.name, "valueFrom": {"fieldRef": {"fieldPath": variable.field_path}}}
    if variable.secret is not None:
        name, key = variable.secret
        return {"name": variable.name, "valueFrom": {"secretKeyRef": {"name": name, "key": key}}}
    return {"name": variable.name, "value": variable.value or ""}


def _probe(plan: ProbePlan) -> dict[str, Any]:
    probe: dict[str, Any] = {
        "periodSeconds": plan.period,
        "timeoutSeconds": plan.timeout,
        "failureThreshold": plan.failures,
    }
    if plan.initial_delay:
        probe["initialDelaySeconds"] = plan.initial_delay
    if plan.grpc_service is not None:
        probe["grpc"] = {"port": plan.port, "service": plan.grpc_service}
    elif plan.path is None:
        probe["tcpSocket"] = {"port": plan.port}
    else:
        probe["httpGet"] = {"path": plan.path, "port": plan.port, "scheme": plan.scheme}
    return probe
