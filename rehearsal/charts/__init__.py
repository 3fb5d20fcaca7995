"""Helm releases without a registry: charts come from the Go modules of the projects that publish them."""
