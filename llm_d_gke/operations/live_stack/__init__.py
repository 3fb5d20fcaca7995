"""A stack that runs, rehearsed on this machine or on GKE: its plan, its cluster, its endpoint, its pods.

`find` opens it by `rehearsed` or `gke`, and `stack` has what both give. `kubeconfig` connects to a cluster on GKE,
`metrics` to the Prometheus of a rehearsal.
"""

from llm_d_gke.operations.live_stack.stack import Endpoint, LiveStack, LiveStackError, PodAccess

__all__ = ["Endpoint", "LiveStack", "LiveStackError", "PodAccess"]
