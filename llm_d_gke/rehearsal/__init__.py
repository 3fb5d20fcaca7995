"""Runs a stack on one machine: the real program and Pulumi engine, a real Kubernetes control plane, a simulated GKE.

- `cli`, `commands`, `looks` (at a stack that is up), `terminal`: what a person types and reads
- `pulumi_engine`: the engine, its configuration and its patches
- `providers`: the simulated gcp provider; the Kubernetes provider is the real one
- `control_plane`: etcd, API server, controllers, scheduler, and the objects that GKE installs
- `daemon`: the process that simulates GKE, made of `node_agent`, `autoscaler`, `load_balancer`, `controllers` and
  `monitoring`
- `charts`, `toolchain`: Helm charts and binaries from pinned Go modules
- `vllm_cpu`: real vLLM on the processor, for `up --engine vllm`
- `cluster_client`, `host`: the connection to a stack's cluster, and this machine's processes, ports and files
- `shared_cluster`: several stacks in one cluster; `before_destroy`: what a destroy needs done in it first
- `paths`, `errors`, `engine_choice`: what all of them use
"""
