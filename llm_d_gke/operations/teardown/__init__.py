"""Destroys a stack on GKE until nothing is left, also after a killed update: `command`."""
