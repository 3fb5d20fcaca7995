"""Runs a stack on one machine: the real program and Pulumi engine, a real Kubernetes control plane, a simulated GKE.

- `cli`, `commands`, `terminal`: what a person types and reads
- `pulumi_engine`: the engine, its configuration and its patches
- `providers`: the simulated gcp and Kubernetes providers
- `control_plane`: etcd, API server, controllers, scheduler, and the objects that GKE installs
- `daemon`: the process that simulates GKE, made of `node_agent`, `autoscaler`, `load_balancer` and `controllers`
- `charts`, `toolchain`: Helm charts and binaries from pinned Go modules
- `kube`, `host`: the Kubernetes client, and this machine's processes, ports and files
"""
