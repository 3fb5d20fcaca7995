"""Writes the file with which `pulumi import` takes an existing cluster, its pools and its network into a stack.

`command` is the entry, `described` compares the cluster with the plan, `spec` writes the file.
"""
