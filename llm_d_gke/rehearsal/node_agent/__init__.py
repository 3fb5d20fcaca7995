"""The kubelets: pods as processes of this machine, with volumes, environment, probes and status."""
