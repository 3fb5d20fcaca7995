"""Network, cluster, node pools, namespace and credentials of a stack."""
