"""Writes a stack as gcloud commands, Helm values and manifests that need neither this project nor Pulumi."""
