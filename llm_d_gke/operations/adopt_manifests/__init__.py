"""Converts a running setup into a stack file: manifests, Helm values, and descriptions of clusters."""
