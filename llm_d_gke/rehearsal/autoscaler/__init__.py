"""Node pools, their Node objects, and the cluster autoscaler."""
