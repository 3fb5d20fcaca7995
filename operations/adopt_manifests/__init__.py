"""Turns what a team runs today into a stack file: manifests, helm values, and descriptions of clusters."""
