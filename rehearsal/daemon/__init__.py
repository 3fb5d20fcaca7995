"""GKE's machine room on one machine: nodes and autoscaler, a kubelet with a process per container, the load balancer.

One daemon per stack, `python -m rehearsal.machine <stack>`, from the creation of the cluster to its deletion. It reads
the cloud store (what Google Cloud was asked for) and the API server (what Kubernetes was asked for), and makes both
come true.
"""
