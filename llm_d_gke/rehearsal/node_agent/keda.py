"""KEDA's programs as processes on this machine: ports, kubeconfigs, and access to Google's metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from llm_d_gke.rehearsal.control_plane.parts import AUTOSCALER_SECONDS
from llm_d_gke.rehearsal.node_agent.arguments import Allocate, with_ports
from llm_d_gke.rehearsal.node_agent.images_to_binaries import Program
from llm_d_gke.rehearsal.node_agent.webhook_controllers import Started

# Of k8s.io/apiserver and custom-metrics-apiserver: the adapter reads no KUBECONFIG for these three clients.
_KUBECONFIG_FLAGS = ("lister-kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig")


def keda(program: Program, command_line: Sequence[str], environment: Mapping[str, str], allocate: Allocate) -> Started:
    """The start of one of KEDA's programs. `environment` has KUBECONFIG and the variables of `GoogleApis`."""
    words = [word for word in command_line if word.lstrip("-").partition("=")[0] != "leader-elect"]
    listening = with_ports(program, words, allocate)
    arguments = list(listening.arguments)
    if program is Program.EXTERNAL_METRICS:
        arguments += [
            f"--{flag}={environment['KUBECONFIG']}" for flag in _KUBECONFIG_FLAGS if "KUBECONFIG" in environment
        ]
    remark = (
        f"{program.value} runs with its chart's own arguments and permissions, except that its ports are those of this"
        " machine and that it elects no leader"
    )
    period = (
        f"the HorizontalPodAutoscaler's controller looks at its metrics every {AUTOSCALER_SECONDS} s; on GKE every 15 s"
    )
    return Started(tuple(arguments), environment, listening.ports, (remark, period))
