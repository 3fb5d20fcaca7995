"""The control plane of a stack, and the objects that GKE installs into a new cluster."""
