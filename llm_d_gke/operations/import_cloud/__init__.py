"""Writes the file with which `pulumi import` takes an existing cluster, its pools and its network into a stack."""
