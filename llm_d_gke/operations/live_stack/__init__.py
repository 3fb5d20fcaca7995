"""A stack that runs, rehearsed on this machine or on GKE: its plan, its cluster, its endpoint, its pods."""

from llm_d_gke.operations.live_stack.stack import Endpoint, LiveStack, LiveStackError, PodAccess

__all__ = ["Endpoint", "LiveStack", "LiveStackError", "PodAccess"]
