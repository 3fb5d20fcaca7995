"""Simulated Pulumi providers, served from the process of the command."""
