"""Failures that a person can act on: shown as one or two sentences, not as a traceback.

RehearsalError
├── NotUpError               a command for a running stack; the stack is not up  terminal
├── BusyError                another command works on the stack               pulumi_engine.one_command
├── BuildError               a binary is not available                       toolchain.go
├── ControlPlaneError        the control plane does not start                control_plane.control_plane
│   └── PortTakenError
├── ProcessError             a process could not be started or ended         host.processes
├── ProviderError            a simulated provider refuses                    providers.requests
│   └── Refused, Invalid, UnknownTypeError
└── SimulationError          what GKE would refuse too, written to a status  node_agent, load_balancer, autoscaler
    └── ConfigError, MountError, UnknownCommandError, UnresolvedError, NoCertificateError, UntrustedError,
        UnknownMachineError

Requests to the Kubernetes API raise KubeError (llm_d_gke/kube/types.py).
"""

from __future__ import annotations


class RehearsalError(Exception):
    """An error with its correction, in one or two sentences."""


def not_up(stack: str) -> str:
    """What every command says of a stack that it needs up."""
    return f"stack {stack} is not up on this machine: make up STACK={stack}"


class NotUpError(RehearsalError):
    """A stack is not up on this machine. The text also says how it is looked at on GKE."""


class BusyError(RehearsalError):
    """Another command is working on the stack. `holder` says which, and since when."""

    def __init__(self, stack: str, holder: str) -> None:
        super().__init__(
            f"another command is working on stack {stack}: {holder}. Wait for it to end, then run this one again; `make"
            f" status STACK={stack}` shows what runs by now"
        )


class ProviderError(RehearsalError):
    """A simulated provider refuses a request, in the provider's own words."""


class SimulationError(RehearsalError):
    """GKE would refuse this too. The text is the message that it writes to an object's status."""
