"""Ports of a model server's pod."""

# The first server of a pod; further data-parallel ranks follow.
PORT = 8000
# The supervisor of a pod's ranks answers here for all of them. llm-d's guides use it; it must not be one of theirs.
SUPERVISOR_PORT = 8208
# An InferencePool names at most so many ports (its CRD since v1.1).
MOST_PORTS = 8
