"""Ports of a model server's pod."""

# The first server of a pod; further data-parallel ranks follow.
PORT = 8000
# The supervisor of a pod's ranks listens here for all of them, as in llm-d's guides. No rank may use the port.
SUPERVISOR_PORT = 8208
# The most ports that an InferencePool names (its CRD since v1.1).
MAX_PORTS = 8
