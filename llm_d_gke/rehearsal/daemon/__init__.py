"""The GKE simulator of one stack: node agent, autoscaler, load balancer, cert-manager and Sail operator.

One daemon per stack, `python -m llm_d_gke.rehearsal.daemon <stack>`, runs from the creation of the cluster to its
deletion. It reads the desired state of Google Cloud from the cloud store and that of Kubernetes from the API server,
and reconciles both.
"""
