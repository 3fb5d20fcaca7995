"""Failures that a person can act on: shown as one or two sentences, not as a traceback.

RehearsalError
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


class ProviderError(RehearsalError):
    """A simulated provider refuses a request, in the provider's own words."""


class SimulationError(RehearsalError):
    """GKE would refuse this too. The text is the message that it writes to an object's status."""
